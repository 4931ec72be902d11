"""The self-test on the terminal: what was scored on worlds that were left out; then one table of scores and one of
findings per world, and what is missed."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from improve.diagnosis.selftest import HOW, LEFT_OUT_SCORES, not_scored
from improve.spec.reading.flatten import MISSING
from improve.views.terminal.console import console

SCORES = {
    "detected": "detected: something is found",
    "cause_first": "cause first",
    "cause_in_three": "cause in the first three",
    "patch_recovers": "patch recovers 80 % of the loss",
    "false_alarm_healthy": "false alarm, healthy runs",
    "false_alarm_hard_negatives": "false alarm, harmless changes",
}


def show_selftest(found: dict[str, Any], left_out: dict[str, Any]) -> None:
    out = console()
    if left_out:
        show_left_out(out, left_out)
    out.print(Text("The worlds below are those that the thresholds were chosen on."))
    out.print()
    for name, world in found.items():
        out.print(Text(headline(name, world["counts"]), "bold"))
        for rows in (scores(world["scores"]), rules(world["rules"]), missed(world["missed"])):
            out.print()
            out.print(table(rows))
        out.print()
    for name in not_scored(found):
        out.print(Text(f"{name}: not scored ({HOW})"))


def show_left_out(out: Any, found: dict[str, Any]) -> None:
    counts = found["counts"]
    worlds = f"left out · {len(found['worlds'])} random worlds"
    out.print(Text(f"{worlds} · {counts['faults']} faults that hurt, {counts['sound']} sound runs", "bold"))
    out.print(Text("Each source of images is scored by a forest that was grown on the others."))
    total = [["", "runs"], *([title, share(found["scores"][key])] for key, title in LEFT_OUT_SCORES.items())]
    shown = ("detected", "cause_first", "false_alarm")
    by_source = [[name, *(share(scores[key]) for key in shown)] for name, scores in found["sources"].items()]
    for rows in (total, [["images", *(LEFT_OUT_SCORES[key] for key in shown)], *by_source]):
        out.print()
        out.print(table(rows))
    out.print()


def headline(name: str, counts: dict[str, int]) -> str:
    seeds = "one seed" if counts["seeds"] == 1 else f"up to {counts['seeds']} seeds"
    base = f", {counts['seeds_of_base']} of the sound spec that they are compared with"
    return (
        f"{name} · {counts['faults']} faults, {counts['healthy']} healthy cases, {counts['harmless']} harmless changes "
        f"· {seeds} each{base}"
    )


def table(rows: list[list[str]]) -> Table:
    head, *body = rows
    made = Table(box=None, padding=(0, 3, 0, 0))
    for name in head:
        made.add_column(Text(name), no_wrap=True)
    for row in body:
        made.add_row(*map(Text, row))
    return made


def scores(found: dict[str, Any]) -> list[list[str]]:
    rows = [[title, share(found[key]["runs"]), share(found[key]["cases"])] for key, title in SCORES.items()]
    return [["", "runs", "cases"], *rows]


def rules(found: dict[str, Any]) -> list[list[str]]:
    rows = [[code, *(share(rule[key]) for key in ("cases", "recall", "false_alarms"))] for code, rule in found.items()]
    return [["finding", "named rightly, seeded cases", "found, runs", "false alarms, healthy runs"], *rows]


def missed(found: dict[str, Any]) -> list[list[str]]:
    """The cases whose cause is not said first in most runs."""
    rows = [missed_case(name, case) for name, case in found.items()]
    return [["missed", "expected first", "in", "said first"], *(rows or [["nothing", "", "", ""]])]


def missed_case(name: str, case: dict[str, Any]) -> list[str]:
    return [name, " or ".join(case["expected"]), f"{case['right']} of {case['of']}", instead(case)]


def instead(case: dict[str, Any]) -> str:
    return ", ".join(f"{code} {count}×" for code, count in sorted(case["said"].items(), key=lambda said: -said[1]))


def share(found: dict[str, Any] | None) -> str:
    if found is None:
        return MISSING
    part, low, high = found["hits"] / found["of"], found["low"], found["high"]
    return f"{found['hits']} of {found['of']} = {100 * part:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
