"""The scores as a section of Markdown."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from improve.statistics.intervals import Rate

sys.path.append(str(Path(__file__).parents[1]))
from runner_tax_report import markdown

HEADING = "## Faults"
ABOUT = """Every case is a sound spec with one thing put in, trained with several seeds. A fault counts only where it
costs at least one point of validation or test error on average (one-sided Mann-Whitney test, p < 0.05, against `base`);
mutants that do no harm are hard negatives. `detected`: something was found. `cause first`: the first finding names the
cause. A false alarm is a finding on a run without a fault that names nothing that was put in and whose change, trained
with three seeds, does not lower the validation error by more than two standard errors. `patch recovers`: the first
change, trained, wins back 80 % of the error lost. Over cases: more than half of the runs. Made by
`python benchmarks/faults/train.py`; `score.py` beside it scores saved runs again."""
ROWS = {
    "detected": "detected",
    "cause_first": "cause first",
    "cause_in_three": "cause in the first three",
    "false_alarm_healthy": "false alarm, healthy",
    "false_alarm_hard_negatives": "false alarm, hard negatives",
}


def section(results: dict[str, Any]) -> str:
    return "\n\n".join([HEADING, ABOUT, *(of_world(name, found) for name, found in results.items())])


def of_world(name: str, found: dict[str, Any]) -> str:
    about = found["scores"]
    head = (
        f"### {name}\n\n{about['faults']} faults, {about['healthy']} healthy cases, {about['hard_negatives']} hard "
        f"negatives, {about['seeds']} seeds each, {about['seeds_of_base']} of `base`."
    )
    if about["untested_changes"]:
        head += f" {about['untested_changes']} changes on cases without a fault are untested and count as useless."
    return "\n\n".join([head, scores(about), rules(found["rules"]), missed(found["cases"]), alarming(found["cases"])])


def scores(about: dict[str, Any]) -> str:
    rows = [[title, share(*about[key]["runs"]), share(*about[key]["cases"])] for key, title in ROWS.items()]
    return markdown(["", "runs", "cases"], [*rows, ["patch recovers", "", share(*about["patch_recovers"])]])


def share(hits: int, of: int) -> str:
    if not of:
        return "–"
    low, high = Rate(hits / of, of).interval()
    return f"{hits}/{of} = {100 * hits / of:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def rules(found: dict[str, Any]) -> str:
    rows = [
        [code, over(*one["recall"]), str(one["first_wrongly"]), over(*one["false_alarms"])]
        for code, one in found.items()
    ]
    return markdown(["finding", "recall, runs", "first at another cause", "false alarms, runs"], rows)


def over(hits: int, of: int) -> str:
    return f"{hits}/{of}" if of else "–"


def missed(found: dict[str, Any]) -> str:
    """The faults whose cause is not said first in every run."""
    rows = []
    for name, one in found.items():
        first = [codes[0] if codes else "nothing" for codes in one["said"]]
        right = sum(code in one["causes"] for code in first)
        if one["verdict"] == "fault" and right < len(first):
            said = ", ".join(f"{code} {count}×" for code, count in Counter(first).most_common())
            rows.append([name, " ".join(one["causes"]), f"{right}/{len(first)}", said, errors(one), recovered(one)])
    return markdown(["cause not first", "expected", "runs", "said first", "validation, test %", "recovered"], rows)


def alarming(found: dict[str, Any]) -> str:
    """The cases without a fault that raised false alarms."""
    rows = []
    for name, one in found.items():
        codes = Counter(code for said in one["false_alarms"] or () for code in said)
        if codes:
            said = ", ".join(f"{code} {count}×" for code, count in codes.most_common())
            rows.append([name, one["kind"], said, errors(one)])
    return markdown(["false alarms at", "kind", "said in its runs", "validation, test %"], rows)


def errors(one: dict[str, Any]) -> str:
    return ", ".join(f"{np.mean(one[part]):.1f}" for part in ("validation", "test"))


def recovered(one: dict[str, Any]) -> str:
    return "–" if one["recovered"] is None else f"{100 * one['recovered']:.0f} %"
