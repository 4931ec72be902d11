"""The architectures as they are written in a spec: what they refuse, what they take. No Keras."""

import pytest
from pydantic import TypeAdapter, ValidationError

from improve.spec.models import MODELS, Cnn, Lenet, Lenet5, Minigooglenet, Minivggnet, Mlp, Model, Python, Resnet
from improve.spec.regularization import Regularization

ids = {"ids": lambda value: value.key() if isinstance(value, type) else None}


def refusals(part, **options):
    """The errors' messages."""
    with pytest.raises(ValidationError) as caught:
        part(**options)
    return [item["msg"] for item in caught.value.errors()]


@pytest.mark.parametrize(
    ("part", "side"),
    [
        (Lenet(), 4),
        (Lenet5(), 28),
        (Minivggnet(), 4),
        (Minigooglenet(), 31),
        (Resnet(), 29),
        (Resnet(stages=(2,), filters=(8, 8)), 8),
        (Resnet(stages=(2, 2), filters=(8, 8, 8)), 15),
        (Mlp(), 1),
        (Cnn(), 4),
        (Cnn(filters=(4, 4, 4), pooling="average"), 8),
        (Cnn(filters=(4, 4, 4), pooling="none"), 1),
    ],
)
def test_an_image_is_refused_one_pixel_under_what_the_network_needs(part, side):
    assert part.cannot_take(side, side) == part.cannot_take(side, 500) == part.cannot_take(500, side) == ""
    for height, width in ((side - 1, side), (side, side - 1)):
        what = part.cannot_take(height, width)
        assert what.startswith(f"{part.name} needs images of at least {side}×{side} pixels")
        assert what.endswith(f", these are {height}×{width}")


def test_a_refusal_says_why():
    assert Minigooglenet().cannot_take(28, 28) == (
        "minigooglenet needs images of at least 31×31 pixels (two halvings must leave 7×7 for the last pooling), "
        "these are 28×28"
    )
    assert "(2 halvings must leave 8×8 for the last pooling)" in Resnet().cannot_take(28, 28)
    assert "(2 poolings halve them)" in Cnn().cannot_take(3, 3)


def test_the_filters_of_a_resnet_fit_its_stages():
    assert refusals(Resnet, filters=(8, 8)) == ["3 stages need 4 numbers, the first convolution's first; these are 2"]
    assert "2 stages need 3 numbers" in refusals(Resnet, stages=(3, 3))[0]
    assert refusals(Resnet, filters=(6, 8, 8, 10)) == ["a bottleneck has a quarter of its stage's filters, 10 has none"]
    assert Resnet(filters=(6, 8, 8, 12)).filters == (6, 8, 8, 12)
    assert refusals(Resnet, stages=())[0] == "this list is empty"


def test_the_kernel_size_of_a_cnn_is_one_number_or_one_for_each_block():
    model = TypeAdapter(Model)
    for given, kept in ((5, (5,)), ([5], (5,)), ([5, 3], (5, 3))):
        part = model.validate_python({"name": "cnn", "kernel_size": given})
        assert part.kernel_size == kept
        assert model.validate_python(part.model_dump(mode="json")) == part
    assert refusals(Cnn, kernel_size=(3, 3, 3)) == ["3 sizes do not fit 2 blocks"]
    assert refusals(Cnn, kernel_size=()) == ["0 sizes do not fit 2 blocks"]
    assert refusals(Cnn, filters=())[0] == "this list is empty"
    for wrong in (0, -1, 3.5, True, "3"):
        assert len(refusals(Cnn, kernel_size=wrong)) == 1


def test_a_kernel_size_may_be_a_bare_number_in_the_schema_too():
    jsonschema = pytest.importorskip("jsonschema")
    schema = TypeAdapter(Model).json_schema()
    for size, errors in ((5, 0), ([5, 3], 0), ("5", 1), (0, 1)):
        found = list(jsonschema.Draft7Validator(schema).iter_errors({"name": "cnn", "kernel_size": size}))
        assert bool(found) == bool(errors), size


@pytest.mark.parametrize("part", [part for part in MODELS if part is not Python], **ids)
def test_a_bigger_network_is_valid_and_has_larger_numbers(part):
    usual = part()
    for option, value in usual.bigger().items():
        bigger = part.model_validate({option: value})
        assert sum(getattr(bigger, option)) > sum(getattr(usual, option))


def test_some_networks_can_be_made_bigger():
    assert Resnet().bigger() == {"filters": [128, 128, 256, 512]}
    assert Cnn().bigger() == {"filters": [64, 128]}
    assert Mlp(hidden=()).bigger() == {"hidden": [64]}


@pytest.mark.parametrize(
    ("part", "l2", "dropout"),
    [(Lenet, 0.0, 0.0), (Minivggnet, 0.0, 0.5), (Minigooglenet, 0.0, 0.5), (Resnet, 1e-4, 0.0), (Cnn, 0.0, 0.0)],
    **ids,
)
def test_what_is_not_asked_for_is_the_architectures_own(part, l2, dropout):
    filled = part.filled(Regularization(l1=0.5))
    assert (filled.l1, filled.l2, filled.dropout) == (0.5, l2, dropout)
    asked = Regularization(l2=0.0, dropout=0.0)
    assert part.filled(asked) == asked
    assert part.filled(filled) == filled


@pytest.mark.parametrize("part", MODELS, **ids)
def test_the_name_is_that_of_the_file_and_every_option_is_described(part):
    assert part.__module__ == f"improve.spec.models.{part.key()}"
    assert part.summary()
    assert all(field.description for name, field in part.model_fields.items() if name != "name")
