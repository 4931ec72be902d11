"""What else comes between training and validation images: leaks, rare classes, noise, over-confidence."""

from __future__ import annotations

from improve.diagnosis.findings.edits import gentle_augmentation, with_augmentation
from improve.diagnosis.findings.indicators import errs_more, part_of
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule
from improve.lazy import np
from improve.statistics.calibration import temperature
from improve.statistics.intervals import Rate, difference
from improve.statistics.significance import holm

DROP = Change("data.duplicates", "drop", "the error of new images is what counts")
LEAKED, LEAKED_IMAGES = 0.005, 3  # share of the validation images, and how many at least
IMBALANCE = 5.0  # images of the commonest class for one of the rarest
WEAK_P = 0.05
OVERCONFIDENT, NATS = 0.75, 0.05  # cross-entropy after temperature scaling over that before; nats to be won
JUMPY = 2.5  # sd of the error from epoch to epoch over that of chance
LATE_HALF = 6  # epochs, to tell noise by


class Leak(Rule):
    """Validation images are among the training images, so the validation error looks better than it is.

    Seen as: hashes of the pixels: at least 3 validation images and half a percent of them are training images as well.
    Fix: take them out of one of the sets (`data.duplicates: drop` takes them out of training), and split by object or
    by person where several images show the same.
    """

    code, name, title, link = "V6", "leak", "validation images are among the training images", "validation"

    def look(self, case: Case) -> Finding | None:
        found = case.data.duplicates
        count, n = found.get("validation in train", 0), self.size(case)
        if count < LEAKED_IMAGES or not n or count < LEAKED * n:
            return None
        also = found.get("test in train", 0)
        rest = f"; {also:,} test images as well" if also else ""
        return self.found(
            f"{count:,} of {n:,} validation images are training images, pixel for pixel{rest}{honest(case)}",
            harm=count / n,
            evidence={"duplicates": found, "n": n},
            fact=True,
            changes=() if case.setting("data.duplicates") == "drop" else (DROP,),
            confirm="train without them",
        )

    @staticmethod
    def size(case: Case) -> int:
        return case.validated.n if case.validated else int(part_of(case, "validation").get("n") or 0)


def honest(case: Case) -> str:
    """The error on those validation images that it has not seen in training."""
    seen, images = case.evidence.best("validation"), case.evidence.images
    if seen is None or "validation_hash" not in images or len(images["validation_hash"]) != len(seen.label):
        return ""
    new = ~np.isin(images["validation_hash"], images.get("train_hash", ()))
    return f"; on the other {int(new.sum()):,} it errs on {100 * seen.wrong[new].mean():.1f} %" if new.any() else ""


class WeakClasses(Rule):
    """It fails on the classes that it saw little of.

    Seen as: five times as many training images of the commonest class as of the rarest, and a rarer class (under half
    of an even share), or all of these together, with a higher validation error than all the others (one-sided Fisher
    test, p < 0.05 after Holm).
    Fix: show every class equally often, or let errors on rare classes weigh more; best, more images of those classes.
    """

    code, name, title, link = "V5", "weak_classes", "it fails on rare classes", "validation"

    def look(self, case: Case) -> Finding | None:
        counts: list[int] = part_of(case, "train").get("classes") or []
        answers = case.evidence.best("validation")
        present = [count for count in counts if count]
        if answers is None or not present or max(present) < IMBALANCE * min(present):
            return None
        weak = self.weak(counts, answers)
        if not weak:
            return None
        rare = np.isin(answers.label, weak)
        worse, n = float(answers.wrong[rare].mean()), int(rare.sum())
        others = Rate(float(answers.wrong[~rare].mean()), int((~rare).sum()))
        low, high = difference(Rate(worse, n), others)
        return self.found(
            f"validation error {100 * worse:.1f} % on {len(weak)} rare classes (n={n:,}), {100 * others.value:.1f} % "
            f"on the others; their training images: {', '.join(str(counts[k]) for k in weak[:6])} of {sum(counts):,}",
            harm=(worse - others.value) * n / len(answers.label),
            evidence={"classes": weak, "counts": counts, "difference": [worse - others.value, low, high], "n": n},
            changes=self.changes(case),
            rivals=("M2",),
            confirm="train once with classes shown equally often",
        )

    @staticmethod
    def weak(counts: list[int], seen: object) -> list[int]:
        rare = [k for k, count in enumerate(counts) if 0 < count < 0.5 * sum(counts) / len(counts)]
        wrong, label = seen.wrong, seen.label  # type: ignore[attr-defined]
        p = holm([errs_more(wrong, label == k) for k in rare])
        weak = [k for k, value in zip(rare, p, strict=True) if value < WEAK_P]
        # of few images each no class may show it; all of them together may
        return weak or (rare if rare and errs_more(wrong, np.isin(label, rare)) < WEAK_P else [])

    @staticmethod
    def changes(case: Case) -> tuple[Change, ...]:
        """A rare image that is shown often is learned by heart, unless it is varied. Measured on digits, the rarest
        class with 2 % of its images, 2 seeds: validation error 24.5 % as it was, 13.9 % balanced, 8.1 % with both."""
        why = "every class is shown equally often"
        varied = () if case.setting("augmentation") else with_augmentation(case, gentle_augmentation(case), why).edits
        balanced = Change("training.sampling", "balanced", f"{why}, in more ways" if varied else why, varied)
        weighed = Change("training.class_weights", "balanced", "errors on rare classes weigh more")
        return tuple(change for change in (balanced, weighed) if case.setting(change.path) != "balanced")


class Overconfident(Rule):
    """It is surer than it should be: the probabilities are no longer to be trusted, though the answers may be.

    Seen as: dividing the logits by one temperature lowers the validation cross-entropy by a quarter, and by 0.05 nats.
    The error stays the same, so this ranks last. Fix: divide the logits by that temperature where the probabilities are
    used (Guo et al., 2017), or answer with several networks (`training.members`). Label smoothing is not proposed: it
    lowers the confidence, but it made the error larger in each of the seven runs of the random worlds in which it was
    tried for this.
    """

    code, name, title, link = "V8", "overconfident", "its probabilities are too sure", "validation"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        answers = case.evidence.best("validation")
        if answers is None or len(answers.label) < 100 or case.at_chance or not np.isfinite(answers.probability).all():
            return None
        of_label = answers.probability[np.arange(len(answers.label)), answers.label].astype(np.float64)
        before = float(-np.log(np.maximum(of_label, 1e-12)).mean())
        at, after = temperature(answers.probability, answers.label)
        if at <= 1 or after > OVERCONFIDENT * before or before - after < NATS:
            return None
        return self.found(
            f"the validation cross-entropy of {before:.3g} would be {after:.3g} at a temperature of {at:.2f} "
            f"(n={len(answers.label):,}); the error would not change; what helps is that temperature, where the "
            "probabilities are used, or training.members=3",
            harm=0.0,
            evidence={"cross_entropy": before, "scaled": after, "temperature": at, "n": len(answers.label)},
        )


class NoisyValidation(Rule):
    """The validation error jumps from epoch to epoch, so the best epoch is best by luck.

    Seen as: in the second half of the run, a standard deviation of the change from epoch to epoch above 2.5 times what
    drawing other images would give, and a spread that matters. Fix: a rate that falls towards the end (cosine), a
    running mean of the weights (use_ema), or larger batches.
    """

    code, name, title, link = "V9", "noisy_validation", "the validation error jumps", "validation"
    symptom = True

    def look(self, case: Case) -> Finding | None:
        errors = case.column("validation_error")
        late = errors[len(errors) // 2 :]
        if case.errors is None or case.errors.validation.n is None or len(late) < LATE_HALF:
            return None
        jumps = float(np.std(np.diff(late)) / np.sqrt(2))
        mean = float(np.mean(late))
        chance = float(np.sqrt(max(mean * (1 - mean), 1e-12) / case.errors.validation.n))
        lost = mean - min(late)
        if jumps < JUMPY * chance or lost < case.errors.tau or case.setting("schedule.name") != "constant":
            return None
        return self.found(
            f"from epoch to epoch it changes by {100 * jumps:.1f} points (sd), {100 * chance:.1f} would be chance "
            f"(n={case.errors.validation.n:,}); on average {100 * lost:.1f} points above the best",
            harm=lost,
            evidence={"jumps": jumps, "chance": chance, "lost": lost, "n": case.errors.validation.n},
            changes=(Change("schedule", {"name": "cosine"}, "small steps at the end settle"),),
            rivals=("T3",),
            confirm="train once with a cosine schedule",
        )
