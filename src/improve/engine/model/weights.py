"""The variables of a model as arrays by name, and back."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from improve.errors import ImproveError, UsageError
from improve.lazy import np
from improve.runs.generations import Arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOG, SUM = "_log", "gradient_accumulator"  # optimizer variables that a change of the settings makes anew


def network_variables(model: Any) -> list[Any]:
    """Weights, moving statistics and random-generator states; not the metrics."""
    return [*model.trainable_variables, *model.non_trainable_variables]


def weights_of(model: Any) -> Arrays:
    """Every variable of the network, named by its place and path."""
    return named(network_variables(model))


def state_of(model: Any) -> Arrays:
    """All that training moves: the network's variables and the optimizer's."""
    network = {f"network/{name}": array for name, array in weights_of(model).items()}
    return network | {f"optimizer/{name}": array for name, array in named(model.optimizer.variables).items()}


def named(variables: list[Any]) -> Arrays:
    return {f"{place:04d} {variable.path}": variable.numpy() for place, variable in enumerate(variables)}


def restore(model: Any, arrays: Arrays) -> None:
    """Put back what `weights_of` gave."""
    for variable, name in zip(network_variables(model), sorted(arrays), strict=True):
        variable.assign(arrays[name])


def restore_state(model: Any, arrays: Arrays) -> None:
    """Put back what `state_of` gave. Raises UsageError where it does not fit this model and its optimizer."""
    for part, variables in (("network", network_variables(model)), ("optimizer", model.optimizer.variables)):
        put_back(variables, {name.removeprefix(f"{part}/"): arrays[name] for name in arrays if name.startswith(part)})


def put_back(variables: list[Any], arrays: Arrays) -> None:
    by_path: dict[str, list[NDArray[Any]]] = defaultdict(list)
    for name in sorted(arrays):
        by_path[name.partition(" ")[2]].append(arrays[name])
    for variable in variables:
        waiting = by_path[variable.path]
        if waiting and waiting[0].shape == tuple(variable.shape):
            variable.assign(waiting.pop(0))
        elif not renewed(variable.path):
            raise misfit(f"{variable.path} of shape {tuple(variable.shape)} is not in it")
        else:
            waiting.clear()
    left = [path for path, waiting in by_path.items() if waiting and not renewed(path)]
    if left:
        raise misfit(f"it has {left[0]}, for which there is no place")


def renewed(path: str) -> bool:
    return LOG in path or SUM in path


def misfit(why: str) -> UsageError:
    return UsageError(
        f"the saved state does not fit this network and optimizer: {why}",
        fix="improve train SPEC --from RUN starts a new run from these weights",
    )


def begin_from(model: Any, weights: Arrays) -> tuple[int, int]:
    """Copy `weights` (as of `weights_of`) into variables of the same name and shape; returns how many were copied, of
    how many variables. Raises ImproveError where none fits."""
    variables = {one.path: one for one in network_variables(model) if "seed_generator" not in one.path}
    copied, kernels = 0, 0
    for name, array in weights.items():
        variable = variables.get(name.partition(" ")[2])
        if variable is not None and tuple(variable.shape) == array.shape:
            variable.assign(array)
            copied, kernels = copied + 1, kernels + (array.ndim > 1)
    if not kernels:
        raise ImproveError(
            "no kernel of this network has the name and shape of one in that run", fix="train without --from"
        )
    return copied, len(variables)


def state_sha256(state: Arrays) -> str:
    """One digest over what `state_of` gave, but for the log of the steps: weights, generators, optimizer slots."""
    hashed = hashlib.sha256()
    kept = [(name, array) for name, array in state.items() if name.startswith("network/") or LOG not in name]
    for place, (name, values) in enumerate(kept):
        array = np.ascontiguousarray(values)
        hashed.update(f"{place:04d} {name.partition(' ')[2]} {array.dtype} {array.shape}".encode())
        hashed.update(array.tobytes())
    return hashed.hexdigest()
