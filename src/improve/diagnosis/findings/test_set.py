"""Does the validation error hold on the test set?"""

from __future__ import annotations

import math
from dataclasses import replace

from improve.diagnosis.bias_variance import Gap
from improve.diagnosis.findings.mismatch import differences
from improve.diagnosis.findings.readable import larger_validation
from improve.diagnosis.findings.rule import Case, Finding, Rule, gap_points, gap_sentence
from improve.diagnosis.findings.simple_models import apart_rate, surely_apart
from improve.diagnosis.findings.validation import DROP
from improve.statistics.intervals import Rate
from improve.statistics.significance import expected_optimism

CHOSEN = 5  # specs tried on one validation set, from where on choosing can have fitted it
ALIKE = (
    "test images are harder than validation images, though nothing that was measured of them differs: they come from "
    "elsewhere, or validation images are close to training images (the same person, the same object)"
)
ENOUGH = 0.05  # width of the test error's interval to either side


def test_gap(case: Case) -> Gap | None:
    """Test − validation error where it is high; None unless the test set was opened."""
    gap = case.gaps.validation_overfit if case.gaps else None
    return gap if case.errors and case.errors.test and gap and gap.verdict == "high" else None


def tried(case: Case) -> int:
    """How many different specs were judged by this validation set."""
    return case.run.neighbourhood.tried if case.run else 0


def few_tried(case: Case) -> bool:
    """Choosing among the specs cannot have fitted the validation set. Of bare numbers nobody knows."""
    return case.run is not None and tried(case) < CHOSEN


def optimism(case: Case) -> float:
    """What the best of that many equals looks better by, by chance: E[max of k] · √(e(1−e)/n)."""
    if case.errors is None or not case.errors.validation.n:
        return 0.0
    spread = case.errors.validation.variance_per_example / case.errors.validation.n
    return expected_optimism(max(1, tried(case))) * math.sqrt(spread)


class ValidationOverfit(Rule):
    """The test error is well above the validation error: the choices made so far fit the validation set by chance.

    Seen as: test error − validation error is high, looked at only with `improve diagnose --test`; and five or more
    specs were judged by this validation set. (With fewer, choosing cannot explain it: S4.) Fix: a larger validation
    set, and a test set that no choice has seen. Choosing among k equals promises E[max of k] · √(e(1−e)/n) too much:
    1.2 standard errors for 5, 2.5 for 100.
    """

    code, name, title, link = "S1", "validation_overfit", "the validation set was fitted by choosing", "test"

    def look(self, case: Case) -> Finding | None:
        gap = test_gap(case)
        if gap is None or case.errors is None or case.errors.test is None or few_tried(case):
            return None
        choices = {"tried": tried(case), "optimism": optimism(case)}
        above_validation = gap_sentence("test", case.errors.test, gap, "the validation error")
        worth = f"; {tried(case)} specs were judged by it, which is worth {100 * optimism(case):.1f} points"
        return self.found(
            above_validation + (worth if case.run else ""),
            harm=gap.value,
            evidence={"validation_overfit": gap._asdict(), **choices, "n": case.errors.test.n},
            changes=larger_validation(case),
            rivals=("S4",),
            confirm="measure once more on a validation set that no choice has seen",
        )


def shifted(case: Case) -> dict[str, float]:
    """The looks in which test images differ from validation images, as `differences` gives them; none where choosing
    explains the gap."""
    return {} if tried(case) >= CHOSEN else differences(case, "validation", "test")


def odd_validation(case: Case) -> bool:
    """It is the validation images that look otherwise than all others."""
    return bool(differences(case, "train", "validation")) and not differences(case, "train", "test")


def apart_from_training(case: Case, part: str) -> Rate | None:
    """The error of telling a part from the training images, where that surely is possible."""
    found = case.evidence.start.get("baselines") or {}
    other = (found.get("others") or {}).get(part)
    rate = apart_rate(found, other) if other else None
    return rate if rate is not None and surely_apart(rate) else None


class TestShift(Rule):
    """Test images are of another kind than validation images, so the validation error does not speak for them.

    Seen as: brightness or contrast of the test images differs from that of the validation images by half a standard
    deviation or more, or a linear model tells them from the training images, as it does not tell validation images
    (neither needs a label); where the test set was opened, its error is higher as well. Or that error is surely higher,
    and too few specs were tried for choosing to explain it. Fix: validation images from where the test images come
    from.
    """

    code, name, title, link = "S4", "test_shift", "test images are of another kind", "test"

    def look(self, case: Case) -> Finding | None:
        differing, gap, few = shifted(case), test_gap(case), few_tried(case)
        apart = None if apart_from_training(case, "validation") else apart_from_training(case, "test")
        opened = case.errors is not None and case.errors.test is not None
        if not few or (opened and gap is None) or not (differing or apart or opened):
            return None
        words = [f"{what} by {size:+.1f} sd" for what, size in differing.items()]
        words += [f"a linear model tells them by their pixels ({100 * apart.value:.0f} % wrong)"] if apart else []
        of_validation = bool(words) and apart is None and odd_validation(case)
        who = (
            "validation images differ from test and training" if of_validation else "test images differ from validation"
        )
        found = self.found(
            (f"{who} images: {', '.join(words)}" if words else ALIKE)
            + (f"; the gap is {gap_points(gap)}" if gap else ""),
            harm=gap.value if gap else 0.0,
            evidence={"differing": differing, "apart": apart and apart.value, "gap": gap._asdict() if gap else None},
            confirm="look at 20 images of each; improve diagnose --test measures what it costs",
        )
        return replace(found, title="validation images are of another kind") if of_validation else found


class TestDuplicates(Rule):
    """Test images are among the images that were trained on or chosen by, so the test error is no test.

    Seen as: hashes of the pixels: at least 3 test images and half a percent of them are training or validation images.
    Fix: take them out (`data.duplicates: drop` takes them out of training).
    """

    code, name, title, link = "S2", "test_duplicates", "test images were seen before", "test"

    def look(self, case: Case) -> Finding | None:
        found, n = case.data.duplicates, case.data.examples.get("test", 0)
        counts = {part: found.get(f"test in {part}", 0) for part in ("train", "validation")}
        if not n or sum(counts.values()) < max(3, 0.005 * n):
            return None
        return self.found(
            f"of {n:,} test images, {counts['train']:,} are training images and {counts['validation']:,} validation "
            "images, pixel for pixel",
            harm=sum(counts.values()) / n / 2,
            evidence={"duplicates": counts, "n": n},
            changes=() if case.setting("data.duplicates") == "drop" or not counts["train"] else (DROP,),
            confirm="train without them",
        )


class TestTooSmall(Rule):
    """The test set is too small to say what error to expect.

    Seen as: the 95 % interval of the test error reaches more than 5 points to one side, looked at only with
    `improve diagnose --test`. 1,000 images give ±1.9 points at an error of 10 %. Fix: a larger test share.
    """

    code, name, title, link = "S3", "test_too_small", "the test set is too small", "test"

    def look(self, case: Case) -> Finding | None:
        test = case.errors.test if case.errors else None
        if test is None or test.n is None:
            return None
        low, high = test.interval()
        reach = max(high - test.value, test.value - low)
        if reach <= ENOUGH:
            return None
        needed = math.ceil(test.n * (reach / ENOUGH) ** 2)
        return self.found(
            f"{100 * test.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}] at n={test.n:,}; about {needed:,} test "
            "images would tell it to within 5 points",
            harm=0.0,
            status="not_enough_evidence",
            evidence={"error": test.value, "low": low, "high": high, "n": test.n, "needed": needed},
        )
