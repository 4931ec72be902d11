"""What the copies of a training step, one on each device, must agree upon so that together they do what one would do.

TensorFlow alone has copies: tf.distribute.MirroredStrategy runs the step on each device, with a share of the batch.
Keras takes the mean of the devices' means, clips gradients before it adds them up, and cannot accumulate them. Here
loss, penalty and gradient are those of the whole batch in each copy, so what follows from them is the same in all.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from improve.lazy import keras, np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ODD = 0x9E3779B9  # 2^32 over the golden ratio: the generators of two devices are far apart


def on_tensorflow() -> bool:
    return bool(keras.backend.backend() == "tensorflow")


def replicas() -> int:
    """How many copies the step in hand has; a model that is built will have."""
    if not on_tensorflow():
        return 1
    import tensorflow

    return int(tensorflow.distribute.get_strategy().num_replicas_in_sync)


def join(model: Any) -> None:
    """Make a compiled model ready for steps in copies: batch normalisation sees the whole batch, each device draws
    noise of its own and adds up penalties of its own. Without copies, TensorFlow is told not to sum gradients."""
    if replicas() > 1:
        for layer in model._flatten_layers():
            object.__setattr__(layer, "_losses", OfEachCopy())
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True
            for generator in layer._seed_generators:
                generator.next = noise_of_its_own(generator.next)
    elif on_tensorflow():
        # TensorFlow 2.21 registers the gradient of a sum over copies for good, and with it keeps the graph and the data
        model.optimizer._all_reduce_sum_gradients = list


def part(model: Any) -> None:
    """Undo the synchronisation of batch normalisation before a model is saved: JAX cannot load a synchronized layer."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = False


class OfEachCopy:
    """The list in which a Keras layer collects its penalties, one for each copy of the step: they take turns."""

    def __init__(self) -> None:
        self.lists: dict[int, list[Any]] = defaultdict(list)

    @property
    def mine(self) -> list[Any]:
        import tensorflow

        context = tensorflow.distribute.get_replica_context()
        return self.lists[context._replica_id if context else 0]  # its public name is a tensor

    def extend(self, losses: list[Any]) -> None:
        self.mine.extend(losses)

    def clear(self) -> None:
        self.mine.clear()

    def __getitem__(self, place: slice) -> list[Any]:
        return self.mine[place]


def noise_of_its_own(draw: Any) -> Any:
    """Keras's generators have one state, of which each device has a copy: all would draw the same."""

    def drawn(ordered: bool = True) -> Any:
        import tensorflow

        state, context = draw(ordered), tensorflow.distribute.get_replica_context()
        place = tensorflow.cast(context.replica_id_in_sync_group, state.dtype)
        return state + place * tensorflow.constant([ODD, 0], state.dtype)

    return drawn


def sum_over_replicas(values: list[Any]) -> list[Any]:
    """The sums over all copies of the step, None where there is None."""
    if replicas() == 1:
        return values
    import tensorflow

    context = tensorflow.distribute.get_replica_context()
    given = iter(context.all_reduce("SUM", [value for value in values if value is not None]))
    return [None if value is None else next(given) for value in values]


def loss_of_share(model: Any, images: Any, loss: Any, penalty: Any) -> tuple[Any, Any]:
    """What this copy of the step adds to the loss of the whole batch, and to the penalty in it, from those that it
    found for its own images: their mean, over the number of copies, as Keras gives it. Shares may differ in size."""
    copies = replicas()
    if copies == 1:
        return loss, penalty
    import tensorflow

    mine = tensorflow.cast(tensorflow.shape(images)[0], loss.dtype)
    share = mine / sum_over_replicas([mine])[0]
    # the penalty on weights is the same in each copy, that on activations is a mean over images
    fixed = sum((w.regularizer(w) for w in model.trainable_weights if w.regularizer), tensorflow.zeros((), loss.dtype))

    def weighed(mean: Any) -> Any:
        return fixed / copies + (mean - fixed) * share

    return weighed(loss * copies), weighed(penalty)


def optimizer_class(keras_class: type[Any]) -> type[Any]:
    """An optimizer that is given, in each copy of the step, the gradient of the whole batch. So clipping, accumulation
    and averages are those of one device; each copy updates its own weights, and all come to the same ones."""
    if replicas() == 1:
        return keras_class
    from keras.src.optimizers.base_optimizer import BaseOptimizer

    class InEachCopy(keras.optimizers.Optimizer):  # type: ignore[misc]
        """Comes after Keras's own class and before what it does for tf.distribute: that adds the gradients up once
        they are clipped, and cannot be done within a condition, which accumulation is."""

        _backend_update_step = BaseOptimizer._backend_update_step
        _apply_weight_decay = BaseOptimizer._apply_weight_decay
        _backend_increment_gradient_accumulators = BaseOptimizer._backend_increment_gradient_accumulators
        _overwrite_model_variables_with_average_value = BaseOptimizer._overwrite_model_variables_with_average_value

    return type(keras_class.__name__, (keras_class, InEachCopy), {})


def batch_logits(model: Any, images: NDArray[Any]) -> NDArray[Any]:
    """Predictions of one batch, each device a share of it."""
    strategy = getattr(model, "_distribute_strategy", None)
    if strategy is None:
        return np.asarray(model.predict_on_batch(images))
    copies = strategy.num_replicas_in_sync
    share = -(-len(images) // copies)
    padded = np.resize(images, (share * copies, *images.shape[1:]))
    given = strategy.experimental_distribute_values_from_function(
        lambda context: padded[share * context.replica_id_in_sync_group :][:share]
    )
    model.make_predict_function()
    return np.asarray(model.predict_function([(given,)]))[: len(images)]
