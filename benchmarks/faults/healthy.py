"""Sound configurations, and mutants that are known or hoped to do no harm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from suite import Case, Edits, mlp, net, of_family, rate, sgd, together
from worlds import World


def model(**options: Any) -> Edits:
    return {"model": options}


def training(**options: Any) -> Edits:
    return {"training": options}


def regularization(**options: Any) -> Edits:
    return {"regularization": options}


def optimizer(name: str, **options: Any) -> Edits:
    return {"optimizer": {"name": name, "learning_rate": 1e-3, **options}}


def schedule(name: str, **options: Any) -> Edits:
    return {"schedule": {"name": name, **options}}


def healthy(world: World) -> Iterator[Case]:
    shift, turn = {"name": "shift", "width": 0.1, "height": 0.1}, {"name": "rotate", "degrees": 10}
    batch, longer = world.spec["training"]["batch_size"], round(1.4 * world.epochs)
    average = world.net.get("pooling") == "average"
    rows: list[tuple[str, Edits]] = [
        ("base", {}),
        ("batch_norm", model(batch_norm=True)),
        ("sgd_momentum", sgd(0.02)),
        ("nesterov", sgd(0.02, nesterov=True)),
        ("mlp", mlp(2)),
        ("mlp_batch_norm", mlp(2, batch_norm=True)),
        ("dropout2", regularization(dropout=0.2)),
        ("dropout3_batch_norm", together(regularization(dropout=0.3), model(batch_norm=True))),
        ("shift", {"augmentation": [shift]}),
        ("shift_rotate", together({"augmentation": [shift, turn]}, training(epochs=longer))),
        ("shift_dropout", together({"augmentation": [shift]}, regularization(dropout=0.2), training(epochs=longer))),
        ("label_smoothing1", regularization(label_smoothing=0.1)),
        ("cosine", schedule("cosine")),
        ("step", schedule("step", factor=0.5, every=world.epochs // 3)),
        ("one_cycle", together(rate(world, 3), schedule("one_cycle"))),
        ("plateau", schedule("plateau", patience=5)),
        ("early_stopping", training(early_stopping={"patience": 6})),
        ("l2", regularization(l2=1e-4)),
        ("rmsprop", optimizer("rmsprop")),
        ("adam", optimizer("adam")),
        ("nadam", optimizer("nadam")),
        ("adamw", optimizer("adamw")),
        ("half_batch", training(batch_size=batch // 2)),
        ("double_batch", training(batch_size=2 * batch)),
        ("elu", model(activation="elu")),
        ("leaky_relu", model(activation="leaky_relu")),
        ("tanh", model(activation="tanh")),
        ("wider", model(filters=[2 * count for count in world.net["filters"]])),
        ("other_initializer", model(initializer="glorot_normal" if "initializer" in world.net else "he_normal")),
        ("two_convolutions", model(convolutions=2)),
        ("rescale", {"data": {"normalize": "rescale"}}),
        ("other_pooling", model(pooling="max" if average else "average")),
        ("warmup", schedule("constant", warmup=1)),
        ("longer", training(epochs=longer)),
        ("python", net(world)),
        (
            "python_rescaling",
            together(net(world, inner_scale=1 / 255), {"data": {"normalize": "none"}}, training(epochs=longer)),
        ),
    ]
    yield from of_family("healthy", "healthy", *((name, "", edits) for name, edits in rows))


def hard_negatives(world: World) -> Iterator[Case]:
    yield from of_family(
        "hard negative",
        "harmless",
        ("lr_x3", "T3", rate(world, 3)),
        ("lr_x10", "T3 T7 R3", rate(world, 10)),
        ("lr_d3", "T2 T1", rate(world, 1 / 3)),
        ("no_act", "T10 T17 T3 R1", model(activation="linear")),
        ("sigmoid_out", "R5", net(world, head="sigmoid")),
        ("softmax_left", "R5", net(world, head="softmax_left")),
        ("noise5", "T13", {}, "noise5"),
        ("smoothing5", "T11", regularization(label_smoothing=0.5)),
    )
    yield from of_family("small", "small", ("small_dev30", "R9", {}, "validation30"))
