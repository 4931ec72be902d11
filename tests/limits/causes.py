"""The causes, R1 to T20: what is measured, the limit, and on which side of it each one speaks."""

from __future__ import annotations

from evidence_data import LN10, SGD, bad, head, healthy, kernel, kernels, layers, modes, part_of, start, steps
from improve.diagnosis.bias_variance import TAU
from improve.diagnosis.findings import (
    capacity,
    convergence,
    gradients,
    label_noise,
    labels,
    optimization,
    over_regularization,
    readable,
    scales,
    strengths,
    wiring,
)
from improve.diagnosis.findings import images as damaged
from improve.statistics.intervals import Z_ONE_SIDED, Rate, difference
from improve.statistics.significance import binomial_tail
from limits import Sweep, above, above_or_at, counts_from, counts_under, from_, under


def right_by_chance(n: int, chance: float) -> int:
    """The fewest right answers that p < 0.01 calls better than chance."""
    return next(k for k in range(n) if binomial_tail(k, n, chance) < readable.CHANCE_P)


def settled(validation: float) -> int:
    """The fewest images that tell an error of so much apart from 2 points above none."""
    return next(n for n in range(50, 10_000) if difference(Rate(validation, n), Rate(0.0, n), Z_ONE_SIDED)[1] < TAU)


def guessing(**evidence):
    return {**bad(**evidence), "train": 0.9, "validation": 0.9}


def guessed(right):
    return {"train": 1 - right / 1000, "validation": 1 - right / 1000, "spec": SGD}


def interrupted(done):
    return {"train": 0.1, "spec": {**SGD, "training": {"epochs": 20}}, "history": [0.1] * done, "status": "stopped"}


def columns(names):
    return {"spec": SGD, "evidence": {"metrics": [{"epoch": 1, **dict.fromkeys(names, 0.1)}]}}


def apart(times):
    """Validation images so many times as bright and as rich in contrast."""
    train, validation = (
        part_of(brightness=(1, 0.1), contrast=(1, 0.1)),
        part_of(brightness=(times, 0.1), contrast=(times, 0.1)),
    )
    return bad(start=start(parts={"train": train, "validation": validation}))


def images(contrast):
    """Training images with these contrasts, and a brightness of twice that, or of 0.5 where there is none."""
    return bad(images={"train_contrast": contrast, "train_brightness": [2 * value or 0.5 for value in contrast]})


def behind_relu(low):
    """The last layer has an activation; `low` is the smallest output."""
    return bad(start=start(head={**start()["head"], "low": low, "high": 5.0}, operations=["Dense", "Activation"]))


READABLE = {
    "R1": [Sweep("status", lambda status: {"status": status, "spec": SGD},
                 (("finished", False), ("stopped", False), ("diverged", True)))],
    "R2": [Sweep("loss at the end", lambda loss: guessing(steps=steps([1.0, 2.0, 3.0, loss])), above(readable.RISEN * LN10)),
           Sweep("update", lambda size: guessing(steps=steps([1.0, 3.0, 9.0, 27.0]), kernels=kernels(size)), under(readable.CALM)),
           Sweep("third quarter", lambda loss: guessing(steps=steps([1.0, 3.0, loss, 27.0])),
                 ((26.9, True), (27.0, False), (27.1, False)))],
    "R3": [Sweep("right of 1,000", guessed, counts_under(right_by_chance(1000, 0.1)))],
    "R4": [Sweep("first loss, high", lambda ratio: bad(start=start(initial_cross_entropy=ratio * LN10)), above(wiring.START[1])),
           Sweep("first loss, low", lambda ratio: bad(start=start(initial_cross_entropy=ratio * LN10)), under(wiring.START[0]))],
    "R5": [Sweep("cut off", lambda share: bad(start=head(at_low=share)), from_(wiring.CUT_OFF)),
           Sweep("lowest output", behind_relu, ((-0.001, False), (0.0, True), (0.001, True)))],
    "R6": [Sweep("large", lambda rms: bad(start=start(input={"mean": rms / 2, "rms": rms})), above(wiring.INPUT[1])),
           Sweep("small", lambda rms: bad(start=start(input={"mean": 0.0, "rms": rms})), under(wiring.INPUT[0])),
           Sweep("brighter", apart, above(scales.OTHER_SCALE))],
    "R7": [Sweep("epochs of 20", interrupted, ((17, True), (18, False), (19, False)))],
    "R8": [Sweep("noise", lambda size: bad(start=start(noise=size)), above(readable.NOISE)),
           Sweep("columns", columns, ((("train_error", "accuracy"), False), (("train_error",), False), (("accuracy",), True)))],
    "R10": [Sweep("empty of 1,000", lambda count: images([0.2] * (1000 - count) + [0.0] * count), counts_from(10)),
            Sweep("empty of 100", lambda count: images([0.2] * (100 - count) + [0.0] * count), counts_from(3)),
            Sweep("times as large", lambda times: images([0.2] * 700 + [0.2 * times] * 300), from_(damaged.HEAPS)),
            Sweep("of the other scale", lambda count: images([51.0] * (1000 - count) + [0.2] * count), counts_from(10))],
    "R9": [Sweep("images", lambda n: {"train": 0.0, "validation": 0.005, "n": n, "spec": SGD}, counts_under(settled(0.005)))],
}  # fmt: skip


def falling(step, n=10, best=None):
    """The training error falls by `step` in each of n epochs, down to 30 %."""
    errors = [0.3 + step * (n - 1 - epoch) for epoch in range(n)]
    return {**bad(), "history": errors, "best_epoch": n if best is None else best}


def losing(share):
    """Over twenty steps the loss loses this share of itself, by the same factor in each."""
    return bad(steps=steps([(1 - share) ** (step / 20) for step in range(20)]))


def still_better(step, n=10, best=None):
    """The validation cross-entropy falls by `step` in each of n epochs, down to 1."""
    rows = [{"epoch": epoch, "train_error": 0.3, "validation_error": 0.3, "validation_cross_entropy": 1 + step * (n - epoch)}
            for epoch in range(1, n + 1)]  # fmt: skip
    return {**bad(metrics=rows), "best_epoch": n if best is None else best}


def still_erring_less(step, n=10):
    """The validation error falls by `step` in each of n epochs, down to 0.3, and the cross-entropy by hardly anything."""
    rows = [{"epoch": epoch, "train_error": 0.3, "validation_error": 0.3 + step * (n - epoch),
             "validation_cross_entropy": 1 + 0.001 * (n - epoch)}
            for epoch in range(1, n + 1)]  # fmt: skip
    return {**bad(metrics=rows), "best_epoch": n}


def averaged(behind=0.5, momentum=0.999, count=1000):
    """The mean lacks that share of what the loss of the batches has won, from ln 10 · 1.1 down to 1 nat; it is one over
    1 / (1 - momentum) of `count` steps."""
    clean = (1.1 * LN10) ** behind
    rows = [
        {"epoch": 1, "train_error": 0.3, "validation_error": 0.3, "cross_entropy": 1.0, "train_cross_entropy": clean}
    ]
    spec = {"optimizer": {"name": "adam", "use_ema": True, "ema_momentum": momentum}}
    return {**bad(spec, metrics=rows, steps=steps([1.0] * count)), "best_epoch": 1}


def impatient(patience, done=10):
    spec = {"training": {"epochs": 20, "early_stopping": {"patience": patience}}}
    return {**bad(spec), "history": [0.3] * done, "best_epoch": 1}


def after_collapse(error):
    return {**bad(), "train": 0.1, "n": 100_000, "history": [0.1, error], "best_epoch": 1}


def decayed(low, rate=0.001):
    return bad(steps=steps([1.0] * 100, rates=[1.0] * (100 - low) + [rate] * low))


def clipped(share=0.9, away=0.9, update=1e-4):
    some = int(100 * share)
    spec = {"optimizer": {"name": "sgd", "learning_rate": 0.01, "global_clipnorm": 0.1}}
    return bad(spec, steps=steps([1.0] * 100, clipped=[away] * some + [0.0] * (100 - some)), kernels=kernels(update))


def batches(updates, epochs, size=640):
    spec = {"training": {"batch_size": size, "epochs": epochs}}
    return {**bad(spec, steps=steps([1.0] * updates)), "history": [0.3] * epochs}


def unsure(right_and_surer, taken=400, n=100, classes=10):
    """A fifth is wrong, at 50 % confidence; of 80 right ones so many are at 60 %, the others at 40 %."""
    table, label, wrong = [], [0] * n, n // 5
    for i in range(n):
        sure = 0.5 if i < wrong else 0.6 if i < wrong + right_and_surer else 0.4
        rest = [(1 - sure) / (classes - 2)] * (classes - 2)
        table.append([0.0, sure, *rest] if i < wrong else [sure, 0.0, *rest])
    return {**bad(predictions={"train": (label, table)}, steps=steps([1.0] * taken)), "train": 0.2, "validation": 0.3}


def exchanged(train):
    """Of 100 images 50 are taken for the class after their own, the others for five more classes, none for its own;
    `train` is the training error."""
    label = [i % 10 for i in range(100)]
    answers = [(own + max(1, i // 10 - 3)) % 10 for i, own in enumerate(label)]
    table = [[float(k == answer) for k in range(10)] for answer in answers]
    return {**bad(predictions={"validation": (label, table)}), "train": train, "validation": 0.8}


def worse_on_new(cross_entropy, memorized=True):
    """It learns of the training labels what makes it worse on validation images, 20 % of which it gets right."""
    row = {"epoch": 1, "train_error": 0.3, "validation_error": 0.8, "train_cross_entropy": 1.0}
    able = start(memorized={"examples": 32, "steps": 200, "loss": 0.2, "memorized": bool(memorized)})
    return {**bad(metrics=[{**row, "validation_cross_entropy": cross_entropy}], start=able), "validation": 0.8}


def never(count):
    """A class that so many of 1,000 measured training images have, and that is never the answer."""
    label = [9] * count + [i % 9 for i in range(1000 - count)]
    probability = [[float(k == (own if own != 9 else 0)) for k in range(10)] for own in label]
    return bad(predictions={"train": (label, probability)})


def deep(layers_, normalizations=0):
    return bad(start=start(kernels=[kernel(f"dense{i}/kernel") for i in range(layers_)], normalizations=normalizations))


def scaled(scale, ratio=3.0):
    inside = [kernel("conv/kernel", scale=scale), kernel("logits/kernel")]
    return bad(start=start(kernels=inside, initial_cross_entropy=ratio * LN10))


SETTLED = [{"epoch": epoch, "train_error": 0.3, "validation_error": 0.3} for epoch in range(1, 6)]


def penalised(share):
    return bad({"regularization": {"l2": 0.1}}, steps=steps([1.0] * 10, penalty=share), kernels=kernels(left=0.4))


def dropped(rate, ratio=1.0):
    held = {"start": start(dropout=[rate]), "epochs": modes(clean=ratio, training=1.0), "metrics": SETTLED}
    return bad({"regularization": {"dropout": rate}}, **held)


def decay(rate=0.05, left=0.1):
    adamw = {"name": "adamw", "learning_rate": 0.01, "weight_decay": rate}
    return bad({"optimizer": adamw}, kernels=kernels(left=left))


def augmented(ratio):
    row = {"epoch": 1, "train_error": 0.3, "validation_error": 0.3, "cross_entropy": 1.0, "train_cross_entropy": ratio}
    return bad({"augmentation": [{"name": "flip"}]}, metrics=[row])


def worse_in_training(by):
    epochs = modes(clean=1.0, training=1.0, clean_error=0.3, training_error=0.3 + by)
    return bad({"regularization": {"dropout": 0.5}}, start=start(dropout=[0.5]), epochs=epochs, metrics=SETTLED)


def stuck(cross_entropy, epochs=over_regularization.SHORT, degrees=90.0):
    losses = {"cross_entropy": cross_entropy, "train_cross_entropy": cross_entropy}
    row = {"train_error": 0.3, "validation_error": 0.3, **losses}
    metrics = [{"epoch": epoch, **row} for epoch in range(1, epochs + 1)]
    return bad({"augmentation": [{"name": "rotate", "degrees": degrees}]}, metrics=metrics)


def narrow(units):
    inside = [kernel("hidden/kernel", (100, units)), kernel("logits/kernel", (units, 10))]
    return bad({"model": {"name": "mlp", "hidden": [units]}}, start=start(kernels=inside))


def errors_of(train=0.3, validation=0.3, n=100_000, **told):
    return {"train": train, "validation": validation, "n": n, "spec": {**SGD, "diagnosis": {"human_error": 0.0, **told}},
            "evidence": healthy()}  # fmt: skip


def frozen(share):
    inside = [kernel("a/kernel", (1, 1000 - share)), kernel("b/kernel", (1, share), trainable=False)]
    return bad(start=start(kernels=inside))


def batch_norm(size):
    return bad({"training": {"batch_size": size}}, start=start(batch_normalizations=2))


def missing_class(have):
    parts = {"train": part_of(classes=[100] * 9 + [have]), "validation": part_of()}
    return bad(start=start(parts=parts))


FEWEST = next(c for c in range(1, 50) if (1 - c / 1000) ** 1000 < labels.CHANCE_P)
FLAT_STEP = 2 * capacity.FLAT / 10  # an error that falls by that much wins FLAT in ten more epochs, at half the slope
TRAINING = {
    "T1": [Sweep("share to come", still_better, above_or_at(2 * convergence.STILL / 10)),
           Sweep("share of the error", still_erring_less, above_or_at(0.3 * 2 * convergence.STILL / 10)),
           Sweep("best epoch of 8", lambda best: still_better(0.1, 8, best), counts_from(6)),
           Sweep("share lost", losing, above_or_at(convergence.STILL)),
           Sweep("patience", impatient, counts_under(convergence.HASTY + 1)),
           Sweep("epochs of 20", lambda done: impatient(1, done), counts_under(16))],
    "T2": [Sweep("update", lambda size: bad(kernels=kernels(size)), under(optimization.SLOW))],
    "T3": [Sweep("spike", lambda loss: bad(steps=steps([3.0, loss, 1.0])), above(3.0 * optimization.SPIKE)),
           Sweep("update", lambda size: guessing(kernels=kernels(size)), above(optimization.FAST)),
           Sweep("collapse", after_collapse, from_(0.1 + optimization.COLLAPSE))],
    "T4": [Sweep("low steps of 100", decayed, counts_from(1 + round(100 * optimization.LOW_STEPS))),
           Sweep("rate", lambda rate: decayed(80, rate), under(optimization.LOW_RATE))],
    "T5": [Sweep("gradient", lambda ratio: bad(kernels=kernels(first=ratio)), under(gradients.VANISHING))],
    "T6": [Sweep("gradient", lambda ratio: bad(kernels=kernels(first=ratio)), above(gradients.EXPLODING))],
    "T7": [Sweep("at the end", lambda share: guessing(layers=layers(silent=share)), from_(gradients.DEAD)),
           Sweep("before", lambda share: guessing(layers=layers(before=share)), from_(gradients.DEAD))],
    "T8": [Sweep("saturated", lambda share: bad(layers=layers(saturated=share, activation="tanh")), above(gradients.SATURATED))],
    "T9": [Sweep("large", scaled, above(wiring.SCALES[1])), Sweep("small", scaled, under(wiring.SCALES[0])),
           Sweep("first loss", lambda ratio: scaled(9.0, ratio), above(wiring.START[1]))],
    "T10": [Sweep("layers", deep, counts_from(gradients.DEEP)),
            Sweep("normalised", lambda count: deep(count, 9), counts_from(gradients.DEEP_NORMALIZED))],
    "T11": [Sweep("penalty", penalised, above(over_regularization.PENALTY)),
            Sweep("dropout, modes", lambda ratio: dropped(0.5, ratio), under(over_regularization.HELD_BACK)),
            Sweep("dropout, rate", dropped, from_(over_regularization.HEAVY_DROPOUT)),
            Sweep("dropout, error", worse_in_training, ((over_regularization.WORSE - 0.001, False), (over_regularization.WORSE - 1e-9, False),
             (over_regularization.WORSE + 0.001, True))),
            Sweep("augmented", stuck, above(over_regularization.STUCK * LN10)),
            Sweep("epochs", lambda count: stuck(2.2, count), counts_from(over_regularization.SHORT)),
            Sweep("degrees", lambda degrees: stuck(2.2, degrees=degrees), above(strengths.USUAL["rotate"]["degrees"])),
            Sweep("weight decay", decay, from_(over_regularization.DECAY)),
            Sweep("weights left", lambda left: decay(left=left), under(over_regularization.SHRUNK)),
            Sweep("augmentation", augmented, under(over_regularization.HARDER))],
    "T12": [Sweep("share of steps", clipped, ((0.49, False), (0.5, False), (0.51, True))),
            Sweep("share of gradient", lambda away: clipped(away=away), above(optimization.CLIPPED_AWAY)),
            Sweep("update", lambda size: clipped(update=size), under(optimization.SLOW))],
    "T13": [Sweep("gap", lambda gap: errors_of(0.3 + gap, 0.3), ((0.0199, False), (TAU, True), (0.0201, True))),
            Sweep("training error", lambda error: errors_of(error, 0.0), from_(label_noise.NOISE)),
            Sweep("steps", lambda count: unsure(40, count), counts_from(label_noise.SETTLED + 1)),
            Sweep("images", lambda n: unsure(40, n=n), counts_from(label_noise.ENOUGH)),
            Sweep("classes", lambda count: unsure(40, classes=count), counts_from(label_noise.MANY)),
            Sweep("auroc in eightieths", unsure, counts_under(round(80 * label_noise.UNRELATED)))],
    "T14": [Sweep("right of 1,000", lambda right: {"train": 0.0, "validation": 1 - right / 1000, "spec": SGD},
                  counts_under(right_by_chance(1000, 0.1))),
            Sweep("images", lambda n: {"train": 0.0, "validation": 0.9, "n": n, "spec": SGD}, counts_from(labels.SMALL)),
            Sweep("training error", lambda error: {"train": error, "validation": 0.9, "spec": SGD},
                  ((0.874, False), (0.87, True), (0.86, True))),
            Sweep("renamed", exchanged, above_or_at(1 - 0.5 / labels.AS_GOOD)),
            Sweep("cross-entropy", worse_on_new, above(LN10)),
            Sweep("memorized", lambda able: worse_on_new(2 * LN10, able), ((0, False), (1, True), (1, True)))],
    "T15": [Sweep("updates", lambda count: batches(count, 20), counts_under(optimization.FEW_UPDATES)),
            Sweep("in 10 epochs", lambda count: batches(count, 10), counts_under(10 * optimization.FEW_PER_EPOCH + 1)),
            Sweep("batch", batch_norm, counts_under(optimization.TINY_BATCH + 1))],
    "T16": [Sweep("of 1,000 training images", never, counts_from(FEWEST)),
            Sweep("training images", missing_class, ((0, True), (1, False), (2, False)))],
    "T17": [Sweep("units for ten classes", narrow, counts_under(9)),
            Sweep("layers", lambda count: bad(start=start(kernels=[kernel("a/kernel")] * count)), counts_under(2)),
            Sweep("slope", falling, ((FLAT_STEP - 1e-9, True), (FLAT_STEP + 1e-9, False), (0.01, False)))],
    "T18": [Sweep("target", lambda target: errors_of(0.1, 0.2, human_error=0.1, target_error=target), under(0.1))],
    "T19": [Sweep("bias", lambda error: errors_of(error, error), from_(TAU))],
    "T20": [Sweep("frozen of 1,000", frozen, counts_from(1 + round(1000 * capacity.FROZEN)))],
    "T21": [Sweep("behind", averaged, from_(convergence.BEHIND)),
            Sweep("steps", lambda count: averaged(momentum=0.75, count=count), counts_under(12)),
            Sweep("momentum", lambda momentum: averaged(momentum=momentum, count=30), ((0.89, False), (0.899, False), (0.901, True)))],
}  # fmt: skip
