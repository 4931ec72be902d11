"""What images and labels say by themselves: do they agree, in each part and from one part to the other?"""

from __future__ import annotations

from improve.diagnosis.findings.label_noise import missed_more
from improve.diagnosis.findings.mismatch import differences
from improve.diagnosis.findings.rule import Case
from improve.diagnosis.findings.simple_models import simple_model
from improve.diagnosis.signs.sign import decades, sign
from improve.lazy import np
from improve.statistics.intervals import standard_errors
from improve.statistics.significance import auroc

FEWEST = 5  # images that say something
LEAST_P = 1e-9


@sign("standard errors by which the training error is above that on unseen images")
def training_above(case: Case) -> float | None:
    if case.errors is None:
        return None
    return standard_errors(case.errors.train, case.errors.train_dev or case.errors.validation)


@sign("standard errors by which the training error is above that on unseen images, at the end of the run")
def training_above_at_end(case: Case) -> float | None:
    return standard_errors(case.end.train, case.end.validation) if case.end else training_above(case)


@sign("validation error at the end less that of the best epoch: what learning by heart has spoilt")
def lost_by_heart(case: Case) -> float | None:
    return case.end.validation.value - case.errors.validation.value if case.end and case.errors else 0.0


@sign("powers of ten against the chance that a class is missed more often in training than in validation")
def class_missed_more(case: Case) -> float | None:
    train, new = case.evidence.best("train"), case.evidence.best("validation")
    if train is None or new is None:
        return None
    found = [missed_more(train, new, known)[1] for known in range(train.probability.shape[1])]
    return -(decades(max(min(found), LEAST_P)) or 0.0)


@sign("AUROC of the confidence in training images for right against wrong ones")
def knows_its_errors(case: Case) -> float | None:
    seen = case.evidence.best("train")
    if seen is None or min(seen.wrong.sum(), (~seen.wrong).sum()) < FEWEST:
        return None
    return float(auroc(seen.probability.max(axis=1), ~seen.wrong))


@sign("chance that it gives the training labels that it misses, over guessing", log=True)
def missed_label_chance(case: Case) -> float | None:
    seen = case.evidence.best("train")
    if seen is None or seen.wrong.sum() < FEWEST:
        return None
    given = seen.probability[np.arange(len(seen.label)), seen.label][seen.wrong]
    return decades(max(float(np.median(given)) * seen.probability.shape[1], 1e-6))


@sign("standard errors by which something simple errs more on training images than on validation images")
def simple_training_above(case: Case) -> float | None:
    simple = simple_model(case)
    return standard_errors(simple.known, simple.across) if simple else None


@sign("error of something simple on validation images less that on other training images")
def simple_gap(case: Case) -> float | None:
    simple = simple_model(case)
    return simple.across.value - simple.known.value if simple else None


@sign("error of telling training from validation images by their pixels; 0.5: they look alike")
def told_apart(case: Case) -> float | None:
    simple = simple_model(case)
    return simple.apart.value if simple else None


@sign("largest difference of the looks of training and validation images, in standard deviations")
def looks_apart(case: Case) -> float | None:
    return max(map(abs, differences(case, "train", "validation").values()), default=0.0)


@sign("validation error above what something simple, trained on the same images, reaches there")
def above_simple_in_validation(case: Case) -> float | None:
    others = (case.evidence.start.get("baselines") or {}).get("others") or {}
    other = others.get("validation") or {}
    if case.errors is None or other.get("linear") is None:
        return None
    return case.errors.validation.value - float(min(other["linear"], other["neighbours"]))
