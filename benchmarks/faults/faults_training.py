"""Faults in the rate, the budget, the network and the regularisation. The expected codes are those of the design."""

from __future__ import annotations

from collections.abc import Iterator

from healthy import model, optimizer, regularization, schedule, training
from suite import Case, mlp, net, of_family, rate, sgd, together
from worlds import World


def training_faults(world: World) -> Iterator[Case]:
    for family in (rates, budgets, inputs, starts, depths, heads, restraints):
        yield from family(world)


def rates(world: World) -> Iterator[Case]:
    early = schedule("exponential", decay_rate=1e-3, every=0.02 * world.epochs, staircase=True)
    yield from of_family(
        "rate",
        "fault",
        ("lr_x100", "T3 R3 T7", rate(world, 100)),
        ("lr_x1000", "T3 R3 R1 R2 T7", rate(world, 1000)),
        ("sgd_lr_high", "T3 R1 R3 R2 T7", sgd(1.0)),
        ("dying_relu_lr", "T3 T7", sgd(0.1 if world.spec["optimizer"]["name"] == "adam" else 0.3)),
        ("nan_rate", "R1 T3 R2", sgd(1e5)),
        ("lr_d10", "T2 T1", rate(world, 1 / 10)),
        ("lr_d100", "T2", rate(world, 1 / 100)),
        ("lr_d1000", "T2 R3", rate(world, 1 / 1000)),
        ("decay_early", "T4", early),
        ("decay_steps", "T4 T2", schedule("step", factor=0.1, every=2)),
        ("clip_tiny", "T12", sgd(0.02 if world.spec["optimizer"]["name"] == "adam" else world.rate,
                                 global_clipnorm=1e-3)),
    )  # fmt: skip


def budgets(world: World) -> Iterator[Case]:
    yield from of_family(
        "budget",
        "fault",
        ("ep2", "T1", training(epochs=2)),
        ("ep1", "T1", training(epochs=1)),
        ("bs1000", "T15 T1 T2", training(batch_size=world.sizes[0])),
        ("bs2", "T15 V9 T3", training(batch_size=2)),
        ("bn_bs2", "T15 V7", together(model(batch_norm=True), training(batch_size=2))),
        ("bn_slow", "V7 T15", net(world, norm_momentum=0.9999)),
        ("ema_slow", "T21", {"optimizer": {"use_ema": True, "ema_momentum": 0.9999}}),
        ("patience1", "T1", together(rate(world, 1 / 3), training(early_stopping={"patience": 1}))),
    )


def inputs(world: World) -> Iterator[Case]:
    yield from of_family(
        "input",
        "fault",
        ("no_norm_255", "R6 R4", {"data": {"normalize": "none"}}),
        ("double_norm", "R6", {"data": {"normalize": "rescale"}}, "divided"),
    )


def starts(world: World) -> Iterator[Case]:
    yield from of_family(
        "start",
        "fault",
        ("big_init", "T9 R4", net(world, normal=1.0)),
        ("tiny_init", "T9 R3 T7 T5", net(world, normal=1e-4)),
        ("const_init", "T9", net(world, constant=0.01)),
        ("zero_init", "T9 R3", model(initializer="zeros")),
        ("dying_relu", "T7 T9 R3", net(world, bias=-3.0)),
        ("frozen_backbone", "T20", net(world, frozen=True)),
    )


def depths(world: World) -> Iterator[Case]:
    deep = "T10 T5 T6 T8"
    yield from of_family(
        "network",
        "fault",
        ("sigmoid_cnn", "T5 T8", model(activation="sigmoid")),
        ("deep_sigmoid", "T5 T10 T8", mlp(8, activation="sigmoid")),
        ("softmax_hidden", "T5 R5", net(world, activation="softmax")),
        ("deep_plain20", deep, mlp(20)),
        ("deep_plain40", deep, mlp(40)),
        ("deep_plain40_bn", f"{deep} V7", mlp(40, batch_norm=True)),
        ("deep_tanh40", deep, mlp(40, activation="tanh")),
        ("tiny_net", "T17", mlp(1, units=2)),
        ("linear", "T17", mlp(0)),
    )


def heads(world: World) -> Iterator[Case]:
    yield from of_family(
        "head",
        "fault",
        ("double_softmax", "R5", net(world, head="double_softmax")),
        ("logits_as_probs", "R5 R4", net(world, head="as_probabilities")),
        ("relu_out", "R5 T16", net(world, head="relu")),
        ("flip_sign", "R2 R1", net(world, head="flipped")),
        ("dropout_at_test", "R8 T11 V7 R5", net(world, lasting_dropout=0.5)),
    )


def restraints(world: World) -> Iterator[Case]:
    strong = [
        {"name": "shift", "width": 0.5, "height": 0.5},
        {"name": "erasing", "probability": 1.0, "smallest": 0.3, "largest": 0.7},
        {"name": "gaussian_noise", "stddev": 2.0},
    ]
    spatial = together(regularization(dropout=0.7), model(spatial_dropout=0.7))
    more = together(regularization(dropout=0.9), model(spatial_dropout=0.9))
    yield from of_family(
        "restraint",
        "fault",
        ("l2_strong", "T11", regularization(l2=0.1)),
        ("l2_vstrong", "T11 R3", regularization(l2=1.0)),
        ("dropout7", "T11", spatial),
        ("dropout9", "T11 R3 R1", more),
        ("augmentation_strong", "T11", {"augmentation": strong}),
        ("smoothing8", "T11", regularization(label_smoothing=0.8)),
        ("weight_decay", "T11", optimizer("adamw", weight_decay=10.0)),
    )
