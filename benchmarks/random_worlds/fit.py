"""Fits the weights of evidence to the packed runs, and says how well they do on sources of images that were left out.

    python benchmarks/random_worlds/fit.py [--worlds 0-39] [--ship]

Needs scikit-learn and no Keras. --ship writes src/improve/diagnosis/weights.json, which a diagnosis reads without it.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from kinds import KINDS
from packing import PACKED
from scored import Known, Tried, packed_runs
from sklearn.isotonic import IsotonicRegression
from world import numbers

from improve.diagnosis import weights as evidence
from improve.diagnosis.causes import CAUSES
from improve.diagnosis.certainty import WEIGHED
from improve.diagnosis.diagnose import case_of, look
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Finding
from improve.diagnosis.signs import SIGNS
from improve.diagnosis.weights import OPEN, SOUND, Weights, posterior
from improve.runs import files

BINS = 6  # of a sign, each with as many runs
DRAWN, MOST = 4.0, 3.5  # runs that say nothing, added to each bin; nats of one sign at most
CHECKED = (1.0, 1.0, 1.0, 0.0)  # runs that are taken to have been seen of each cause: its own check is mostly right
FEWEST, OTHERS = 3, 8  # runs with a cause, and others, to weigh a sign by
CALIBRATED, ALARMS, BAND = 0.8, 1 / 300, 0.1
BARS = (0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995)
TEMPERATURES = np.geomspace(0.5, 4, 19)
#: kinds whose first code does not name their cause
NAMED = {
    "starts_tiny": "start_too_small", "starts_constant": "start_too_small", "squashed_and_deep": "flat_activations",
    "wrong_validation_labels": "wrong_validation_labels",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One run: what is known of it, its signs, its open link, and by code whether what was seen is true; None where no
    change was tried that could say so."""

    known: Known
    values: dict[str, float]
    link: str
    true: dict[str, bool | None]

    @property
    def cause(self) -> str | None:
        """None where it is not clear: of two faults, and of a fault that does no harm."""
        if self.known.is_sound:
            return SOUND
        return cause_of(self.known.kinds[0]) if self.known.is_fault and len(self.known.kinds) == 1 else None


def cause_of(kind: str) -> str:
    code = KINDS[kind].causes[0]
    return NAMED.get(kind) or next(name for name, cause in CAUSES.items() if cause.codes[0] == code)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=numbers, help="these alone, such as 3-39")
    parser.add_argument("--ship", action="store_true", help="write weights.json")
    arguments = parser.parse_args()
    wanted = None if arguments.worlds is None else {f"w{number:03d}" for number in arguments.worlds}
    rows = observed(wanted)
    fitted = by_source(rows)
    right = [first_right(row, fitted[row.known.source]) for row in rows if row.known.is_fault]
    one = next(iter(fitted.values()))
    print(f"{len(rows)} runs, temperature {one.temperature:.2f}, found from {one.found} on; of {len(right)} faults the "
          f"likeliest cause is right in {100 * np.mean(right):.0f} % on sources that were left out")  # fmt: skip
    if arguments.ship:
        whole = fit(rows)._replace(temperature=one.temperature, found=one.found, usual=usual(rows))
        files.write_json(evidence.FILE, shipped(whole, rows))


def observed(wanted: set[str] | None) -> list[Row]:
    """Every packed run that has measured its errors, with its signs."""
    rows = []
    for known, found, tried in packed_runs(wanted):
        if found.has_result:
            case = case_of(found)
            seen = look(ORDER, case)
            true = {one.code: is_true(known, one, tried) for one in seen if one.status == "found"}
            rows.append(Row(known, evidence.read_off(case, seen), evidence.open_link(case), true))
    return rows


def is_true(known: Known, finding: Finding, tried: Tried | None) -> bool | None:
    """Whether a finding is right: its cause was put in; or its change pays in a sound run. None where nobody knows."""
    if known.is_fault:
        return finding.code in known.causes
    if not known.is_sound or tried is None:
        return None
    return tried.pays(finding.changes[0]) if finding.changes else False


def by_source(rows: list[Row]) -> dict[str, Weights]:
    """For each source of images the weights that were fitted without it. They share two numbers that were chosen by
    what they say of the sources left out: the temperature, and from where on a cause is found."""
    sources = {row.known.source for row in rows}
    fitted = {source: fit([row for row in rows if row.known.source != source]) for source in sources}
    temperature = best_temperature(rows, fitted)
    fitted = {source: weights._replace(temperature=temperature) for source, weights in fitted.items()}
    surely = found_from(rows, fitted)
    return {source: weights._replace(found=surely) for source, weights in fitted.items()}


def first_right(row: Row, weights: Weights) -> bool:
    likely = posterior(row.values, row.link, weights)
    named = max(CAUSES, key=lambda cause: likely.get(cause, 0.0))
    return bool(set(CAUSES[named].codes) & set(row.known.causes))


def usual(rows: list[Row]) -> dict[str, tuple[float, float]]:
    """Between which values of each sign nine of ten sound runs lie."""
    found = {}
    for name in SIGNS:
        values = [row.values[name] for row in rows if row.known.is_sound and name in row.values]
        if len(values) >= OTHERS:
            low, high = np.quantile(values, [0.05, 0.95])
            found[name] = (float(f"{low:.4g}"), float(f"{high:.4g}"))
    return found


def best_temperature(rows: list[Row], fitted: dict[str, Weights]) -> float:
    """The one with the least log loss on sources that were left out; sound runs and faults count as much."""
    return float(min(TEMPERATURES, key=lambda temperature: log_loss(rows, fitted, float(temperature))))


def log_loss(rows: list[Row], fitted: dict[str, Weights], temperature: float) -> float:
    losses: dict[bool, list[float]] = {True: [], False: []}
    for row in rows:
        if row.cause:
            weights = fitted[row.known.source]._replace(temperature=temperature)
            given = posterior(row.values, row.link, weights)[row.cause]
            losses[row.cause == SOUND].append(-float(np.log(max(given, 1e-9))))
    return float(np.mean([np.mean(each) for each in losses.values() if each]))


def found_from(rows: list[Row], fitted: dict[str, Weights]) -> float:
    """How likely a cause has to be to be told as found: four of five are true then, and of sound runs one in 300 gets a
    false alarm at most, on sources that were left out."""
    told, alarms = list[tuple[float, bool]](), list[float]()
    for row in rows:
        weights = fitted[row.known.source]
        likely = evidence.by_code(posterior(row.values, row.link, weights))
        known = {
            code: true for code, true in row.true.items() if code in WEIGHED and code in likely and true is not None
        }
        told += [(likely[code], true) for code, true in known.items()]
        if row.known.is_sound and None not in row.true.values():
            alarms.append(max((likely[code] for code, true in known.items() if not true), default=0.0))
    return next((float(bar) for bar in BARS if reliable(bar, told) and np.mean(np.array(alarms) >= bar) <= ALARMS), 1.0)


def reliable(bar: float, told: list[tuple[float, bool]]) -> bool:
    """Whether of what is told with little more than this probability enough is true."""
    true = [true for given, true in told if bar <= given < bar + BAND]
    return not true or float(np.mean(true)) >= CALIBRATED


def fit(rows: list[Row]) -> Weights:
    """The weights that these runs give, at a temperature of 1."""
    rows = [row for row in rows if row.cause]
    causes = np.array([row.cause for row in rows])
    share = {cause: 1 / np.sqrt((causes == cause).sum()) for cause in set(causes)}
    weight = np.array([share[cause] for cause in causes])
    signs = {name: tuple(weights_of(name, rows, causes, weight)) for name in CAUSES}
    prior = {name: priors(name, rows, causes, weight) for name in (*CAUSES, SOUND)}
    return Weights(prior, signs, 1.0, 1.0, {})


def weights_of(name: str, rows: list[Row], causes: Any, weight: Any) -> Iterator[evidence.Weight]:
    for sign, group, rises in CAUSES[name].signs:
        values = rises * np.array([row.values.get(sign, np.nan) for row in rows])
        known, mine = np.isfinite(values), causes == name
        of_cause = values[known & mine]
        if sign.startswith("seen:"):
            of_cause = np.concatenate([of_cause, CHECKED])
        others = known & ~mine
        if len(of_cause) >= FEWEST and others.sum() >= OTHERS:
            places, nats = log_ratio(of_cause, values[others], weight[others])
            yield evidence.Weight(sign, group, rises, tuple(places), tuple(nats))


def log_ratio(of_cause: Any, others: Any, weight: Any) -> tuple[list[float], list[float]]:
    """Points of a rising line, drawn towards 0: the middles of bins, and ln P(bin | cause) / P(bin | others)."""
    weight = weight / weight.sum()
    every = np.concatenate([of_cause, others])
    each = np.concatenate([np.full(len(of_cause), 1 / len(of_cause)), weight])
    knots = cuts(every, each)
    bins = len(knots) + 1
    counts = np.bincount(np.searchsorted(knots, of_cause, side="right"), minlength=bins)
    rest = np.bincount(np.searchsorted(knots, others, side="right"), weight, minlength=bins) * len(others)
    both = (counts / len(of_cause) + rest / len(others)) / 2
    mine, other = (
        (part + DRAWN * both) / (size + DRAWN) for part, size in ((counts, len(of_cause)), (rest, len(others)))
    )
    there = both > 0
    nats = np.log(mine[there] / other[there]).clip(-MOST, MOST)
    rising = IsotonicRegression().fit_transform(np.arange(len(nats)), nats, sample_weight=(counts + rest)[there])
    inside = np.searchsorted(knots, every, side="right")
    middles = [middle(every[inside == place], each[inside == place]) for place in np.flatnonzero(there)]
    return [float(f"{place:.4g}") for place in middles], [round(float(step), 3) for step in rising]


def middle(values: Any, weight: Any) -> float:
    """The weighted median."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)])


def cuts(values: Any, weight: Any) -> Any:
    """Where bins of equal weight begin."""
    order = np.argsort(values)
    places = np.searchsorted(np.cumsum(weight[order]) / weight.sum(), np.arange(1, BINS) / BINS)
    return np.unique(values[order][np.minimum(places, len(values) - 1)])


def priors(name: str, rows: list[Row], causes: Any, weight: Any) -> dict[str, float]:
    """By open link: ln of how much more often it is open with this cause than without."""
    links, mine = np.array([row.link for row in rows]), causes == name
    with_it = np.array([(mine & (links == link)).sum() + 0.5 for link in OPEN])
    without = np.array([weight[~mine & (links == link)].sum() + 0.01 for link in OPEN])
    nats = np.log(with_it / with_it.sum()) - np.log(without / without.sum())
    return {link: round(float(value), 3) for link, value in zip(OPEN, nats, strict=True)}


def shipped(weights: Weights, rows: list[Row]) -> dict[str, Any]:
    """The content of weights.json."""
    worlds = sorted({row.known.world for row in rows})
    return {
        "made": datetime.date.today().isoformat(),
        "worlds": worlds,
        "digest": digest(worlds),
        "runs": len(rows),
        "temperature": round(weights.temperature, 3),
        "found": weights.found,
        "usual": weights.usual,
        "prior": weights.prior,
        "signs": {name: [weight._asdict() for weight in listed] for name, listed in weights.signs.items()},
    }


def digest(worlds: list[str]) -> str:
    """Of the packs that they were fitted to."""
    packs = [(PACKED / f"{world}.tar.xz").read_bytes() for world in worlds]
    return hashlib.sha256(b"".join(packs)).hexdigest()[:16]


if __name__ == "__main__":
    main()
