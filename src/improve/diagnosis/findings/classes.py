"""Are all classes there, in the training images and in the answers?"""

from __future__ import annotations

from collections.abc import Iterator

from improve.diagnosis.findings.indicators import part_of
from improve.diagnosis.findings.rule import Case, Change, Finding, Rule
from improve.lazy import np

CHANCE_P = 0.01
UNEVEN = 1.5  # times the images of the rarest class: then classes that weigh the same are another thing
LEARNED = 0.5  # of the error of guessing, on the other classes
BALANCED = Change("training.class_weights", "balanced", "each class weighs the same")


class ClassNeverPredicted(Rule):
    """A class is missing: from the images of a part, or from all answers.

    Seen as: a part all of whose images are of one class; no training image of a class that validation images have; no
    validation image of a class that makes enough of the training images (p < 0.01 by chance); or none of the training
    images that are measured is taken for a class that makes enough of them (p < 0.01 by chance; a rare class is V5's),
    while of the other classes it misses at most half of what guessing would. Fix: images of that class; where there are
    some, classes that weigh the same.
    """

    code, name, title, link = "T16", "class_missing", "a class is missing", "training"
    early = True

    def look(self, case: Case) -> Finding | None:
        return self.one_class(case) or self.untrained(case) or self.unjudged(case) or self.unanswered(case)

    def one_class(self, case: Case) -> Finding | None:
        """All images of a part are of one class, as where sorted images were cut at a place."""
        for name in ("train", "validation"):
            counts = part_of(case, name).get("classes") or []
            present = [k for k, count in enumerate(counts) if count]
            if len(counts) > 1 and len(present) == 1:
                return self.found(
                    f"all {sum(counts):,} {'training' if name == 'train' else name} images are "
                    f"{class_names(case, present)}: were sorted images cut at a place?",
                    harm=1.0 if case.errors is None else case.errors.validation.value,
                    evidence={"part": name, "classes": present, "n": sum(counts)},
                    fact=True,
                    confirm="count the images of each class in each part",
                )
        return None

    def untrained(self, case: Case) -> Finding | None:
        train, validation = part_of(case, "train"), part_of(case, "validation")
        if not train or not validation:
            return None
        missing = [k for k, have in enumerate(train["classes"]) if not have and validation["classes"][k]]
        if not missing:
            return None
        share = sum(validation["classes"][k] for k in missing) / validation["n"]
        return self.found(
            f"no training image of {class_names(case, missing)}, {100 * share:.1f} % of the validation images",
            harm=share,
            evidence={"classes": missing, "share": share, "n": validation["n"]},
            fact=True,
            confirm="count the images of each class",
        )

    def unjudged(self, case: Case) -> Finding | None:
        """What it makes of a class that no validation image has, nobody can tell."""
        train, validation = part_of(case, "train"), part_of(case, "validation")
        if not train or not validation or not sum(train["classes"]):
            return None
        shares = [count / sum(train["classes"]) for count in train["classes"]]
        by_chance = [(1 - share) ** validation["n"] for share in shares]
        missing = [k for k, have in enumerate(validation["classes"]) if not have and by_chance[k] < CHANCE_P]
        if not missing:
            return None
        share = sum(shares[k] for k in missing)
        return self.found(
            f"no validation image of {class_names(case, missing)}, {100 * share:.1f} % of the training images: what "
            "the network makes of them nobody can tell",
            harm=0.0,
            evidence={"classes": missing, "share": share, "n": validation["n"]},
            fact=True,
            confirm="count the images of each class in each part",
        )

    def unanswered(self, case: Case) -> Finding | None:
        seen, trained = case.evidence.best("train"), part_of(case, "train").get("classes")
        if seen is None or case.at_chance or not case.fits_badly:
            return None
        counts = np.bincount(seen.label, minlength=seen.probability.shape[1])
        answers = np.bincount(seen.predicted, minlength=len(counts))
        n = len(seen.label)
        by_chance = (1 - counts / n) ** n  # that a class with this share gets no answer
        even = [sum(trained) / len(trained) / 3 <= count for count in trained] if trained else [True] * len(counts)
        never = [k for k in range(len(counts)) if not answers[k] and by_chance[k] < CHANCE_P and even[k]]
        others = ~np.isin(seen.label, never)
        if not never or seen.wrong[others].mean() > LEARNED * (1 - 1 / max(2, len(counts) - len(never))):
            return None  # it learned none of the classes: that this one is not answered follows from it
        share = float(sum(counts[k] for k in never) / n)
        return self.found(
            f"no training image is taken for {class_names(case, never)}, which {100 * share:.1f} % of them are",
            harm=share,
            evidence={"classes": never, "share": share, "n": n},
            changes=self.remedies(case),
            rivals=("R5", "T2"),
            confirm="look at what those images are taken for",
        )

    def remedies(self, case: Case) -> Iterator[Change]:
        counts = [count for count in part_of(case, "train").get("classes") or [1] if count]
        if max(counts) > UNEVEN * min(counts) and case.setting("training.class_weights") != "balanced":
            yield BALANCED


def class_names(case: Case, classes: list[int]) -> str:
    known = case.data.classes
    return ", ".join(f"'{known[k]}'" if k < len(known) else f"class {k}" for k in classes[:5])
