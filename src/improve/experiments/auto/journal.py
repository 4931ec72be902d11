"""What `improve auto` did, in one folder: what was asked, every change that was tried, and what became of it.

steps.jsonl has one line when a change is begun and one when it is decided; a torn last line is as if it had not been
written. Everything else is told by the run folders.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from improve.errors import ImproveError
from improve.experiments.auto.advice_prior import Tally
from improve.runs import files, ledger, run, schema
from improve.runs.run import Run
from improve.spec.identity import ANY_LENGTH, identity

FILE = "steps.jsonl"
KEPT, DROPPED, FAILED = "kept", "dropped", "failed"
EVEN = 0.5  # P(better) from which a change may win at the end; benchmarks/loop/ends.py says how that turns out


@dataclass(frozen=True)
class AutoStep:
    """One run and why it was trained. `parent` None: the start. `edits` change the parent's spec; `expected` is what
    they were to recover. The rest is known once it is decided: `recovered` with its 95 % interval, `better` the
    probability that it errs less, `seeds` of each that this rests on. `bracket`: how many were begun beside each other;
    `spent`: epochs of the range test before it; `change`: what the ledger counts it as."""

    run: str
    parent: str | None = None
    code: str = ""
    title: str = ""
    edits: tuple[tuple[str, Any], ...] = ()
    because: str = ""
    expected: float = 0.0
    verdict: str = ""
    recovered: float | None = None
    low: float | None = None
    high: float | None = None
    better: float | None = None
    seeds: int = 1
    why: str = ""
    bracket: int = 1
    spent: int = 0
    change: str = ""

    @property
    def path(self) -> str:
        return self.edits[0][0] if self.edits else ""


class Tried:
    """Specs that were trained: by digest of all but the epochs, the most of those."""

    def __init__(self, specs: Iterable[Mapping[str, Any]]):
        self.most: dict[str, int] = {}
        for digest, epochs in map(but_for_epochs, specs):
            self.most[digest] = max(epochs, self.most.get(digest, 0))

    def __contains__(self, spec: Mapping[str, Any]) -> bool:
        """Whether this spec was tried, as it is or for longer: what has failed in 48 epochs need not be tried in the 34
        that are left."""
        digest, epochs = but_for_epochs(spec)
        return epochs <= self.most.get(digest, 0)


def but_for_epochs(spec: Mapping[str, Any]) -> tuple[str, int]:
    """Digest of the rest, and the epochs."""
    return identity(spec, ANY_LENGTH), int(spec["training"]["epochs"])


@dataclass
class Journal:
    """The folder as it stands."""

    folder: Path
    steps: list[AutoStep] = field(default_factory=list)

    @property
    def decided(self) -> list[AutoStep]:
        return [step for step in self.steps if step.verdict]

    @property
    def open(self) -> list[AutoStep]:
        """What was begun and not decided: one, or some beside each other."""
        return [step for step in self.steps if not step.verdict]

    @property
    def best(self) -> str | None:
        """The run that was kept last."""
        return self.kept.run if self.kept else None

    @property
    def kept(self) -> AutoStep | None:
        """What was kept last."""
        return next((step for step in reversed(self.steps) if step.verdict == KEPT), None)

    @property
    def winner(self) -> AutoStep | None:
        """Whose run to end with. To be kept takes more than chance; at the end a choice costs nothing, and of what was
        weighed against the run kept last the likeliest to be better wins, where that is likelier than not."""
        kept = self.kept
        weighed = [step for step in self.decided if kept and step.parent == kept.run and step.verdict == DROPPED]
        likelier = [step for step in weighed if (step.better or 0.0) > EVEN]
        return max(likelier, key=lambda step: step.better or 0.0) if likelier else kept

    @property
    def epochs(self) -> int:
        """Spent so far, second seeds and range tests counted."""
        return sum(step.spent for step in self.steps) + sum(int(one.summary.epochs) for one in self.runs())

    @property
    def seconds(self) -> float:
        return sum(float(one.summary.seconds or 0.0) for one in self.runs())

    @property
    def seconds_per_epoch(self) -> float:
        """The seconds that an epoch took in the slowest run so far, to be on the safe side; 0 where none is known."""
        paces = [
            float(one.summary.seconds) / one.summary.epochs
            for one in self.runs()
            if one.summary.epochs and one.summary.seconds
        ]
        return max(paces, default=0.0)

    @property
    def tried(self) -> Tried:
        return Tried(one.spec for one in self.runs())

    def runs(self) -> Iterator[Run]:
        for file in sorted(self.folder.glob("*/summary.json")):
            try:
                yield run.load_run(file.parent, history=False)
            except ImproveError:  # killed while it was made
                continue

    def load(self, name: str) -> Run:
        return run.load_run(self.folder / name)

    def write(self, step: AutoStep) -> AutoStep:
        return self.write_all([step])[0]

    def write_all(self, steps: Sequence[AutoStep]) -> list[AutoStep]:
        """Write the steps down, all in one write that is on disk when this returns; gives them."""
        if steps:
            written = "\n".join(json.dumps(files.finite_json(asdict(step)), ensure_ascii=False) for step in steps)
            ledger.append(self.folder / FILE, written)
        new = {step.run: step for step in steps}
        self.steps = [*(new.pop(one.run, one) for one in self.steps), *new.values()]
        return list(steps)

    def next_name(self, place: int = 0) -> str:
        return f"{len(self.steps) + place:02d}"


def read_journal(folder: Path) -> Journal:
    """The steps that were written whole, the last line of each run."""
    steps: dict[str, AutoStep] = {}
    for line in lines(folder / FILE):
        step = step_of(line)
        if step is not None:
            steps[step.run] = step
    return Journal(folder, list(steps.values()))


def lines(file: Path) -> Iterator[Any]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # torn
            continue


def step_of(value: Any) -> AutoStep | None:
    """None where the line is no step."""
    if schema.schema_fault(schema.Step, value):
        return None
    try:
        edits = tuple((str(path), new) for path, new in value["edits"])
        return AutoStep(**{**value, "edits": edits})
    except (TypeError, KeyError, ValueError):
        return None


def advice_tallies(runs: Path) -> Mapping[tuple[str, str], Tally]:
    """What was tried in all folders beside each other, and how often it was kept, by code and change."""
    found: dict[tuple[str, str], Tally] = {}
    for file in sorted(runs.glob(f"*/{FILE}")):
        for step in read_journal(file.parent).decided:
            if step.code:
                key = (step.code, step.change or step.path)
                found[key] = found.get(key, Tally()).plus(step.verdict == KEPT, 1)
    return found
