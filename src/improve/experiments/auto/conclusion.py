"""The end of `improve auto`: the winner's test part is opened once, its spec is written with what it reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from improve.diagnosis.comparison.candidate import candidates
from improve.diagnosis.comparison.rules import luck_of_the_best
from improve.diagnosis.diagnose import diagnose
from improve.diagnosis.findings.rule import Change, Finding
from improve.errors import ImproveError
from improve.experiments.auto.journal import FAILED, KEPT, AutoStep, Journal
from improve.experiments.auto.proposals import advice_for_people
from improve.runs import files, ledger
from improve.runs.run import Run
from improve.runs.schema import Measured
from improve.runs.test_part import open_test
from improve.spec.reading import yaml


@dataclass(frozen=True)
class Conclusion:
    """`doubt`: why `best` is not the run kept last, or empty; `optimism`: by how much the best of so many is expected
    to look too good; `left`: changes that need a person, because they move what the runs are judged by."""

    best: Run
    test: Measured | None
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
            "validation": self.best.validation.as_json(),
            "test": self.test.as_json() if self.test else None,
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
    if winner is None or not (best := journal.load(winner.run)).has_result:
        raise ImproveError(f"nothing in {journal.folder} has a result", fix="improve diagnose says why its runs failed")
    tried = [step for step in journal.decided if step.parent is not None]
    write_best(journal, best)
    return Conclusion(
        best,
        test_of(journal, best) if best.has_test else None,
        doubt_sentence(winner),
        len(tried),
        sum(step.verdict == KEPT for step in tried),
        journal.epochs,
        optimism(journal),
        tuple(advice_for_people(diagnose(journal.load(journal.best or "")))),  # of the run that it would go on from
    )


def doubt_sentence(winner: AutoStep) -> str:
    """What is to be said of a run that was not kept."""
    if winner.verdict == KEPT:
        return ""
    return f"likelier better than {winner.parent} than not (P(better) {winner.better:.3f}), which is no proof"


def test_of(journal: Journal, best: Run) -> Measured:
    """Written down once, however often the end is looked at."""
    return open_test(best, again=bool(ledger.tried(journal.folder, "test", best.fingerprint.get("test"))))


def optimism(journal: Journal) -> float:
    """By how much (a fraction) the best run's validation error is too good because it was picked out of all; 0 for one
    run."""
    runs = [one for one in journal.runs() if one.status != FAILED]
    found = [one for one in candidates(runs, [one.name for one in runs]) if one]
    return luck_of_the_best(sorted(found, key=lambda one: (one.error, one.name)))[2] if len(found) > 1 else 0.0


def write_best(journal: Journal, best: Run) -> None:
    """best.yaml, in the form of configs/: its receipt on top; it trains to the same result."""
    reached = best.validation
    head = [
        f"validation error {100 * reached.error:.1f} % [{100 * reached.low:.1f}, {100 * reached.high:.1f}] "
        f"(n={reached.n:,}, 1 seed), {best.summary.epochs} epochs, {best.summary.seconds or 0:.0f} s",
        f"  improve train {journal.folder / 'best.yaml'}",
    ]
    text = "".join(f"# {line}\n" for line in head) + yaml.write(best.spec)
    files.write_text(journal.folder / "best.yaml", text)
