"""A Ray cluster: joining it, and what is made sure of before a trial starts there."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from improve.errors import ImproveError, UsageError
from improve.experiments.ray.worker import different_versions, installed_versions, node_name

EXTRA = "ray>=2.50"
KNOCK = 5.0  # seconds that a cluster has to answer
PASSED_ON = ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL", "XLA_FLAGS")  # that change a run
SAME = "install the same versions on every node"
START = "ray start --head, and on other machines ray start --address=THIS_MACHINE:6379"


class Cluster(NamedTuple):
    """`address` as Ray takes it, or auto; `cpus` and `gpus` of one trial, fractions allowed."""

    address: str
    cpus: float
    gpus: float


def check_installed() -> None:
    """Raises UsageError, before anything slow."""
    if importlib.util.find_spec("ray") is None:
        raise UsageError("--ray needs Ray, which is not installed", fix=f"pip install '{EXTRA}' (the extra ray)")


def trials_with_room(cluster: Cluster, have: Mapping[str, float]) -> int:
    """The number of trials that the cluster has room for; 1 at least."""
    wanted = {"CPU": cluster.cpus, "GPU": cluster.gpus}
    return max(1, int(min((have.get(key, 0) / need for key, need in wanted.items() if need), default=1)))


def trial_resources(cluster: Cluster) -> dict[str, Any]:
    """Ray's options for one trial. A process that has held a GPU ends with its trial: TensorFlow would keep the GPU's
    memory."""
    return {"num_cpus": cluster.cpus, "num_gpus": cluster.gpus, "max_calls": 1 if cluster.gpus else 0}


def connect(cluster: Cluster) -> list[str]:
    """Join the cluster; its nodes by name. Raises ImproveError where there is none, UsageError where no trial has room
    or a node has other versions than this one."""
    import ray

    check_answers(cluster.address)
    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    try:
        ray.init(cluster.address, runtime_env={"env_vars": variables}, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        what = f"no Ray cluster answers at {cluster.address}: {first_line(error)}"
        raise ImproveError(what, fix=f"start one: {START}") from error
    try:
        nodes = [node for node in ray.nodes() if node["Alive"]]
        check_room(cluster, [node["Resources"] for node in nodes])
        return check_alike([node["NodeID"] for node in nodes], [node["NodeName"] for node in nodes])
    except BaseException:
        ray.shutdown()
        raise


def check_answers(address: str) -> None:
    """Ray itself knocks for ten minutes where nobody is. Raises ImproveError."""
    address = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    host, colon, port = address.rpartition("//")[2].rpartition(":")
    if address == "auto":
        return
    if not colon or not port.isdigit():
        raise UsageError(f"--ray {address}: this is no address", fix="auto, or host:port, such as 10.0.0.5:6379")
    try:
        socket.create_connection((host, int(port)), KNOCK).close()
    except (OSError, OverflowError) as error:
        raise ImproveError(f"no Ray cluster answers at {address}: {error}", fix=f"start one: {START}") from error


def check_room(cluster: Cluster, resources: list[dict[str, float]]) -> None:
    wanted = {"CPU": cluster.cpus, "GPU": cluster.gpus}
    if not any(all(have.get(key, 0) >= need for key, need in wanted.items()) for have in resources):
        most = {key: max((have.get(key, 0) for have in resources), default=0) for key in wanted}
        raise UsageError(
            f"a trial needs {cluster.cpus:g} CPUs and {cluster.gpus:g} GPUs, and no node of the cluster has both: at "
            f"most {most['CPU']:g} CPUs, {most['GPU']:g} GPUs",
            fix="write less into the spec, such as sweep: {cpus: 1}, or add a node",
        )


def check_alike(identities: list[str], names: list[str]) -> list[str]:
    """The names of the nodes, each of which has what is installed here; one that has left meanwhile is left out.
    Raises UsageError with the names of those that have something else."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    places = [NodeAffinitySchedulingStrategy(identity, soft=False) for identity in identities]
    asked = [ray.remote(node_versions).options(num_cpus=0, scheduling_strategy=place) for place in places]
    own, nodes, wrong = installed_versions(), list[str](), list[str]()
    for identity, name, answer in zip(identities, names, [one.remote() for one in asked], strict=True):
        try:
            place, theirs = ray.get(answer)
        except ray.exceptions.RayError as error:
            # Ray lists a node that was killed as alive until its heartbeats are missed, seconds later.
            if identity in {node["NodeID"] for node in ray.nodes() if node["Alive"]}:
                wrong.append(f"{name} cannot run improve: {first_line(error)}")
            continue
        nodes.append(place)
        different = different_versions(own, theirs)
        wrong += [f"{place} has {different}"] if different else []
    if wrong:
        raise UsageError("; ".join(wrong), fix=SAME)
    return nodes


def node_versions() -> tuple[str, dict[str, str]]:
    """Asked on every node."""
    return node_name(), installed_versions()


def first_line(error: BaseException) -> str:
    """Ray's errors hold whole tracebacks; the last line says what it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
