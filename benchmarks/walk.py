"""The loop, end to end: a faulty spec on images of CIFAR-10 is improved, and the spec that it ends with trained again.

    IMPROVE_DATA=FOLDER python benchmarks/walk.py [--spec smothered] [--epochs 100] [--keep FOLDER]

FOLDER holds cifar10.npz; --spec names a file of configs/faulty/. Prints a section of Markdown and puts it into
benchmarks/RESULTS.md (--quick only prints). It takes about four minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from runner_tax_report import cpu, markdown, put

HERE = Path(__file__).parent
HEADING = "## The loop, end to end"


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as temporary:
        text = section(arguments, (arguments.keep or Path(temporary)).absolute())
    print(text)
    if not arguments.quick:
        put(HERE / "RESULTS.md", text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spec", default="smothered", help="a file of configs/faulty/")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="keep the runs here")
    parser.add_argument("--quick", action="store_true", help="print only")
    return parser.parse_args()


def section(arguments: argparse.Namespace, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    spec = HERE.parent / "configs" / "faulty" / f"{arguments.spec}.yaml"
    walked, seconds = told(folder, "auto", str(spec), "--epochs", str(arguments.epochs))
    made = folder / "runs" / f"{arguments.spec}_auto"
    told(folder, "train", str(made / "best.yaml"), "--name", "again", "--quiet")
    best = next(line.split()[1].rstrip(":") for line in walked.splitlines() if line.startswith("best "))
    both = [summary(made / best), summary(folder / "runs" / "again")]
    return "\n\n".join([HEADING, about(arguments, seconds, made), f"```\n{walked.strip()}\n```", again(both)])


def told(folder: Path, *words: str) -> tuple[str, float]:
    """What the command prints, and the seconds that it takes; what goes wrong is shown and ends this."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "improve", *words], cwd=folder, check=False, capture_output=True,
                          text=True, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"})  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout, time.monotonic() - began


def summary(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / "summary.json").read_text(encoding="utf-8")))


def about(arguments: argparse.Namespace, seconds: float, made: Path) -> str:
    page = (made / "report.html").stat().st_size
    return (
        f"`improve auto configs/faulty/{arguments.spec}.yaml --epochs {arguments.epochs}`: {seconds:.0f} s, one walk, "
        f"seed 0; {cpu()}. Its page has {page / 1000:,.0f} kB. Made by `python benchmarks/walk.py`."
    )


def again(both: list[dict[str, Any]]) -> str:
    """Whether the last spec trains to the same result from its file."""
    same = both[0]["state_sha256"] == both[1]["state_sha256"]
    head = ["the best spec", "validation error", "test error", "state_sha256"]
    rows = [row(*pair) for pair in zip(("in the walk", "`improve train best.yaml`"), both, strict=True)]
    verdict = "the same result, to the byte" if same else "**another result**"
    return f"{markdown(head, rows)}\n\nTrained again: {verdict}."


def row(name: str, found: dict[str, Any]) -> list[str]:
    errors = (f"{100 * found[part]['error']:.2f} %" for part in ("validation", "test"))
    return [name, *errors, f"`{found['state_sha256'][:16]}…`"]


if __name__ == "__main__":
    main()
