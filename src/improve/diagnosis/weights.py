"""How likely each cause is: weights of evidence (I. J. Good, 1950), added up.

For each cause and sign, the logarithm of how much more often a value is seen with that cause than with others or with
none. They were counted on random worlds by benchmarks/random_worlds/fit.py, made monotone and drawn towards 0 where
runs are few. A sign that is missing weighs nothing.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from improve.diagnosis.causes import CAUSES
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Case, Finding, Speaks
from improve.diagnosis.signs import SIGNS, signs_of

FILE = Path(__file__).with_name("weights.json")
SOUND = "sound"
WORTH_TELLING = 0.1  # nats
TOLD, LEAST = 3, math.log(1.5)  # signs of a finding, and what each says at least, in nats
FIRST = "nothing that the recipe looks at before it is seen"
OPEN = ("training", "validation", "none")  # the first link of the chain that does not hold


class Weight(NamedTuple):
    """What a sign adds to a cause, in nats, by `rises` · its value: a line through the points (`places`, `nats`), level
    beyond its ends."""

    sign: str
    group: int
    rises: int
    places: tuple[float, ...]
    nats: tuple[float, ...]

    def of(self, value: float) -> float:
        value, after = self.rises * value, bisect_right(self.places, self.rises * value)
        if after in (0, len(self.places)):
            return self.nats[max(0, after - 1)]
        (left, right), (low, high) = self.places[after - 1 : after + 1], self.nats[after - 1 : after + 1]
        return low + (high - low) * (value - left) / (right - left)


class Weights(NamedTuple):
    """All of them by cause; `prior` by cause and open link, in nats; `temperature`, fitted on sources that were left
    out, takes back what signs say twice; `found`: how likely a cause has to be to be told as found; `usual`:
    between which values of a sign nine of ten sound runs lie."""

    prior: dict[str, dict[str, float]]
    signs: dict[str, tuple[Weight, ...]]
    temperature: float
    found: float
    usual: dict[str, tuple[float, float]]


NONE = Weights({}, {}, 1.0, 1.0, {})  # the rules in their order


@lru_cache(maxsize=1)
def shipped() -> Weights:
    return read(json.loads(FILE.read_text(encoding="utf-8")))


def read(found: dict[str, Any]) -> Weights:
    signs = {
        name: tuple(Weight(**{**one, "places": tuple(one["places"]), "nats": tuple(one["nats"])}) for one in listed)
        for name, listed in found["signs"].items()
    }
    return Weights(found["prior"], signs, found["temperature"], found["found"], found["usual"])


class Weighed(NamedTuple):
    """By code, how likely the cause is that it names, and the signs that speak most for it."""

    likely: dict[str, float]
    signs: dict[str, tuple[Speaks, ...]]


def weigh(case: Case, found: Iterable[Finding], weights: Weights) -> Weighed:
    """`found` by the rules. Nothing of a run without errors or of bare numbers, and nothing by weights that are
    none."""
    if case.run is None or case.errors is None or not weights.prior:
        return Weighed({}, {})
    values, found = read_off(case, found), list(found)
    causes = posterior(values, open_link(case), weights)
    signs = {}
    for code in {finding.code for finding in found}:
        named = [name for name in causes if name in CAUSES and code in CAUSES[name].codes]
        if named:
            signs[code] = speaking(max(named, key=lambda name: causes[name]), values, weights)
    return Weighed(by_code(causes), signs)


def speaking(cause: str, values: Mapping[str, float], weights: Weights) -> tuple[Speaks, ...]:
    """The signs that say most for a cause, the strongest first."""
    said = parts(cause, values, weights)
    loud = [name for name, nats in said.items() if name in weights.usual and nats >= LEAST]
    told = []
    for name in sorted(loud, key=lambda name: -said[name])[:TOLD]:
        value, low, high = (SIGNS[name].natural(one) for one in (values[name], *weights.usual[name]))
        told.append(Speaks(SIGNS[name].title, value, low, high, round(math.exp(said[name]), 1)))
    return tuple(told)


def read_off(case: Case, found: Iterable[Finding]) -> dict[str, float]:
    """All signs, which findings were seen and counted, and which of the others comes first in the recipe."""
    seen = [finding for finding in found if finding.status == "found"]
    codes, facts = {finding.code for finding in seen}, {finding.code for finding in seen if finding.fact}
    looked_for = [rule.code for rule in ORDER if not any(rule.unseen(case))]
    checks = {f"seen:{code}": float(code in codes) for code in looked_for}
    checks |= {f"fact:{code}": float(code in facts) for code in looked_for}
    first = next((code for code in looked_for if code in codes - facts), None)
    return signs_of(case) | checks | {f"first:{code}": float(code == first) for code in looked_for}


def open_link(case: Case) -> str:
    if case.fits_badly:
        return OPEN[0]
    return OPEN[1] if case.errs else OPEN[2]


def posterior(values: Mapping[str, float], link: str, weights: Weights) -> dict[str, float]:
    """By cause, and `sound`; they add up to 1. 0 for a cause that cannot be."""
    nats = {
        name: prior[link] + sum(parts(name, values, weights).values())
        for name, prior in weights.prior.items()
        if can_be(name, values)
    }
    most = max(nats.values())
    shares = {name: math.exp((value - most) / weights.temperature) for name, value in nats.items()}
    return dict.fromkeys(weights.prior, 0.0) | {name: share / sum(shares.values()) for name, share in shares.items()}


def can_be(cause: str, values: Mapping[str, float]) -> bool:
    above = CAUSES[cause].above if cause in CAUSES else {}
    return all(values.get(sign, math.inf) > limit for sign, limit in above.items())


def parts(cause: str, values: Mapping[str, float], weights: Weights) -> dict[str, float]:
    """What the signs say for or against a cause, in nats: of each group of signs the one that says most."""
    strongest: dict[int, tuple[str, float]] = {}
    for one in weights.signs.get(cause, ()):
        nats = one.of(values[one.sign]) if one.sign in values else 0.0
        if abs(nats) > abs(strongest.get(one.group, ("", 0.0))[1]):
            strongest[one.group] = one.sign, nats
    return dict(strongest.values())


def by_code(causes: Mapping[str, float]) -> dict[str, float]:
    """A code may name several causes: their probabilities add up. A cause has several codes: each of them has it."""
    found: dict[str, float] = {}
    for name, probability in causes.items():
        for code in CAUSES[name].codes if name in CAUSES else ():
            found[code] = found.get(code, 0.0) + probability
    return found


def weighed(code: str) -> str:
    """The signs of the causes that a finding names, each with how many times likelier it makes them at most, the
    strongest first; nothing where it is not weighed."""
    causes = [name for name, cause in CAUSES.items() if code in cause.codes]
    signs = {one.sign: one for name in causes for one in sorted(shipped().signs[name], key=lambda one: one.nats[-1])}
    strongest = sorted(signs.values(), key=lambda one: -one.nats[-1])
    lines = [
        f"  {math.exp(one.nats[-1]):4.1f} ×  {sign_text(one)}" for one in strongest if one.nats[-1] > WORTH_TELLING
    ]
    head = "What speaks for it, and how many times likelier it makes it at most, beside other causes and sound runs:"
    return "\n".join([head, *lines]) if lines else ""


def sign_text(weight: Weight) -> str:
    kind, _, code = weight.sign.rpartition(":")
    if kind:
        return {"seen": f"{code} is seen, by its limits", "fact": f"{code} was counted", "first": FIRST}[kind]
    return f"{'high' if weight.rises > 0 else 'low'}: {SIGNS[weight.sign].title}"
