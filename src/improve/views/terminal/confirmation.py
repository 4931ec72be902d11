"""`improve diagnose --confirm` on the terminal: the budget, then a line for each change that is trained."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from improve.experiments.confirmation.confirm import ConfirmWatcher
from improve.experiments.confirmation.plan import Trial
from improve.runs.run import Run
from improve.spec.reading.yaml import inline
from improve.views.terminal.training import TerminalWatcher
from improve.views.text.numbers import duration


class TerminalConfirmWatcher(TerminalWatcher, ConfirmWatcher):
    """On standard error; the epochs within a trial are not told."""

    def __init__(self, quiet: bool = False):
        super().__init__(quiet=True)
        self.told = not quiet

    def planned(self, trials: Sequence[Trial], run: Run) -> None:
        if self.told:
            self.out.print(Text(budget_text(trials, run)))

    def begun(self, trial: Trial) -> None:
        if self.told:
            edits = ", ".join(f"{path}: {inline(value)}" for path, value in trial.edits)
            self.out.print(Text(f"  {trial.code}  {edits}   {trial.cost} epochs"))


def budget_text(trials: Sequence[Trial], run: Run) -> str:
    """What will be trained, in epochs and seconds, beside what the run took."""
    if not trials:
        return "nothing to try: no finding proposes a change that fits into the budget (--epochs N for more)"
    cost, done = sum(trial.cost for trial in trials), len(run.history)
    changes = "1 change" if len(trials) == 1 else f"{len(trials)} changes"
    seconds = sum(row["seconds"] for row in run.history if "seconds" in row)
    about = f", about {duration(seconds * cost / done)}" if seconds and done else ""
    return f"trying {changes} for {cost} epochs{about}; the run took {done} epochs"
