from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, field_serializer, model_validator

from improve.errors import ImproveError, UsageError
from improve.lazy import keras
from improve.spec import user_code
from improve.spec.component import refusal
from improve.spec.models.base import Architecture
from improve.spec.regularization import Regularization

GIVEN = 2  # input_shape and classes
OVERRIDDEN = ("train_step", "compute_loss")  # of keras.Model


class Python(Architecture):
    """Your own model: a function in a Python file beside the spec, `target: "mymodel.py:build"`.

    `def build(input_shape, classes, width=32): …` returns a keras.Model from images of `input_shape` (height, width,
    channels; normalised as the spec says, raw with `normalize: none`) to one number per class: logits, or
    probabilities if its last layer is a softmax (a sigmoid where classes is 1). Other keys beside the target are the
    function's options. Regularisation, dropout and batch normalisation are yours to build in. The function is called
    more than once, so weights that it loads are better kept on disk. What `compile` was given is not used: optimizer,
    loss and metrics are those of the spec, and there are no callbacks. What a layer of yours remembers must be one of
    its weights, and what it draws must come from a keras.random.SeedGenerator of its own: else a run that was stopped
    goes on otherwise.

    This runs code: only from the folder of the spec that names it; `--no-code` refuses it. The file alone is copied
    into the run folder, so that its spec.yaml runs again: what it imports has to be installed, and what it reads has to
    be named by a path that stays.
    """

    model_config = ConfigDict(extra="allow")

    name: Literal["python"] = "python"
    target: str = Field(description="FILE.py:FUNCTION, beside the spec", examples=["mymodel.py:build"])

    @model_validator(mode="after")
    def _options_that_a_saved_spec_can_hold(self) -> Python:
        for name, value in self.given.items():
            if not name.isidentifier():
                raise refusal(
                    f"{name!r} cannot be an option of a function", "write a letter, then letters, digits and _"
                )
            try:
                json.dumps(value, allow_nan=False)
            except ValueError:
                raise refusal(f"{name} is {value}", "options are finite numbers, words, and lists of them") from None
        return self

    @field_serializer("target")
    def _beside_the_spec(self, target: str) -> str:
        file, function = user_code.file_and_function(target)
        return f"{file.name}:{function}"

    @property
    def code(self) -> Path:
        return user_code.file_and_function(self.target)[0]

    @property
    def given(self) -> dict[str, Any]:
        return self.model_extra or {}

    def wrong(self, regularization: Regularization) -> tuple[str, str, str] | None:
        try:
            user_code.check(self.target, GIVEN, self.given)
        except UsageError as error:
            return "model.target", error.what, error.fix
        reached = ("l1", "l2", "activity_l1", "activity_l2", "max_norm", "dropout")
        for option in reached:
            if getattr(regularization, option):
                what = f"{option} cannot reach into a model of your own"
                return f"regularization.{option}", what, "build it into your function, with an option of its own"
        return None

    def build(self, images: Any, classes: int, regularization: Regularization) -> Any:
        model = user_code.call(self.target, tuple(images.shape[1:]), classes, **self.given)
        file, function = user_code.file_and_function(self.target)
        if not isinstance(model, keras.Model):
            raise ImproveError(f"{function} returned {type(model).__name__}", file.name, "return a keras.Model")
        check_usable(model, file.name)
        logits = ending_in_logits(model)(images)
        if tuple(logits.shape[1:]) != (classes,):
            what = f"{function} gives outputs of the shape {tuple(logits.shape)}"
            raise ImproveError(what, file.name, f"one number per class: {classes}")
        return logits


def check_usable(model: Any, file: str) -> None:
    """Raises ImproveError for what would be dropped in training, or would stop it at its end."""
    own = [name for name in OVERRIDDEN if getattr(type(model), name) is not getattr(keras.Model, name)]
    if own and not isinstance(model, keras.Sequential):
        what = f"the model has a {own[0]} of its own, which is not used here"
        raise ImproveError(what, file, "take it out: a loss is chosen by training.loss")
    try:
        model.get_config()
    except NotImplementedError:
        what = f"{type(model).__name__} cannot be saved, it has no get_config"
        raise ImproveError(what, file, "write get_config, or build it with keras.Input and keras.Model") from None
    if keras.config.dtype_policy().name == "mixed_float16":
        what = "the policy mixed_float16 scales the loss, so steps cannot be recorded"
        raise ImproveError(what, file, 'keras.mixed_precision.set_global_policy("mixed_bfloat16")')


def ending_in_logits(model: Any) -> Any:
    """The model without a last softmax or sigmoid; a subclassed model is taken to give logits."""
    outputs = getattr(model, "outputs", None) or []
    last: Any = outputs[0]._keras_history.operation if outputs else None
    squashing = (keras.activations.softmax, keras.activations.sigmoid)
    if isinstance(last, keras.layers.Softmax):
        return keras.Model(model.inputs, last.input)
    if getattr(last, "activation", None) in squashing:
        last.activation = keras.activations.linear
    return model
