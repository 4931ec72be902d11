"""Shelf: optimizers. One class each, with Keras's own options and defaults."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from improve.lazy import keras
from improve.spec.component import (
    Component,
    Count,
    Finite,
    Flag,
    NonNegative,
    Positive,
    ProperFraction,
    bare_name,
    refusal,
)

Beta1 = Annotated[ProperFraction, Field(description="decay of the gradient's running mean")]
Beta2 = Annotated[ProperFraction, Field(description="decay of the squared gradient's running mean")]
Epsilon = Annotated[Positive, Field(description="keeps the division finite")]


class OptimizerComponent(Component):
    """What all optimizers share."""

    shelf = "optimizers"
    keras_name: ClassVar[str]
    learning_rate: Positive = Field(0.001, description="step size; a schedule starts from it")
    weight_decay: NonNegative | None = Field(
        None, description="decoupled decay, rate · decay · w per step; kernels only"
    )
    clipnorm: Positive | None = Field(None, description="clip each gradient to this norm")
    clipvalue: Positive | None = Field(None, description="clip each gradient entry to ± this")
    global_clipnorm: Positive | None = Field(None, description="clip all gradients together to this norm")
    use_ema: Flag = Field(False, description="measure and keep a running mean of the weights; training goes on as ever")
    ema_momentum: ProperFraction = Field(0.99, description="how slowly that mean moves")
    ema_overwrite_frequency: Count | None = Field(None, description="updates after which the mean replaces the weights")
    gradient_accumulation_steps: Annotated[int, Field(strict=True, ge=2)] | None = Field(
        None, description="batches whose gradients make one update"
    )
    loss_scale_factor: Positive | None = Field(None, description="scale the loss up, and its gradients down again")

    @model_validator(mode="after")
    def _one_clip(self) -> OptimizerComponent:
        given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(given) > 1:
            raise refusal(f"{' and '.join(given)} cannot stand together", "Keras clips in one way; keep one of them")
        return self

    def keras_class(self) -> Any:
        return getattr(keras.optimizers, self.keras_name)

    def arguments(self, learning_rate: Any) -> dict[str, Any]:
        """Keyword arguments of the Keras class; `learning_rate` is a number or a Keras schedule."""
        return {**self.options(), "learning_rate": learning_rate}


class Adam(OptimizerComponent):
    """Adaptive moments (Kingma & Ba, 2014): a good first choice when the rate is not tuned yet."""

    name: Literal["adam"] = "adam"
    keras_name = "Adam"
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7
    amsgrad: Flag = Field(False, description="use the largest second moment so far")


class Sgd(OptimizerComponent):
    """Stochastic gradient descent; with momentum 0.9 still the best final accuracy on small image nets.

    w ← w + v,  v ← momentum · v − learning_rate · gradient; `nesterov` looks ahead by one momentum step.
    """

    name: Literal["sgd"] = "sgd"
    keras_name = "SGD"
    learning_rate: Positive = Field(0.01, description="step size; a schedule starts from it")
    momentum: ProperFraction = Field(0.0, description="share of the last step that is kept")
    nesterov: Flag = Field(False, description="Nesterov's momentum")


class RmsProp(OptimizerComponent):
    """The gradient divided by a running root mean square of itself (Hinton, 2012)."""

    name: Literal["rmsprop"] = "rmsprop"
    keras_name = "RMSprop"
    rho: ProperFraction = Field(0.9, description="decay of the squared gradient's running mean")
    momentum: ProperFraction = Field(0.0, description="share of the last step that is kept")
    epsilon: Epsilon = 1e-7
    centered: Flag = Field(False, description="divide by the standard deviation instead of the root mean square")


class Adagrad(OptimizerComponent):
    """Each weight's rate falls with the sum of its squared gradients (Duchi et al., 2011).

    Trap: 0.001 is Keras 3's default rate; in Keras 2 it was 0.01, and at 0.001 it learns very slowly.
    """

    name: Literal["adagrad"] = "adagrad"
    keras_name = "Adagrad"
    initial_accumulator_value: NonNegative = Field(0.1, description="where the sum of squares starts")
    epsilon: Epsilon = 1e-7


class Adadelta(OptimizerComponent):
    """Adagrad with a window, and steps in the unit of the weights (Zeiler, 2012).

    Trap: Keras 3's default learning_rate of 0.001 is not the paper's 1.0, which Keras 2 had: at the default it hardly
    moves. Set learning_rate: 1.0 for the algorithm of the paper.
    """

    name: Literal["adadelta"] = "adadelta"
    keras_name = "Adadelta"
    rho: ProperFraction = Field(0.95, description="decay of the running means")
    epsilon: Epsilon = 1e-7


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2019): w ← w − rate · weight_decay · w, kernels only."""

    name: Literal["adamw"] = "adamw"  # type: ignore[assignment]
    keras_name = "AdamW"
    weight_decay: NonNegative | None = Field(0.004, description="decoupled decay, rate · decay · w; kernels only")


class Adamax(OptimizerComponent):
    """Adam with the infinity norm (Kingma & Ba, 2014, section 7). Keras 2's default rate was 0.002."""

    name: Literal["adamax"] = "adamax"
    keras_name = "Adamax"
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7


class Nadam(OptimizerComponent):
    """Adam with Nesterov's momentum (Dozat, 2016). Keras 2's default rate was 0.002."""

    name: Literal["nadam"] = "nadam"
    keras_name = "Nadam"
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7


class Lion(OptimizerComponent):
    """The sign of the momentum (Chen et al., 2023). Its authors use a 3 to 10 times smaller rate than for Adam."""

    name: Literal["lion"] = "lion"
    keras_name = "Lion"
    beta_1: Beta1 = 0.9
    beta_2: Annotated[ProperFraction, Field(description="decay of the momentum")] = 0.99


class Lamb(OptimizerComponent):
    """Adam whose step is scaled by each layer's own norm (You et al., 2019): for very large batches."""

    name: Literal["lamb"] = "lamb"
    keras_name = "Lamb"
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7


class Adafactor(OptimizerComponent):
    """Adam with factored second moments (Shazeer & Stern, 2018): little memory.

    With `relative_step` the rate is the smaller one of learning_rate and 1/√step, times the size of the weights.
    Trap: with Keras's epsilon_1 of 1e-30 a weight whose row and column both have no gradient (a dead unit on a pixel
    that never changes) becomes NaN, because their product is below the smallest float32; hence 1e-16.
    """

    name: Literal["adafactor"] = "adafactor"
    keras_name = "Adafactor"
    beta_2_decay: Annotated[Finite, Field(lt=0)] = Field(-0.8, description="how fast the second moment's decay rises")
    epsilon_1: Positive = Field(1e-16, description="keeps the division finite")
    epsilon_2: Positive = Field(1e-3, description="the least size of the weights that a step is scaled by")
    clip_threshold: Positive = Field(1.0, description="largest root mean square of an update")
    relative_step: Flag = Field(True, description="let the rate fall as 1/√step")


class Ftrl(OptimizerComponent):
    """Follow the regularised leader (McMahan et al., 2013): made for sparse linear models."""

    name: Literal["ftrl"] = "ftrl"
    keras_name = "Ftrl"
    learning_rate_power: Annotated[Finite, Field(le=0)] = Field(-0.5, description="how the rate falls; 0: it stays")
    initial_accumulator_value: NonNegative = Field(0.1, description="where the sum of squares starts")
    l1_regularization_strength: NonNegative = Field(0.0, description="L1 inside the optimizer, biases included")
    l2_regularization_strength: NonNegative = Field(0.0, description="L2 inside the optimizer, biases included")
    l2_shrinkage_regularization_strength: NonNegative = Field(0.0, description="L2 on the gradient")
    beta: NonNegative = Field(0.0, description="the paper's β")


class Muon(OptimizerComponent):
    """Orthogonalised momentum for matrices (Jordan, 2024); everything else gets AdamW.

    Trap: Keras treats only two-dimensional weights as matrices, so the kernels of convolutions get AdamW. The
    classifier is in `exclude_layers`, as its author advises.
    """

    name: Literal["muon"] = "muon"
    keras_name = "Muon"
    weight_decay: NonNegative | None = Field(0.004, description="decoupled decay of the matrices")
    adam_weight_decay: NonNegative = Field(0.004, description="decoupled decay of the kernels that get AdamW")
    adam_beta_1: Beta1 = 0.9
    adam_beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-7
    exclude_layers: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        ("logits",), description="layers, by a part of their name, that get AdamW"
    )
    exclude_embeddings: Flag = Field(True, description="embeddings get AdamW")
    muon_a: Finite = Field(3.4445, description="first coefficient of the Newton-Schulz step")
    muon_b: Finite = Field(-4.775, description="second coefficient")
    muon_c: Finite = Field(2.0315, description="third coefficient")
    adam_lr_ratio: Positive = Field(1.0, description="AdamW's rate as a share of learning_rate")
    momentum: ProperFraction = Field(0.95, description="share of the last step that is kept")
    ns_steps: Count = Field(5, description="Newton-Schulz steps")
    nesterov: Flag = Field(True, description="Nesterov's momentum")
    rms_rate: Positive | None = Field(0.2, description="scales updates to the size of Adam's (Liu et al., 2025)")

    def arguments(self, learning_rate: Any) -> dict[str, Any]:
        return {**super().arguments(learning_rate), "exclude_layers": list(self.exclude_layers)}


class ScheduleFreeAdamW(OptimizerComponent):
    """AdamW that needs no schedule (Defazio et al., 2024): errors are measured at the averaged weights, as it asks.

    Keep the schedule constant.
    """

    name: Literal["schedule_free_adamw"] = "schedule_free_adamw"
    keras_name = "ScheduleFreeAdamW"
    learning_rate: Positive = Field(0.0025, description="step size")
    beta_1: Annotated[ProperFraction, Field(gt=0, description="how near training stays to the average")] = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8
    warmup_steps: Annotated[int, Field(strict=True, ge=0)] = Field(0, description="updates in which the rate rises")


OPTIMIZERS = (
    Adam, Sgd, RmsProp, Adagrad, Adadelta, AdamW, Adamax, Nadam, Lion, Lamb, Adafactor, Ftrl, Muon, ScheduleFreeAdamW,
)  # fmt: skip
_Adams = Adam | AdamW | Adamax | Nadam | Lamb | Adafactor | ScheduleFreeAdamW
_Others = Sgd | RmsProp | Adagrad | Adadelta | Lion | Ftrl | Muon
Optimizer = Annotated[_Adams | _Others, Field(discriminator="name"), bare_name("adam")]
