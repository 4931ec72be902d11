"""How likely each cause is: a forest weighs the signs of a run (forest.py).

It was grown on random worlds by benchmarks/random_worlds/fit.py. A sign that is missing says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from improve.diagnosis.causes import CAUSES
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Case, Finding, Speaks
from improve.diagnosis.forest import Forest, added, shares, shipped
from improve.diagnosis.signs import SIGNS, signs_of

SOUND = "sound"
WORTH_A_GUESS = 0.1  # how likely: below it nobody should hear of it
RARE = 0.002  # the share of a cause that no tree names: the forest is not that sure
TOLD, LEAST = 3, 0.02  # signs of a finding, and what each adds at least
ABOVE_PEOPLE = "above:people"  # the training error is surely above the human level, which is known
OPEN = ("training", "validation", "none")  # the first link of the chain that does not hold


class Weighed(NamedTuple):
    """How likely each cause is; by code, how likely one is that it names, and the signs that speak most for it."""

    causes: dict[str, float]
    likely: dict[str, float]
    signs: dict[str, tuple[Speaks, ...]]


def weigh(case: Case, found: Iterable[Finding], forest: Forest) -> Weighed:
    """`found` by the rules. Nothing of a run without errors or of bare numbers, and nothing by a forest without
    trees."""
    if case.run is None or case.errors is None or not forest.roots:
        return Weighed({}, {}, {})
    values = read_off(case, found)
    causes = posterior(values, forest)
    return Weighed(causes, by_code(causes), signs_by_code(causes, values, forest))


def signs_by_code(
    causes: Mapping[str, float], values: Mapping[str, float], forest: Forest
) -> dict[str, tuple[Speaks, ...]]:
    """Of the likeliest of the causes that a code names, where it may be heard of."""
    told: dict[str, tuple[Speaks, ...]] = {}
    for name in sorted(causes, key=lambda name: causes[name]):
        if name in CAUSES and causes[name] >= WORTH_A_GUESS:
            told |= dict.fromkeys(CAUSES[name].codes, speaking(name, values, forest))
    return told


def speaking(cause: str, values: Mapping[str, float], forest: Forest) -> tuple[Speaks, ...]:
    """The signs that say most for a cause, the strongest first."""
    said = {name: share for name, share in added(forest, loud(values), cause).items() if share >= LEAST}
    told_of = [name for name in said if name in forest.usual and is_unusual(values[name], *forest.usual[name])]
    told = []
    for name in sorted(told_of, key=lambda name: -said[name])[:TOLD]:
        value, low, high = (SIGNS[name].natural(one) for one in (values[name], *forest.usual[name]))
        told.append(Speaks(SIGNS[name].title, value, low, high, round(said[name], 3)))
    return tuple(told)


def is_unusual(value: float, low: float, high: float) -> bool:
    return not low <= value <= high


def read_off(case: Case, found: Iterable[Finding]) -> dict[str, float]:
    """All signs, which findings were seen and counted, and which link is open."""
    seen = [finding for finding in found if finding.status == "found"]
    codes, facts = {finding.code for finding in seen}, {finding.code for finding in seen if finding.fact}
    looked_for = [rule.code for rule in ORDER if not any(rule.unseen(case))]
    checks = {f"seen:{code}": float(code in codes) for code in looked_for}
    checks |= {f"fact:{code}": float(code in facts) for code in looked_for}
    checks |= {f"open:{link}": float(link == open_link(case)) for link in OPEN}
    return signs_of(case) | checks | {ABOVE_PEOPLE: float(above_people(case))}


def above_people(case: Case) -> bool:
    if case.errors is None or case.errors.human is None or case.gaps is None:
        return False
    return case.gaps.avoidable_bias.verdict == "high"


def open_link(case: Case) -> str:
    if case.fits_badly:
        return OPEN[0]
    return OPEN[1] if case.errs else OPEN[2]


def posterior(values: Mapping[str, float], forest: Forest) -> dict[str, float]:
    """By cause, and `sound`; they add up to 1. 0 for a cause that cannot be."""
    return chances(shares(forest, loud(values)), values, forest.sharpness, forest.sound)


def loud(values: Mapping[str, float]) -> dict[str, float]:
    """The values as the forest is asked: those of a setting that are usual are all alike."""
    return {name: SIGNS[name].loud(value) if name in SIGNS else value for name, value in values.items()}


def chances(
    named: Mapping[str, float], values: Mapping[str, float], sharpness: float, sound: float
) -> dict[str, float]:
    """Probabilities of the shares of trees that name a cause."""
    weights = {
        cause: max(share, RARE) ** sharpness * (sound if cause == SOUND else 1.0) if can_be(cause, values) else 0.0
        for cause, share in named.items()
    }
    return {cause: weight / sum(weights.values()) for cause, weight in weights.items()}


def can_be(cause: str, values: Mapping[str, float]) -> bool:
    """Nothing is sound that errs on its training images where people surely do not, or that learned nothing for new
    images."""
    if cause == SOUND and (values.get(ABOVE_PEOPLE) or values.get("carried_over", 1.0) <= 0.0):
        return False
    above = CAUSES[cause].above if cause in CAUSES else {}
    return all(values.get(sign, float("inf")) > limit for sign, limit in above.items())


def by_code(causes: Mapping[str, float]) -> dict[str, float]:
    """A code may name several causes: their probabilities add up. A cause has several codes: each of them has it."""
    found: dict[str, float] = {}
    for name, probability in causes.items():
        for code in CAUSES[name].codes if name in CAUSES else ():
            found[code] = found.get(code, 0.0) + probability
    return found


def weighed(code: str) -> str:
    """The signs that say most for the causes that a finding names, each with how many times likelier it makes them at
    most where nothing else is known, the strongest first; nothing where it is not weighed."""
    at_first = shares(shipped(), {})
    lines = {
        sign_text(sign, curve): factor
        for name, cause in CAUSES.items()
        if code in cause.codes
        for sign, curve in shipped().curves.get(name, {}).items()
        if (factor := max(share for _, share in curve) / at_first[name]) > 1.0 + LEAST
    }
    strongest = sorted(lines.items(), key=lambda line: -line[1])
    head = "What speaks for it, and how many times likelier each makes it at most, where nothing else is known:"
    return "\n".join([head, *(f"  {factor:4.1f} ×  {text}" for text, factor in strongest)]) if lines else ""


def sign_text(sign: str, curve: list[tuple[float, float]]) -> str:
    kind, _, about = sign.rpartition(":")
    if kind:
        at_most = max(curve, key=lambda point: point[1])[0]
        says = {"seen": "{} is {}seen, by its limits", "fact": "{} was {}counted", "open": "{} is {}what fails first"}
        return says[kind].format(about, "" if at_most else "not ")
    (_, lowest), *_, (_, highest) = sorted(curve)
    return f"{'high' if highest > lowest else 'low'}: {SIGNS[sign].title}"
