"""The Spec: one experiment, complete. Every section, every default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from improve.spec.augmentations import AUGMENTATIONS, Augmentation
from improve.spec.component import Component, Count, Fraction, Positive, ProperFraction, Section, refusal
from improve.spec.datasets import DATASETS, Dataset, Digits
from improve.spec.models import MODELS, Lenet, Model
from improve.spec.normalizations import NORMALIZATIONS, Normalization, Standardize
from improve.spec.optimizers import OPTIMIZERS, Adam, Optimizer
from improve.spec.regularization import Regularization
from improve.spec.schedules import SCHEDULES, Constant, Length, Schedule
from improve.spec.splits import Split, TrainSize

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHELVES: dict[str, tuple[type[Component], ...]] = {
    "datasets": DATASETS,
    "normalizations": NORMALIZATIONS,
    "models": MODELS,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
    "augmentations": AUGMENTATIONS,
}
COMPONENTS = {component.key(): component for shelf in SHELVES.values() for component in shelf}  # no two have one name


def _class_weights(value: Any) -> str | dict[str, float]:
    if value in ("none", "balanced"):
        return str(value)
    if not isinstance(value, dict):
        raise refusal(f"{value!r} gives no weights", "write balanced, none, or {class: weight}, such as {cat: 2}")
    for name, weight in value.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise refusal(f"the weight of {name} is {weight!r}", "a weight is a number from 0; 1 is as ever")
    return {str(name): float(weight) for name, weight in value.items()}


_weights = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}}
ClassWeights = Annotated[
    Any, PlainValidator(_class_weights), WithJsonSchema({"anyOf": [{"enum": ["none", "balanced"]}, _weights]})
]


Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]


def _cost(value: Any) -> dict[str, float] | None:
    if value is None:
        return None
    found = _class_weights(value)
    if isinstance(found, str) or not found:
        raise refusal(f"{value!r} gives no costs", "write {class: cost of an error on it}, such as {bird: 10}")
    return found


Cost = Annotated[
    Any, PlainValidator(_cost), WithJsonSchema({"anyOf": [{**_weights, "minProperties": 1}, {"type": "null"}]})
]


class Target(Section):
    """The distribution that counts: validation and test images come from here, training images from `source`."""

    source: Dataset | None = Field(None, description="where they come from; the same source unless given")
    subset: Count | None = Field(None, description="use that many of them in all, stratified by class")
    train: ProperFraction = Field(
        0.0, description="share of them that joins the training set; without a source: of its own validation set"
    )
    simulate: Annotated[tuple[Augmentation, ...], Field(strict=False)] = Field(
        (), description="augmentations that make validation and test images another kind, drawn once"
    )


class SpecData(Section):
    """Which images, and which of them train, validate and test."""

    source: Dataset = Field(Digits(), description="where the images come from: improve list datasets")
    split: Split = Field(
        Split.model_validate("60/20/20"),
        description="train/validation/test in percent, {validation: 10%} of the source's training set, or own",
    )
    subset: Count | None = Field(None, description="use that many examples in all, stratified by class")
    train_size: TrainSize | None = Field(
        None, description="use only so many of the training part's examples, stratified: a count or a share, 500 or 25%"
    )
    duplicates: Literal["keep", "drop"] = Field(
        "keep", description="drop: training images that are validation or test images as well are left out"
    )
    normalize: Normalization = Field(Standardize(), description="improve list normalizations")
    train_dev: ProperFraction = Field(
        0.0, description="held out of the training part, to tell variance from data mismatch"
    )
    target: Target | None = Field(None, description="{source: …}: the distribution that you care about")
    split_seed: Seed | None = Field(
        None, description="divides the images; the spec's seed unless given: other seeds then keep the same parts"
    )

    @model_validator(mode="after")
    def _own_sets_first(self) -> SpecData:
        """A source that comes with a validation set stays divided as it is, unless the spec says how; what says no more
        than that was not chosen."""
        if self.source.own_split == "60/20/20":
            return self
        usual = Split.model_validate(self.source.own_split)
        if "split" not in self.model_fields_set:
            object.__setattr__(self, "split", usual)
        elif self.split == usual:
            self.model_fields_set.discard("split")
        return self


class EarlyStopping(Section):
    """Stop when the validation error has not improved for `patience` epochs."""

    patience: Count = Field(5, description="epochs without a better validation error")


def _devices(value: Any) -> str | int:
    if value in ("one", "all"):
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise refusal(f"{value!r} is no number of devices", "write one, all, or a number from 1")
    return value


Devices = Annotated[
    Any,
    PlainValidator(_devices),
    WithJsonSchema({"anyOf": [{"enum": ["one", "all"]}, {"type": "integer", "minimum": 1}]}),
]


class Training(Section):
    """How long and in what portions."""

    epochs: Count = Field(20, description="passes over the training set")
    batch_size: Count = Field(64, description="images per update")
    early_stopping: EarlyStopping | None = Field(None, description="{patience: 5}: stop when validation stalls")
    class_weights: ClassWeights = Field(
        "none", description="balanced: errors on rare classes weigh more; or {class: weight}"
    )
    save_every_seconds: Positive = Field(
        300.0,
        description="within a long epoch the state is saved that often; between epochs as often as it costs little",
    )
    deterministic: bool = Field(False, strict=True, description="the same numbers on a GPU every time; slower there")
    devices: Devices = Field(
        "one", description="one, all, or a number of this machine's: each takes a share of every batch"
    )
    loss: Literal["cross_entropy", "generalized_cross_entropy"] = Field(
        "cross_entropy", description="generalized_cross_entropy: does not go after labels that are wrong"
    )
    sampling: Literal["shuffle", "balanced"] = Field(
        "shuffle", description="balanced: each epoch shows every class equally often"
    )
    members: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        1, description="an ensemble of so many: seed, seed + 1 …, on the same images; it answers with their mean"
    )
    snapshots: Annotated[int, Field(strict=True, ge=2)] | None = Field(
        None, description="an ensemble of the run's own weights, from the last so many cycles of its warm restarts"
    )


class DiagnosisOptions(Section):
    """What the results are judged by."""

    human_error: Fraction | None = Field(None, description="error of people on this task; unknown unless given")
    human_n: Count | None = Field(None, description="images that the human error was measured on; exact unless given")
    target_error: Fraction | None = Field(None, description="the error you need; a gap matters from half the way there")
    cost: Cost = Field(
        None, description="{bird: 10}: an error on a bird counts 10, on others 1; the best epoch is chosen by that"
    )
    field_error: Fraction | None = Field(None, description="error measured where it is used")
    field_n: Count | None = Field(None, description="images that the field error was measured on; exact unless given")


class Spec(Section):
    """One experiment. What is left out has the default that `improve show` prints."""

    seed: Seed = Field(0, description="everything random follows from it")
    data: SpecData = Field(SpecData(), description="which images, and how they are divided")
    model: Model = Field(Lenet(), description="the architecture: improve list models")
    regularization: Regularization = Field(Regularization(), description="what holds the weights back")
    optimizer: Optimizer = Field(Adam(), description="how the weights move: improve list optimizers")
    schedule: Schedule = Field(Constant(), description="the learning rate over time: improve list schedules")
    augmentation: Annotated[tuple[Augmentation, ...], Field(strict=False)] = Field(
        (), description="changes to training images, in order: improve list augmentations"
    )
    training: Training = Field(Training(), description="how long, in what portions")
    diagnosis: DiagnosisOptions = Field(DiagnosisOptions(), description="what the results are judged by")
    evidence: Literal["full", "light"] = Field(
        "full", description="light: no probes beside the errors; the findings that need them say so"
    )

    @model_validator(mode="after")
    def _the_architectures_own(self) -> Spec:
        """Dropout and L2 that nobody gave are the architecture's own; only what differs from that was chosen."""
        filled, usual = self.model.filled(self.regularization), dict(self.model.filled(Regularization()))
        filled.model_fields_set.intersection_update({name for name, value in filled if value != usual[name]})
        object.__setattr__(self, "regularization", filled)  # frozen for everybody else
        return self

    @property
    def split_seed(self) -> int:
        """What divides the images."""
        return self.seed if self.data.split_seed is None else self.data.split_seed

    def rates(self, steps_per_epoch: int) -> NDArray[Any]:
        """The learning rate of every batch of the run, before any plateau."""
        return self.schedule.rates(self.optimizer.learning_rate, Length(steps_per_epoch, self.training.epochs))

    def on_one_device(self) -> Spec:
        """The spec for one device: it gives the same numbers wherever it runs."""
        return self.model_copy(update={"training": self.training.model_copy(update={"devices": "one"})})

    def complete(self) -> dict[str, Any]:
        """Plain data with every default filled in; it loads again as the same Spec."""
        return self.model_dump(mode="json")
