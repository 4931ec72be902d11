"""What comes after the training set, V1 to W4: what is measured, the limit, and on which side of it each one speaks."""

from __future__ import annotations

import math

from evidence_data import SGD, answers, bad, healthy, modes, part_of, start
from improve.diagnosis.bias_variance import TAU
from improve.diagnosis.findings import deployment, gradients, mismatch, test_set, validation, variance
from improve.runs.schema import LOOKS
from improve.statistics.intervals import Rate, difference
from improve.statistics.significance import fisher_greater, mcnemar
from limits import Sweep, above, counts_from, counts_under, from_, under
from run_folder import part


def gap(value, n=100_000, spec=None, **more):
    """An error of so much on validation images, none on training images."""
    return {"train": 0.0, "validation": value, "n": n, "spec": {**SGD, **(spec or {})}, "evidence": healthy(**more)}


def surely(n=1000):
    """The fewest wrong of n that are surely 2 points above none wrong; or 4 points, and surely 1."""

    def low(k):
        return difference(Rate(k / n, n), Rate(0.0, n))[0]

    return next(k for k in range(n) if low(k) >= TAU or (k / n >= 2 * TAU and low(k) >= TAU / 2))


def above_a_bias(value, n=1_000_000):
    """A gap of so much above a training error of 15 %; what people reach is not known."""
    return {**gap(0.15 + value, n), "train": 0.15}


def unlike(look, by):
    """Validation images differ in a look by so many standard deviations; there is no train-dev set."""
    parts = {"train": part_of(**{look: (0.0, 1.0)}), "validation": part_of(**{look: (by, 1.0)})}
    return gap(0.2, start=start(parts=parts))


def bluer(by, n=1000):
    """Training images are red by 0.3 standard deviations, validation images blue by so many."""
    parts = {"train": part_of(n=n, colour=(0.3, 1.0)), "validation": part_of(n=n, colour=(-by, 1.0))}
    return gap(0.2, start=start(parts=parts))


def unused(available):
    """1,000 training images are used."""
    return gap(
        0.2, spec={"data": {"train_size": 1000}}, data={"examples": {"train": 1000}, "train_available": available}
    )


def later(worse, n=1000, best=2, epochs=8):
    """So many images were right in the best epoch and are wrong at the end."""
    label, then = answers([], n)
    label, now = answers(range(worse), n)
    evidence = healthy(
        predictions={"validation": (label, then)}, last={"validation_label": label, "validation_probability": now}
    )
    return {
        "train": 0.0,
        "validation": 0.1,
        "spec": SGD,
        "history": [0.1] * epochs,
        "best_epoch": best,
        "evidence": evidence,
    }


def curve(high):
    forecasts = [
        {"n": 2000, "error": 0.2, "low": 0.1, "high": high},
        {"n": 4000, "error": 0.2, "low": 0.1, "high": high},
    ]
    return gap(
        0.32, learning_curve={"sentence": "twice the data would help", "forecasts": forecasts, "sizes": [500, 1000]}
    )


def rare(commonest=600, wrong=20, n=200):
    """100 training images of the last class; of its 20 validation images so many are wrong, 5 of the others are."""
    counts = [commonest] * 9 + [100]
    label = [9] * 20 + [i % 9 for i in range(n - 20)]
    parts = {"train": part_of(sum(counts), classes=counts), "validation": part_of(n)}
    table = answers([*range(wrong), *range(20, 25)], n, label=label)
    return gap(0.1, start=start(parts=parts), predictions={"validation": table})


WEAK = next(k for k in range(20) if fisher_greater(k, 20, 5, 180) < validation.WEAK_P)
MOVED = next(k for k in range(1, 50) if mcnemar(k, 0) < variance.LATE_P)


def leaked(count, n):
    return {**gap(0.1, n=n), "evidence": healthy(data={"duplicates": {"validation in train": count}})}


def cold(ratio=2.0, worse=0.1):
    return bad(start=start(batch_normalizations=1), epochs=modes(ratio, 1.0, 0.3 + worse, 0.3))


def sure(confidence, accuracy=0.7, n=1000):
    """Of two classes, always as sure as `confidence`, and right in `accuracy` of the cases."""
    label = [0] * n
    right = round(accuracy * n)
    table = [[confidence, 1 - confidence] if i < right else [1 - confidence, confidence] for i in range(n)]
    return gap(1 - accuracy, predictions={"validation": (label, table)})


def too_sure(nats=None, share=None, accuracy=0.7):
    """The confidence whose cross-entropy is so far from the best there is at this accuracy: that of calibrated answers."""

    def before(c):
        return -(accuracy * math.log(c) + (1 - accuracy) * math.log(1 - c))

    wanted = before(accuracy) + nats if nats else before(accuracy) / share
    low, high = accuracy, 1 - 1e-9
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if before(middle) < wanted else (low, middle)
    return high


def jumping(by=0.05, epochs=12, n=1000):
    row = {"train_error": 0.0}
    errors = [0.3 + (by if epoch % 2 else -by) for epoch in range(epochs)]
    rows = [{"epoch": number, **row, "validation_error": error} for number, error in enumerate(errors, start=1)]
    return gap(0.25, n=n, metrics=rows)


def enough_jumps():
    """Over six epochs that jump by ±2 points, the fewest images that make this more than chance."""
    jump = 0.04 * math.sqrt(1 - 1 / 25) / math.sqrt(2)  # five changes, three up and two down
    return math.ceil(validation.JUMPY**2 * 0.3 * 0.7 / jump**2)


def by_class(share):
    """Two classes, half of each in training; `share` of validation images of the first."""
    validation_counts = [round(10_000 * share), 10_000 - round(10_000 * share)]
    parts = {"train": part_of(10_000, classes=[5000, 5000]), "validation": part_of(10_000, classes=validation_counts)}
    return gap(0.1, start=start(parts=parts))


def unlike_train_dev(value):
    return {**gap(value), "train_dev": part(0.0, 100_000)}


def opened(value, light=0.0, **more):
    """The test error, 1 % of validation error, and test images brighter by so many standard deviations."""
    alike = part_of(brightness=(0.0, 1.0))
    parts = {"train": alike, "validation": alike, "test": part_of(brightness=(light, 1.0))}
    return {**gap(0.01, start=start(parts=parts), **more), "test": part(value, 100_000)}


def unopened(light):
    return opened(0.01, light)


def duplicates(count, n):
    return gap(0.1, data={"duplicates": {"test in train": count}, "examples": {"test": n}})


def on_test_images(n):
    return {**gap(0.1), "test": part(0.1, n)}


def wide_until():
    """The fewest images that tell a test error of 10 % to within 5 points."""
    return next(n for n in range(50, 5000) if Rate(0.1, n).interval()[1] - 0.1 <= test_set.ENOUGH)


def in_the_field(error, n):
    """2 % of 100,000 validation images are wrong."""
    return gap(0.02, spec={"diagnosis": {"human_error": 0.0, "field_error": error, "field_n": n}})


def enough_from_the_field():
    """The fewest images with 5 % errors that are surely more than 2 % of 100,000."""
    return next(n for n in range(20, 5000) if difference(Rate(0.05, n), Rate(0.02, 100_000))[0] > 0)


def dark(wrong, n=400, others=0.0):
    """So many wrong of the darkest quarter, and a share of the others, spread evenly over light."""
    label = [i % 10 for i in range(n)]
    every = round(1 / others) if others else 0
    wrong_ones = [*range(wrong), *(range(n // 4, n, every) if every else ())]
    light = [float(i) for i in range(n)]
    contrast = [float((7 * i) % n) for i in range(n)]  # has nothing to do with light
    images = {"validation_brightness": light, "validation_contrast": contrast}
    return gap(0.1, images=images, predictions={"validation": answers(wrong_ones, n, label=label)})


def hidden(wrong=40, common=400, rare=100):
    label = [0] * common + [1] * rare
    table = answers(range(common, common + wrong), common + rare, label=label)
    return gap(0.1, predictions={"validation": table})


def abstaining(right, target=0.01):
    """Of 1,000 images the surest so many are right, all others wrong."""
    label, table = answers(range(right, 1000))
    table = [[p if max(row) != p else 0.9 - i * 1e-4 for p in row] for i, row in enumerate(table)]
    spec = {"diagnosis": {"human_error": 0.0, "target_error": target}}
    return gap(1 - right / 1000, n=1000, spec=spec, predictions={"validation": (label, table)})


WORSE_SLICE = next(k for k in range(101) if difference(Rate(k / 100, 100), Rate(0.0, 300))[0] >= deployment.WORSE)
MORE = {"data": {"subset": 1000}}  # 5,000 are available
TWO_POINTS = ((0.0199, False), (TAU, True), (0.0201, True))
VALIDATION = {
    "V1": [Sweep("variance", lambda wrong: gap(wrong / 1000, n=1000), counts_from(surely())),
           Sweep("variance, exact", lambda wrong: gap(wrong / 10_000, n=10_000), counts_from(surely(10_000))),
           Sweep("few images", lambda wrong: gap(wrong / 100, n=100), counts_from(surely(100))),
           Sweep("above a bias", above_a_bias, ((0.1, False), (0.1012, True), (0.12, True)))],
    "V2": [Sweep("points lost", later, counts_from(20)), Sweep("moved of 100", lambda moved: later(moved, 100), counts_from(MOVED)),
           Sweep("best epoch of 8", lambda best: later(100, best=best), counts_under(1 + int(8 * variance.LATE)))],
    "V3": [Sweep("variance", lambda wrong: gap(wrong / 1000, n=1000, spec=MORE), counts_from(surely())),
           Sweep("l2", lambda l2: gap(0.2, spec={**MORE, "regularization": {"l2": l2}}), under(1e-4)),
           Sweep("subset", lambda subset: gap(0.2, spec={"data": {"subset": subset}}), counts_under(3334))],
    "V4": [Sweep("unused", unused, counts_from(2000)), Sweep("forecast", curve, under(0.32 - variance.HELPS + 1e-8))],
    "V5": [Sweep("commonest for 100 of the rarest", rare, counts_from(round(100 * validation.IMBALANCE))),
           Sweep("wrong of 20", lambda wrong: rare(wrong=wrong), counts_from(WEAK))],
    "V6": [Sweep("of 100", lambda count: leaked(count, 100), counts_from(validation.LEAKED_IMAGES)),
           Sweep("of 10,000", lambda count: leaked(count, 10_000), counts_from(round(10_000 * validation.LEAKED)))],
    "V7": [Sweep("cross-entropy", cold, above(gradients.COLD)),
           Sweep("error", lambda worse: cold(worse=worse), ((0.0199, False), (TAU + 1e-12, True), (0.0201, True)))],
    "V8": [Sweep("share", lambda share: sure(too_sure(share=share)), under(validation.OVERCONFIDENT + 1e-6)),
           Sweep("nats", lambda nats: sure(too_sure(nats, accuracy=0.99), 0.99), from_(validation.NATS + 1e-6)),
           Sweep("images", lambda n: sure(0.99, n=n), counts_from(100))],
    "V9": [Sweep("images", lambda n: jumping(0.02, n=n), counts_from(enough_jumps())),
           Sweep("points", lambda by: jumping(by, n=100_000), ((0.0199, False), (TAU + 1e-9, True), (0.0201, True))),
           Sweep("epochs", lambda late: jumping(epochs=2 * late), counts_from(validation.LATE_HALF))],
    "M1": [Sweep("mismatch", unlike_train_dev, TWO_POINTS),
           *(Sweep(look, lambda by, look=look: unlike(look, by), from_(mismatch.OBVIOUS)) for look in LOOKS),
           Sweep("blue", bluer, ((0.099, False), (0.1001, True), (0.3, True))),
           Sweep("images", lambda n: bluer(0.3, n), counts_from(139))],
    "M2": [Sweep("distance", lambda by: by_class(0.5 + by), ((0.149, False), (mismatch.SHIFTED + 0.0001, True), (0.16, True)))],
}  # fmt: skip
AFTERWARDS = {
    "S1": [Sweep("test error", lambda error: opened(error, tried=test_set.CHOSEN), ((0.0299, False), (0.03, True), (0.031, True)), test=True),
           Sweep("specs, images unlike", lambda tried: opened(0.1, 3.0, tried=tried), counts_from(test_set.CHOSEN), test=True)],
    "S2": [Sweep("of 100", lambda count: duplicates(count, 100), counts_from(3)),
           Sweep("of 10,000", lambda count: duplicates(count, 10_000), counts_from(50))],
    "S3": [Sweep("test images", on_test_images, counts_under(wide_until()), test=True)],
    "S4": [Sweep("brighter", unopened, from_(mismatch.APART)),
           Sweep("specs", lambda tried: opened(0.1, 3.0, tried=tried), counts_under(test_set.CHOSEN), test=True)],
    "W1": [Sweep("field error", lambda field: in_the_field(field, 100_000), ((0.0399, False), (0.04, True), (0.0401, True))),
           Sweep("images from the field", lambda n: in_the_field(0.05, n), counts_from(enough_from_the_field()))],
    "W2": [Sweep("wrong of 100", dark, counts_from(WORSE_SLICE))],
    "W3": [Sweep("points", lambda wrong: hidden(wrong, 300), ((19, False), (20, True), (21, True))),
           Sweep("common for 100 rare", lambda common: hidden(60, common), counts_from(300))],
    "W4": [Sweep("surely right of 1,000", abstaining, counts_from(500))],
}  # fmt: skip
