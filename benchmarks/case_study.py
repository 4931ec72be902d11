"""The case study, from its first question to its last: runs every command of the page, measures, and writes the page.

    python benchmarks/case_study.py [--runs runs/case_study] [--seed 0] [-o FILE]

The page's source is case_study.md.jinja: each `run(…)` in it is executed as it is typed, and what it prints goes into
the page; each `claim(…)` is checked on the numbers of the runs. Exits 1 where a claim does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import jinja2

from case_study_claims import CLAIMS, Claim
from case_study_numbers import error, labellers, standard_error, trials
from improve import cli
from improve.engine.training.environment import device

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = "case_study.md.jinja"
TRIALS = [(rate, units) for rate in (0.001, 0.0015, 0.002, 0.003) for units in (16, 24, 32, 48)]


@dataclass
class Story:
    """What the page's source can ask for. Runs land in `runs`."""

    runs: Path
    seed: int = 0
    claims: dict[str, Claim] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def run(self, command: str, lines: int | None = None) -> str:
        """Execute one `improve …` and show it with what it prints, or with its first `lines` of that."""
        print(f"$ {command}", file=sys.stderr, flush=True)
        shown = self.output(command).rstrip().splitlines()
        cut = [*shown[:lines], "…"] if lines is not None and len(shown) > lines else shown
        return "\n".join([f"    $ {command}", *(f"    {line}".rstrip() for line in cut)])

    def output(self, command: str) -> str:
        """Standard output of a command; runs/case_study in it stands for `runs`."""
        other = f" seed={self.seed}" if self.seed and command.startswith("improve train") else ""
        here = (command + other).replace("runs/case_study", shlex.quote(str(self.runs)))
        with contextlib.redirect_stdout(io.StringIO()) as out, patch.object(sys, "argv", shlex.split(here)):
            try:
                cli.main()
            except SystemExit as end:
                if end.code:
                    self.failed.append(f"{command} ended with {end.code}")
        return out.getvalue().replace(str(self.runs), "runs/case_study")

    def trials(self) -> str:
        """Train the recipe of trial.yaml with other rates and sizes, all judged by the same 60 images."""
        for rate, units in TRIALS:
            settings = f"optimizer.learning_rate={rate} 'model.hidden=[{units}]' --name trial_{rate}_{units}"
            self.run(f"improve train configs/case_study/trial.yaml {settings} --runs runs/case_study/trials --quiet")
        return str(len(TRIALS))

    def best_trial(self) -> str:
        """By the 60 images."""
        return f"runs/case_study/trials/{min(trials(self.runs), key=error).name}"

    def claim(self, name: str) -> str:
        """Check a claim, and say what was measured."""
        self.claims[name] = found = CLAIMS[name](self.runs)
        return f"{'✓' if found.holds else '✗ DOES NOT HOLD:'} {found.says}"


def tell(runs: Path, seed: int = 0) -> tuple[str, Story]:
    """Run it all; the page, and what became of its claims."""
    if runs.exists():
        shutil.rmtree(runs)  # the story begins anew, and names its runs as the page does
    runs.mkdir(parents=True)
    story, began, used = Story(runs, seed), time.monotonic(), time.process_time()
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), undefined=jinja2.StrictUndefined, trim_blocks=True, autoescape=False
    )
    asked = {"run": story.run, "trials": story.trials, "best_trial": story.best_trial, "claim": story.claim}
    page = templates.get_template(PAGE).render(**asked, labellers=labellers, standard_error=standard_error)
    took, used = ((now - then) / 60 for now, then in ((time.monotonic(), began), (time.process_time(), used)))
    return page.replace("@TIME@", f"{took:.0f} minutes on {device()} ({used:.0f} minutes of CPU time)"), story


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/case_study"))
    parser.add_argument("--seed", type=int, default=0, help="of every training")
    parser.add_argument("-o", "--output", type=Path, help="the page; README.md beside the runs unless given")
    arguments = parser.parse_args()
    page, story = tell(arguments.runs, arguments.seed)
    file = arguments.output or arguments.runs / "README.md"
    file.write_text(page, encoding="utf-8")
    for name, claim in story.claims.items():
        print(f"{'holds' if claim.holds else 'FAILS'}  {name}: {claim.says}")
    print(*story.failed, file, sep="\n")
    sys.exit(0 if all(claim.holds for claim in story.claims.values()) and not story.failed else 1)


if __name__ == "__main__":
    main()
