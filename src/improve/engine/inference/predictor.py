"""A run → something that classifies images: rebuilt from its own folder, without its data.

The network comes from spec.yaml, its weights from the best epoch in state/, the statistics of the normalisation and
the names of the classes from environment.json. Nothing is deserialised, and nothing is measured anew. An ensemble
(summary.json names its members) gives the mean of its members' probabilities, weighted where it says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.engine.model.build import deliverable_model, network
from improve.engine.model.measure import log_softmax, logits_of, with_both_classes
from improve.engine.model.weights import restore
from improve.engine.training.checkpoint import best_weights
from improve.errors import ImproveError, UsageError, printable
from improve.images.array import Images
from improve.lazy import keras, np
from improve.runs import ensemble
from improve.runs.generations import Arrays
from improve.runs.run import Run, load_run
from improve.spec.normalizations import Statistics
from improve.spec.spec import Spec
from improve.spec.user_code import located_target

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Form(NamedTuple):
    """What a model takes and tells: the `shape` (height, width, channels) and `type` of its images, its classes.
    A run of an older version does not say the type: nearly all are of bytes."""

    shape: tuple[int, int, int]
    type: str
    class_names: tuple[str, ...]

    @property
    def bytes(self) -> bool:
        """Whether pixels are whole numbers from 0 to 255."""
        return self.type in ("uint8", "")


@dataclass(frozen=True)
class Member:
    """One trained network as it lies on disk."""

    run: Run
    spec: Spec
    form: Form
    normalization: Statistics
    weights: Arrays

    @cached_property
    def network(self) -> Any:
        """The Keras model, images → logits, with the weights of the best epoch. Sets the seeds of Keras, as training
        does: code of the user's own may draw numbers. Raises ImproveError where the weights are another network's."""
        keras.utils.clear_session()  # else layers without a name are numbered on
        keras.utils.set_random_seed(self.spec.seed)
        made = keras.Model(*network(self.spec, self.form.shape, len(self.form.class_names), self.normalization))
        try:
            restore(made, self.weights)
        except ValueError as error:
            raise ImproveError(
                f"the weights of {self.run.folder} are not those of the network in its spec.yaml",
                fix="was spec.yaml or the model's own code changed? Take them as they were when it was trained",
            ) from error
        return made


@dataclass(frozen=True)
class Predictor:
    """Classifies images (n, height, width, channels) as they come, of `form`. `shares` of the members add up to 1."""

    run: Run
    members: tuple[Member, ...]
    shares: tuple[float, ...]

    @property
    def form(self) -> Form:
        return self.members[0].form

    @property
    def spec(self) -> Spec:
        """The spec of the run; of an ensemble its first member's, which saw the same kind of images."""
        return self.members[0].spec

    @property
    def code(self) -> list[Path]:
        """Files of the user's own code that it runs."""
        return [member.spec.model.code for member in self.members if member.spec.model.code]

    def probabilities(self, images: Images) -> NDArray[Any]:
        """Probabilities (n, classes; float32) of each class, measured as training measures."""
        logits = np.split(logits_of(self.logits, images), len(self.members), axis=1)
        each = [np.exp(log_softmax(with_both_classes(mine))) for mine in logits]
        return np.tensordot(self.shares, each, 1).astype(np.float32)

    @cached_property
    def logits(self) -> Any:
        """The members as one Keras model, images → their logits side by side: it is compiled once."""
        networks = [member.network for member in self.members]
        if len(networks) == 1:
            return networks[0]
        images = keras.Input(self.form.shape)
        for number, made in enumerate(networks, start=1):
            made.name = f"network_{number}"
        return keras.Model(images, keras.layers.Concatenate(axis=1)([made(images) for made in networks]))

    def model(self) -> Any:
        """One Keras model to hand out: images → probabilities (n, classes), or (n, 1) of the second of two classes."""
        parts = [deliverable_model(member.network) for member in self.members]
        whole = parts[0] if len(parts) == 1 else self.averaged(parts)
        whole(np.zeros((1, *self.form.shape), np.float32))  # ONNX wants a model that was called
        return whole

    def averaged(self, parts: list[Any]) -> Any:
        images = keras.Input(self.form.shape, name="images")
        weighed = []
        for number, (part, share) in enumerate(zip(parts, self.shares, strict=True), start=1):
            part.name = f"member_{number}"
            weighed.append(keras.layers.Rescaling(scale=share, name=f"share_{number}")(part(images)))
        return keras.Model(images, keras.layers.Add(name="probability")(weighed), name="classifier")


def load_predictor(folder: str | Path, code: bool = True) -> Predictor:
    """The predictor of a run, before Keras is needed. Without `code` a model of the user's own is refused.

    Raises UsageError where `folder` is no run, ImproveError where it is damaged or has no best epoch.
    """
    found = load_run(folder)
    runs, shares = answering(found)
    members = tuple(member_of(one, code) for one in runs)
    other = next((member for member in members if member.form != members[0].form), None)
    if other is not None:
        raise ImproveError(
            f"members of {folder} differ in their classes or images: {members[0].run.name} and {other.run.name}",
            fix="average runs on the same data",
        )
    return Predictor(found, members, tuple(shares))


def answering(run: Run) -> tuple[list[Run], list[float]]:
    """The runs that are averaged and their shares, which add up to 1; a run that is no ensemble answers alone.

    Raises ImproveError where an ensemble does not say of what.
    """
    if run.summary.members is None:
        return [run], [1.0]
    for name in run.summary.members:
        if Path(name).is_absolute() or "\0" in name:
            raise ImproveError(f"{printable(name)} cannot be a member of {run.folder}", fix="make the ensemble again")
    folders, shares = ensemble.members(run)
    runs = [load_run(folder) for folder in folders]
    if (
        not runs
        or any(one.summary.members is not None for one in runs)
        or not math.isclose(sum(shares), 1, abs_tol=1e-6)
    ):
        raise ImproveError(f"the members of {run.folder} make no sense", fix="make the ensemble again")
    return runs, shares


def member_of(found: Run, code: bool) -> Member:
    spec = spec_of(found, code)
    form, normalization = recorded_form(found)
    return Member(found, spec, form, normalization, best_weights(found.folder))


def spec_of(run: Run, code: bool) -> Spec:
    """The run's spec; the user's own code is the copy in the run's folder, and is looked at without being run."""
    told = dict(run.spec)
    if told["model"]["name"] == "python":
        if not code:
            raise UsageError(f"{run.folder} runs your own code, and --no-code is set", fix="leave --no-code out")
        told["model"] = told["model"] | {"target": located_target(told["model"]["target"], run.folder)}
    spec = Spec.model_validate(told)
    wrong = spec.model.wrong(spec.regularization)
    if wrong:
        raise UsageError(wrong[1], str(run.folder), wrong[2])
    return spec


def recorded_form(run: Run) -> tuple[Form, Statistics]:
    """What environment.json says of the images, their classes and the normalisation."""
    data, normalization = run.environment.data, run.environment.normalization
    try:
        height, width, channels = map(int, data.image)
        subtract, divide = (np.asarray(normalization[key], np.float64) for key in ("subtract", "divide"))
        whole = np.broadcast_shapes(subtract.shape, divide.shape, (height, width, channels))
        if whole != (height, width, channels) or not np.isfinite(subtract / divide).all() or len(data.classes) < 2:
            raise ValueError("its numbers do not fit together")
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ImproveError(
            f"{run.folder} does not say what its images and its normalisation are: {error}",
            fix="take the environment.json that was written while it trained",
        ) from error
    form = Form((height, width, channels), str(data.type or ""), tuple(data.classes))
    return form, Statistics(subtract, divide)
