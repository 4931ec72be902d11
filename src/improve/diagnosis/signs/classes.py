"""Which classes it knows: how many images of each there are, and which it never answers."""

from __future__ import annotations

from improve.diagnosis.findings.indicators import part_of
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.signs.sign import decades, sign
from improve.lazy import np

FEWEST = 5  # images that say something


@sign("images of the commonest class over those of the rarest", log=True, above=0.5)
def imbalance(case: Case) -> float | None:
    counts = [count for count in part_of(case, "train").get("classes") or [] if count]
    return decades(max(counts) / min(counts)) if counts else None


@sign("validation error on the rarer classes less that on the others")
def rare_error(case: Case) -> float | None:
    counts, seen = np.array(part_of(case, "train").get("classes") or []), case.evidence.best("validation")
    if seen is None or len(set(counts.tolist())) < 2 or len(counts) < seen.probability.shape[1]:
        return None
    rare = counts[seen.label] < np.median(counts)
    if min(rare.sum(), (~rare).sum()) < FEWEST:
        return None
    return float(seen.wrong[rare].mean() - seen.wrong[~rare].mean())


@sign("classes of validation that have no training image")
def classes_without_images(case: Case) -> float | None:
    train, new = (part_of(case, part).get("classes") or [] for part in ("train", "validation"))
    return float(sum(bool(there and not here) for here, there in zip(train, new, strict=False)))


@sign("share of the classes that it never answers, of training images")
def never_answered(case: Case) -> float | None:
    seen = case.evidence.best("train")
    if seen is None:
        return None
    classes = seen.probability.shape[1]
    answered, there = (np.bincount(one, minlength=classes) > 0 for one in (seen.predicted, seen.label))
    return float((there & ~answered).sum() / classes)
