"""Does it work where it is used?"""

from __future__ import annotations

import math

from improve.diagnosis.bias_variance import SLACK, Gap, gap_between
from improve.diagnosis.findings.edits import with_augmentation
from improve.diagnosis.findings.indicators import errs_more
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule, gap_points
from improve.lazy import np
from improve.statistics.intervals import Rate, difference
from improve.statistics.significance import holm

SLICES = 4  # quarters of the validation images by light, and by contrast
WORSE = 0.1  # a slice's error above the others', at the lower end of its interval
WEAK_P = 0.01
COVERED = 0.5  # of the images must still be answered


def field_rate(case: Case) -> Rate | None:
    """The error in the field: as the spec gives it, else as it was measured last."""
    value = case.setting("diagnosis.field_error")
    if value is not None:
        return Rate(value, case.setting("diagnosis.field_n"))
    return case.evidence.field(case.run.summary) if case.run else None


def field_gap(case: Case) -> Gap | None:
    """The field error above the test error (or the validation error, while the test set is sealed)."""
    field = field_rate(case)
    if field is None or case.errors is None:
        return None
    return gap_between(field, case.errors.test or case.errors.validation, case.errors, share=False)


class FieldError(Rule):
    """It errs more where it is used than on the test set (or the validation set, while the test set is sealed).

    Seen as: `diagnosis.field_error` (measured on `field_n` images from the field), or what `improve evaluate` measured
    last where the spec gives none, above it by at least 2 points, and not by chance. Fix: a validation and a test set
    that look like the field, or another metric; then train again.
    """

    code, name, title, link = "W1", "field_error", "it errs more where it is used", "real world"

    def look(self, case: Case) -> Finding | None:
        field, gap = field_rate(case), field_gap(case)
        if field is None or gap is None or gap.verdict != "high":
            return None
        known = field.value - gap.value
        return self.found(
            f"{100 * field.value:.1f} % in the field, {100 * known:.1f} % here: {gap_points(gap)} apart",
            harm=gap.value,
            evidence={"field": field.value, "known": known, "low": gap.low, "high": gap.high, "n": field.n},
            rivals=("M1", "S1"),
            confirm="look at 100 wrong images from the field",
        )


class WeakSlice(Rule):
    """It fails on one kind of images: the darkest, the brightest, those of little or of much contrast.

    Seen as: a quarter of the validation images, by brightness or contrast, with an error surely 10 points above that of
    the others (interval; one-sided Fisher test, p < 0.01 after Holm) and at least twice it. Fix: training images of
    that kind, or an augmentation that makes some.
    """

    code, name, title, link = "W2", "weak_slice", "it fails on one kind of images", "real world"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        worst = max(self.slices(case), key=lambda found: found[1], default=None)
        if worst is None:
            return None
        name, low, error, others, n = worst
        return self.found(
            f"validation error {100 * error:.1f} % on the quarter with the {name} (n={n:,}), {100 * others:.1f} % on "
            "the others",
            harm=(error - others) / SLICES,
            evidence={"slice": name, "error": error, "others": others, "low": low, "n": n},
            changes=self.changes(case, name),
            confirm="look at 50 of them",
        )

    @staticmethod
    def changes(case: Case, name: str) -> tuple[Change, ...]:
        """Training images of that kind, made from those that are there."""
        if case.setting("augmentation"):
            return ()
        varied = [{"name": "brightness" if name.endswith("light") else "contrast"}]
        return (with_augmentation(case, varied, "makes training images of that kind"),)

    @staticmethod
    def slices(case: Case) -> list[tuple[str, float, float, float, int]]:
        """The slices of the validation images that fail: name, lower end of the difference, error, error of the others,
        n."""
        seen, images = case.evidence.best("validation"), case.evidence.images
        if seen is None or len(images.get("validation_brightness", ())) != len(seen.label) or len(seen.label) < 100:
            return []
        cut = []
        for what, word in (("brightness", "light"), ("contrast", "contrast")):
            values = images[f"validation_{what}"]
            low, high = np.quantile(values, (1 / SLICES, 1 - 1 / SLICES))
            cut += [(f"least {word}", values <= low), (f"most {word}", values >= high)]
        wrong = seen.wrong
        counts = [(int(wrong[at].sum()), int(at.sum()), int(wrong[~at].sum()), int((~at).sum())) for _, at in cut]
        p = holm([errs_more(wrong, at) for _, at in cut])
        found = []
        for (name, _), (errors, n, rest, others), chance in zip(cut, counts, p, strict=True):
            one, other = Rate(errors / n, n), Rate(rest / max(others, 1), others)
            low = difference(one, other)[0] if others else 0.0
            if chance < WEAK_P and low >= WORSE and one.value >= 2 * other.value:
                found.append((name, low, one.value, other.value, n))
        return found


class HiddenByTheMetric(Rule):
    """The error looks good because common classes hide rare ones.

    Seen as: the mean of the errors of the validation classes is 5 points or more above the plain error, the commonest
    class has three times as many validation images as the rarest, and a rare class errs more than the others (one-sided
    Fisher test, p < 0.01 after Holm). Fix: judge by the error that your use has a price for; weigh the classes.
    """

    code, name, title, link = "W3", "hidden_by_the_metric", "common classes hide rare ones", "real world"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        answers = case.evidence.best("validation")
        if answers is None:
            return None
        present, counts = np.unique(answers.label, return_counts=True)
        by_class = np.array([answers.wrong[answers.label == k].mean() for k in present])
        plain, balanced = float(answers.wrong.mean()), float(by_class.mean())
        if counts.max() < 3 * counts.min() or balanced - plain < 0.05 - SLACK:
            return None
        p = holm([errs_more(answers.wrong, answers.label == k) for k in present])
        if min(p) >= WEAK_P:
            return None
        return self.found(
            f"validation error {100 * plain:.1f} %, but {100 * balanced:.1f} % as the mean over {len(present)} classes "
            f"(n={len(answers.label):,})",
            harm=0.0,
            evidence={"error": plain, "balanced": balanced, "p": min(p), "n": len(answers.label)},
            rivals=("V5",),
            confirm="ask what an error on each class costs",
        )


class Abstention(Rule):
    """It misses the target, but would meet it if it could say "I don't know".

    Seen as: a `target_error` that the validation error surely misses, while the error on the images it is surest of, at
    least half of them, surely meets it (interval). Fix: hand the rest to a person.
    """

    code, name, title, link = "W4", "abstention", "it meets the target where it may abstain", "real world"

    def look(self, case: Case) -> Finding | None:
        seen, target = case.evidence.best("validation"), case.errors.target if case.errors else None
        if seen is None or case.errors is None or target is None or case.errors.validation.interval()[0] <= target:
            return None
        surest = np.argsort(-seen.probability.max(axis=1), kind="stable")
        wrong = np.cumsum(seen.wrong[surest])
        least = math.ceil(COVERED * len(wrong))
        for n in [*range(len(wrong), least, -max(1, len(wrong) // 100)), least]:
            low, high = Rate(float(wrong[n - 1] / n), n).interval()
            if high <= target:
                return self.covered(n, float(wrong[n - 1] / n), (low, high), target, len(wrong))
        return None

    def covered(self, n: int, value: float, interval: tuple[float, float], target: float, total: int) -> Finding:
        return self.found(
            f"on the {100 * n / total:.0f} % of the validation images that it is surest of, it errs on "
            f"{100 * value:.1f} % [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}] (n={n:,}); the target is "
            f"{100 * target:.1f} %",
            harm=0.0,
            evidence={"coverage": n / total, "error": value, "interval": list(interval), "target": target, "n": n},
            confirm="ask what an answer by a person costs",
        )
