"""Grows the forest that weighs signs on the packed runs, and says how well it does on sources of images left out.

    python benchmarks/random_worlds/fit.py [--worlds 0-39] [--ship]

Needs scikit-learn and no Keras. --ship writes src/improve/diagnosis/forest.json, which a diagnosis reads without it.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
from kinds import KINDS
from packing import PACKED
from scored import Known, Tried, packed_runs
from sklearn.ensemble import RandomForestClassifier
from world import numbers

from improve.diagnosis import weighing
from improve.diagnosis.causes import CAUSES
from improve.diagnosis.certainty import WEIGHED
from improve.diagnosis.diagnose import case_of, look
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Finding
from improve.diagnosis.forest import FILE, LEAF, Forest, added, shares
from improve.diagnosis.signs import SIGNS
from improve.diagnosis.weighing import SOUND, posterior
from improve.runs import files

TREES = 200
LIMITS = {"batch_norm", weighing.ABOVE_PEOPLE}  # signs that say where a cause cannot be, and nothing else
FAR = 20.0  # beyond it a sign says no more
FEWEST = 8  # sound runs that tell what is usual
CURVES, POINTS = 4, 5  # signs of a cause whose curves are kept, and points of one
CALIBRATED, ALARMS, BAND = 0.8, 1 / 300, 0.1
BARS = (0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995)
SHARPNESS, FOR_SOUND = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0), (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
#: kinds whose first code does not name their cause
NAMED = {
    "starts_tiny": "start_too_small", "starts_constant": "start_too_small", "squashed_and_deep": "flat_activations",
    "wrong_validation_labels": "wrong_validation_labels",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One run: what is known of it, its signs, and by code whether what was seen is true; None where no change was
    tried that could say so."""

    known: Known
    values: dict[str, float]
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
    parser.add_argument("--ship", action="store_true", help="write forest.json")
    arguments = parser.parse_args()
    wanted = None if arguments.worlds is None else {f"w{number:03d}" for number in arguments.worlds}
    rows = observed(wanted)
    fitted = by_source(rows)
    right = [first_right(row, fitted[row.known.source]) for row in rows if row.known.is_fault]
    one = next(iter(fitted.values()))
    print(f"{len(rows)} runs, sharpness {one.sharpness}, sound × {one.sound}, found from {one.found} on")
    print(f"of {len(right)} faults the likeliest cause is right in {100 * np.mean(right):.0f} %, on sources left out")
    if arguments.ship:
        whole = replace(grown(rows), sharpness=one.sharpness, sound=one.sound, found=one.found, usual=usual(rows))
        found = shipped(replace(whole, curves=curves(whole, rows)), rows)
        files.write_text(FILE, json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n")


def observed(wanted: set[str] | None) -> list[Row]:
    """Every packed run that has measured its errors, with its signs."""
    rows = []
    for known, found, tried in packed_runs(wanted):
        if found.has_result:
            case = case_of(found)
            seen = look(ORDER, case)
            true = {one.code: is_true(known, one, tried) for one in seen if one.status == "found"}
            rows.append(Row(known, weighing.read_off(case, seen), true))
    return rows


def is_true(known: Known, finding: Finding, tried: Tried | None) -> bool | None:
    """Whether a finding is right: its cause was put in; or its change pays in a sound run. None where nobody knows."""
    if known.is_fault:
        return finding.code in known.causes
    if not known.is_sound or tried is None:
        return None
    return tried.pays(finding.changes[0]) if finding.changes else False


def by_source(rows: list[Row]) -> dict[str, Forest]:
    """For each source of images the forest that was grown without it. They share three numbers that were chosen by what
    they say of the sources left out: the two that make shares probabilities, and from where on a cause is found."""
    sources = {row.known.source for row in rows}
    fitted = {source: grown([row for row in rows if row.known.source != source]) for source in sources}
    sharpness, sound = calibrated(rows, fitted)
    fitted = {source: replace(forest, sharpness=sharpness, sound=sound) for source, forest in fitted.items()}
    surely = found_from(rows, fitted)
    return {source: replace(forest, found=surely) for source, forest in fitted.items()}


def grown(rows: list[Row]) -> Forest:
    """A random forest in which all causes weigh the same. What is missing is the median while it grows, for most of
    it is missing at random; where it is asked, it says nothing."""
    rows = [row for row in rows if row.cause]
    names = sorted({name for row in rows for name in row.values} - LIMITS)
    signs = [weighing.loud(row.values) for row in rows]
    values = np.array([[one.get(name, np.nan) for name in names] for one in signs])
    values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values).clip(-FAR, FAR)
    growing = RandomForestClassifier(TREES, class_weight="balanced", random_state=0)
    return forest_of(growing.fit(values, [row.cause for row in rows]), names)


def forest_of(found: Any, names: list[str]) -> Forest:
    """The trees of scikit-learn, one after the other. It lays a tree down from the left, each node before those below
    it."""
    roots: list[int] = []
    sign: list[int] = []
    value: list[float] = []
    after: list[int] = []
    for tree in (one.tree_ for one in found.estimators_):
        root = len(sign)
        roots.append(root)
        leaf = tree.children_left == LEAF
        sign += np.where(leaf, LEAF, tree.feature).tolist()
        value += [float(f"{one:.6g}") for one in np.where(leaf, tree.weighted_n_node_samples, tree.threshold)]
        after += np.where(leaf, tree.value[:, 0].argmax(axis=1), tree.children_right + root).tolist()
    return Forest(names, found.classes_.tolist(), roots, sign, value, after)


def first_right(row: Row, forest: Forest) -> bool:
    likely = posterior(row.values, forest)
    named = max(CAUSES, key=lambda cause: likely.get(cause, 0.0))
    return bool(set(CAUSES[named].codes) & set(row.known.causes))


def calibrated(rows: list[Row], fitted: dict[str, Forest]) -> tuple[float, float]:
    """Sharpness, and the factor for sound runs, with the least log loss on sources that were left out; sound runs and
    faults count as much."""
    known = [(row, shares(fitted[row.known.source], weighing.loud(row.values))) for row in rows if row.cause]
    return min(product(SHARPNESS, FOR_SOUND), key=lambda pair: log_loss(known, *pair))


def log_loss(known: list[tuple[Row, dict[str, float]]], sharpness: float, sound: float) -> float:
    losses: dict[bool, list[float]] = {True: [], False: []}
    for row, named in known:
        given = weighing.chances(named, row.values, sharpness, sound).get(row.cause or "", 0.0)
        losses[row.cause == SOUND].append(-float(np.log(max(given, 1e-9))))
    return float(np.mean([np.mean(each) for each in losses.values() if each]))


def found_from(rows: list[Row], fitted: dict[str, Forest]) -> float:
    """How likely a cause has to be to be told as found: four of five are true then, and of sound runs one in 300 gets a
    false alarm at most, on sources that were left out."""
    told, alarms = list[tuple[float, bool]](), list[float]()
    for row in rows:
        likely = weighing.by_code(posterior(row.values, fitted[row.known.source]))
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


def usual(rows: list[Row]) -> dict[str, tuple[float, float]]:
    """Between which values of each sign nine of ten sound runs lie."""
    found = {}
    for name in SIGNS:
        values = [row.values[name] for row in rows if row.known.is_sound and name in row.values]
        if len(values) >= FEWEST:
            low, high = np.quantile(values, [0.05, 0.95])
            found[name] = (float(f"{low:.4g}"), float(f"{high:.4g}"))
    return found


def curves(forest: Forest, rows: list[Row]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """By cause, the signs that add most to it in the runs that have it, and how its share goes with each alone."""
    told = {}
    for cause in CAUSES:
        mine, gains = [row for row in rows if row.cause == cause], defaultdict[str, float](float)
        for row in mine:
            for name, share in added(forest, weighing.loud(row.values), cause).items():
                gains[name] += share / len(mine)
        strongest = sorted(gains, key=lambda name: -gains[name])[:CURVES]
        told[cause] = {name: curve(forest, cause, name, rows) for name in strongest}
    return told


def curve(forest: Forest, cause: str, name: str, rows: list[Row]) -> list[tuple[float, float]]:
    """The share of a cause at values from the lowest to the highest that this sign has in the runs with it and in the
    others, where nothing else is known."""
    known = [(weighing.loud(row.values)[name], row.cause == cause) for row in rows if name in row.values]
    mine, every = [value for value, its in known if its], [value for value, _ in known]
    levels = np.linspace(0, 1, POINTS)
    places = np.unique(np.concatenate([np.quantile(each, levels) for each in (mine, every)]).round(4)).tolist()
    return [(place, round(shares(forest, {name: place})[cause], 4)) for place in places]


def shipped(forest: Forest, rows: list[Row]) -> dict[str, Any]:
    """The content of forest.json."""
    worlds = sorted({row.known.world for row in rows})
    about = {"made": datetime.date.today().isoformat(), "worlds": worlds, "digest": digest(worlds), "runs": len(rows)}
    return about | {one.name: getattr(forest, one.name) for one in fields(forest)}


def digest(worlds: list[str]) -> str:
    """Of the packs that they were fitted to."""
    packs = [(PACKED / f"{world}.tar.xz").read_bytes() for world in worlds]
    return hashlib.sha256(b"".join(packs)).hexdigest()[:16]


if __name__ == "__main__":
    main()
