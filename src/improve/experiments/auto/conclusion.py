"""The end of `improve auto`: the winner's test part is opened once, its spec is written with what it reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from improve.diagnosis.comparison.compare import candidates
from improve.diagnosis.comparison.rules import luck
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.findings.rule import Change, Finding
from improve.errors import ImproveError
from improve.experiments.auto.journal import FAILED, KEPT, AutoStep, Journal
from improve.experiments.auto.proposals import advice_for_people
from improve.runs import files, ledger
from improve.runs.run import Run
from improve.spec.reading import yaml


@dataclass(frozen=True)
class Conclusion:
    """`doubt`: why `best` is not the run kept last, or empty; `optimism`: by how much the best of so many is expected
    to look too good; `left`: changes that need a person, because they move what the runs are judged by."""

    best: Run
    doubt: str
    tried: int
    came_true: int
    epochs: int
    optimism: float
    left: tuple[tuple[Finding, Change], ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "best": self.best.name,
            "doubt": self.doubt,
            "validation": self.best.summary.validation,
            "test": self.best.sealed_test,
            "tried": self.tried,
            "came_true": self.came_true,
            "epochs": self.epochs,
            "optimism": self.optimism,
            "left": [
                {"code": finding.code, "path": change.path, "value": change.value} for finding, change in self.left
            ],
        }


def conclusion_of(journal: Journal) -> Conclusion:
    """Raises ImproveError where not even the start has a result."""
    winner = journal.winner
    if winner is None or "validation" not in (best := journal.load(winner.run)).summary:
        raise ImproveError(f"nothing in {journal.folder} has a result", fix="improve diagnose says why its runs failed")
    opened(journal, best)
    tried = [step for step in journal.decided if step.parent is not None]
    write_best(journal, best)
    return Conclusion(
        best,
        doubt(winner),
        len(tried),
        sum(step.verdict == KEPT for step in tried),
        journal.epochs,
        optimism(journal),
        tuple(advice_for_people(diagnose(journal.load(journal.best or "")))),  # of the run that it would go on from
    )


def doubt(winner: AutoStep) -> str:
    """What is to be said of a run that was not kept."""
    if winner.verdict == KEPT:
        return ""
    return f"likelier better than {winner.parent} than not (P(better) {winner.better:.3f}), which is no proof"


def opened(journal: Journal, best: Run) -> None:
    """Written down once, however often the end is looked at."""
    digest = ledger.experiment(best.spec)
    if best.has_test and not ledger.tried(journal.folder, "test", best.fingerprint.get("test")):
        ledger.write_down(journal.folder, best.name, "test", best.fingerprint.get("test"), digest, best.sealed_test)


def optimism(journal: Journal) -> float:
    runs = [one for one in journal.runs() if one.status != FAILED]
    found = [one for one in candidates(runs, [one.name for one in runs]) if one]
    return luck(sorted(found, key=lambda one: (one.error, one.name)))[2] if len(found) > 1 else 0.0


def write_best(journal: Journal, best: Run) -> None:
    """best.yaml, in the form of configs/: its receipt on top; it trains to the same result."""
    reached = best.summary.validation
    head = [
        f"validation error {100 * reached['error']:.1f} % [{100 * reached['low']:.1f}, {100 * reached['high']:.1f}] "
        f"(n={reached['n']:,}, 1 seed), {best.summary.get('epochs')} epochs, {best.summary.get('seconds') or 0:.0f} s",
        f"  improve train {journal.folder / 'best.yaml'}",
    ]
    text = "".join(f"# {line}\n" for line in head) + yaml.write(best.spec)
    files.write_text(journal.folder / "best.yaml", text)
