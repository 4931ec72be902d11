"""`improve diagnose --confirm` on the terminal: what is tried, what that costs, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from improve.diagnosis.diagnose import Diagnosis
from improve.experiments.confirmation.confirm import ConfirmWatcher
from improve.experiments.confirmation.judgement import Judged
from improve.experiments.confirmation.plan import Trial, fewest_epochs
from improve.spec.reading.yaml import inline
from improve.views.terminal.console import console
from improve.views.terminal.training import TerminalWatcher
from improve.views.text.numbers import duration


class TerminalConfirmWatcher(TerminalWatcher, ConfirmWatcher):
    """The plan on standard error, what came of it on standard output; the epochs within a trial are not told."""

    def __init__(self, quiet: bool = False, as_json: bool = False):
        super().__init__(quiet=True)
        self.told, self.results = not quiet, not (quiet or as_json)

    def planned(self, trials: Sequence[Trial], diagnosis: Diagnosis) -> None:
        if self.told:
            self.out.print(Text(budget_text(trials, diagnosis)))

    def begun(self, trial: Trial) -> None:
        if self.told:
            self.out.print(Text(f"  {trial.code}  {edits_text(trial.edits)}   {epochs_text(trial.cost)}"))

    def judged(self, trials: Sequence[Judged]) -> None:
        if self.results and trials:
            out = console()
            for trial in trials:
                out.print(Text(f"{trial.code}  {edits_text(trial.edits)}   {trial.says}"))
            out.print()


def edits_text(edits: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{path}: {inline(value)}" for path, value in edits)


def epochs_text(count: int) -> str:
    return "1 epoch" if count == 1 else f"{count} epochs"


def budget_text(trials: Sequence[Trial], diagnosis: Diagnosis) -> str:
    """What is tried, in epochs and seconds, beside what the run took."""
    if not trials:
        fewest = fewest_epochs(diagnosis)
        short = (
            f"the cheapest change takes {epochs_text(fewest)} (--epochs {fewest})" if fewest else "no cause to prove"
        )
        return f"nothing to try: {short}"
    run, cost = diagnosis.run, sum(trial.cost for trial in trials)
    history = run.history if run else []
    changes = "1 change" if len(trials) == 1 else f"{len(trials)} changes"
    seconds = sum(row["seconds"] for row in history if "seconds" in row)
    about = f", about {duration(seconds * cost / len(history))} of training" if seconds and history else ""
    return f"trying {changes}, {epochs_text(cost)} in all{about}; the run took {epochs_text(len(history))}"
