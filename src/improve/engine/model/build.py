"""Spec + PreparedData → a compiled Keras model: normalisation, network, loss, optimizer, schedule."""

from __future__ import annotations

from typing import Any

from improve.engine.model import devices, replicas
from improve.engine.model.instrument import recorded_model, recorded_optimizer
from improve.engine.model.losses import generalized_cross_entropy
from improve.engine.model.timeline import Timeline
from improve.lazy import keras
from improve.spec.normalizations import Statistics
from improve.spec.spec import Spec


def network(spec: Spec, shape: tuple[int, int, int], classes: int, normalization: Statistics) -> tuple[Any, Any]:
    """Keras tensors: images as they come (uint8 or float), and logits: (n, classes), or (n, 1) for one sigmoid."""
    images = keras.Input(shape, name="images")
    units = 1 if spec.data.source.one_output else classes
    return images, spec.model.build(normalization.layer()(images), units, spec.regularization)


def assemble(
    spec: Spec, shape: tuple[int, int, int], classes: int, normalization: Statistics, timeline: Timeline
) -> Any:
    """The model that is trained; seeds every generator of Keras first.

    It ends in logits: the cross-entropy of clipped probabilities, as Keras computes it after a softmax layer, has no
    gradient where the true class has less than 1e-7.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(spec.seed)
    with devices.spread(spec.training.devices):
        images, logits = network(spec, shape, classes, normalization)
        model = recorded_model(images, logits, timeline.steps_per_epoch)
        model.compile(optimizer=optimizer(spec, timeline), loss=loss(spec))
        model.optimizer.build(model.trainable_variables)
        replicas.join(model)
    return model


def loss(spec: Spec) -> Any:
    """The Keras loss on logits that the spec asks for, with its label smoothing."""
    smoothing = spec.regularization.label_smoothing
    if spec.training.loss == "generalized_cross_entropy":
        return generalized_cross_entropy(spec.data.source.one_output, smoothing)
    kind = keras.losses.BinaryCrossentropy if spec.data.source.one_output else keras.losses.CategoricalCrossentropy
    return kind(from_logits=True, label_smoothing=smoothing)


def optimizer(spec: Spec, timeline: Timeline) -> Any:
    part = spec.optimizer
    schedule = spec.schedule.build(part.learning_rate, timeline.length(spec), timeline.schedule_step)
    built = recorded_optimizer(part.keras_class(), timeline, **part.arguments(schedule))
    # decay is for kernels: Keras would also shrink biases and the scales of batch normalisation
    built.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return built


def deliverable_model(model: Any) -> Any:
    """The network to hand out: images in, probabilities out, no optimizer, no loss. Shares weights with `model`."""
    replicas.part(model)
    logits = model.outputs[0]
    activation = "sigmoid" if logits.shape[-1] == 1 else "softmax"
    probabilities = keras.layers.Activation(activation, name="probability")(logits)
    return keras.Model(model.inputs, probabilities, name="classifier")
