"""The Spec: one experiment, complete. Every section, every default."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from improve.augmentations import AUGMENTATIONS, Augmentation
from improve.datasets import DATASETS, Dataset, Digits
from improve.models import MODELS, Lenet, Model
from improve.normalizations import NORMALIZATIONS, Normalization, Standardize
from improve.optimizers import OPTIMIZERS, Adam, Optimizer
from improve.parts import Count, Fraction, Part, ProperFraction, Section
from improve.regularization import Regularization
from improve.schedules import SCHEDULES, Constant, Schedule
from improve.splits import Sizes, Split, sizes

SHELVES: dict[str, tuple[type[Part], ...]] = {
    "datasets": DATASETS,
    "normalizations": NORMALIZATIONS,
    "models": MODELS,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
    "augmentations": AUGMENTATIONS,
}


class Data(Section):
    """Which images, and which of them train, validate and test."""

    source: Dataset = Field(Digits(), description="where the images come from: improve list datasets")
    split: Split = Field(
        Split.model_validate("60/20/20"),
        description="train/validation/test in percent, or {validation: 10%} of the source's training set",
    )
    subset: Count | None = Field(None, description="use that many examples in all, stratified by class")
    normalize: Normalization = Field(Standardize(), description="improve list normalizations")
    train_dev: ProperFraction = Field(
        0.0, description="held out of the training part, to tell variance from data mismatch"
    )

    def sizes(self, train: int, test: int) -> Sizes:
        """Examples per part, from a source with `train` and `test` examples."""
        return sizes(self.split, train, test, self.subset, self.train_dev)


class EarlyStopping(Section):
    """Stop when the validation error has not improved for `patience` epochs."""

    patience: Count = Field(5, description="epochs without a better validation error")


class Training(Section):
    """How long and in what portions."""

    epochs: Count = Field(20, description="passes over the training set")
    batch_size: Count = Field(64, description="images per update")
    early_stopping: EarlyStopping | None = Field(None, description="{patience: 5}: stop when validation stalls")


class DiagnosisOptions(Section):
    """What the results are judged by."""

    human_error: Fraction | None = Field(None, description="error of people on this task; unknown unless given")
    human_n: Count | None = Field(None, description="images that the human error was measured on; exact unless given")
    target_error: Fraction | None = Field(None, description="the error you need; a gap matters from half the way there")


class Spec(Section):
    """One experiment. What is left out has the default that `improve show` prints."""

    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] = Field(0, description="everything random follows from it")
    data: Data = Field(Data(), description="which images, and how they are divided")
    model: Model = Field(Lenet(), description="the architecture: improve list models")
    regularization: Regularization = Field(Regularization(), description="what holds the weights back")
    optimizer: Optimizer = Field(Adam(), description="how the weights move: improve list optimizers")
    schedule: Schedule = Field(Constant(), description="the learning rate over time: improve list schedules")
    augmentation: Annotated[tuple[Augmentation, ...], Field(strict=False)] = Field(
        (), description="changes to training images, in order: improve list augmentations"
    )
    training: Training = Field(Training(), description="how long, in what portions")
    diagnosis: DiagnosisOptions = Field(DiagnosisOptions(), description="what the results are judged by")

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """The learning rate of update number `step`, counted from 0."""
        return float(self.schedule.rate(self.optimizer.learning_rate, step, steps_per_epoch))

    def complete(self) -> dict[str, Any]:
        """Plain data with every default filled in; it loads again as the same Spec."""
        return self.model_dump(mode="json")
