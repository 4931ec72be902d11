"""Where the trials of a sweep run: on the nodes of a Ray cluster. Ray decides where and when, and tries again elsewhere
what a node took with it; here a trial is asked for, and its run folder received."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from improve import ledger, run
from improve.errors import ImproveError, UsageError
from improve.parcels import Parcel, folder_unpacked, packed, remove_arriving
from improve.ray_worker import Order, Post, installed, others, serve, where
from improve.spec import Spec
from improve.trials import FRESH, Judge, Outcome, Watcher
from improve.trials_worker import Shelf

EXTRA = "ray>=2.50"
AGAIN = 3  # times that Ray tries a trial whose node or process is lost
WAIT = 0.5  # seconds between looks at whether somebody pressed Ctrl+C
KNOCK = 5.0  # seconds that a cluster has to answer
LOG = "nodes.csv"  # in the folder of the sweep: what ran where
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


class RayTrials:
    """Every trial is a Ray task; its data lie in Ray's object store, which brings them to each node once."""

    def __init__(self, runs: Path, watcher: Watcher, cluster: Cluster):
        self.runs, self.watcher, self.cluster = runs, watcher, cluster
        self.judge: Judge | None = None
        self.stopping, self.open, self.kept, self.shelf = False, dict[Any, str](), dict[str, Any](), Shelf()
        nodes = connected(cluster)
        remove_arriving(runs)
        self.ray = importlib.import_module("ray")
        for node in nodes:
            self.log("", "there" if node != where() else "driver", node)
        self.at_once = rooms(cluster, self.ray.cluster_resources())
        self.post = self.beside(self.ray.remote(num_cpus=0)(Post)).remote()
        self.told = self.post.next.remote()
        self.task = self.ray.remote(**needs(cluster), max_retries=AGAIN)(serve)

    def beside(self, actor: Any) -> Any:
        """On this very node, which is there as long as this process is."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = self.ray.get_runtime_context().get_node_id()
        return actor.options(scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False))

    def submit(self, name: str, spec: Spec) -> None:
        code = spec.model.code
        sent = (code.name, code.read_bytes()) if code else None
        order = Order(name, spec.complete(), sent, self.data(spec), self.judge is not None, installed())
        self.open[self.task.remote(order, self.post)] = name

    def data(self, spec: Spec) -> Parcel:
        """Read here, once; a node needs no data of its own."""
        return packed(self.shelf.of(spec, self.watcher.reading), self.kept, self.ray.put)

    def finished(self) -> Iterator[Outcome]:
        while self.open and not self.stopping:
            for done in self.ray.wait([*self.open, self.told], timeout=WAIT)[0]:
                if done in self.open:
                    name = self.open.pop(done)
                    yield name, self.outcome(name, done)
                else:
                    self.hear(self.next_event())

    def next_event(self) -> dict[str, Any]:
        """Raises ImproveError where this machine's own node is gone."""
        try:
            return dict(self.ray.get(self.told))
        except self.ray.exceptions.RayError as error:
            what = f"the node that this process belongs to is lost: {first_line(error)}"
            raise ImproveError(what, fix="start it again; the same command goes on") from error
        finally:
            self.told = self.post.next.remote()

    def hear(self, event: dict[str, Any]) -> None:
        name = event["name"]
        if event["event"] == "begun":
            self.watcher.begun(name)
            self.log(name, "begun", event["node"])
            return
        self.watcher.epoch(name, event["row"])
        if self.judge is not None:
            self.post.answer.remote(name, self.judge(name, event["row"]))

    def outcome(self, name: str, done: Any) -> Path | ImproveError:
        """The run folder, where there is one; a trial that was lost too often has failed."""
        try:
            event = dict(self.ray.get(done))
        except self.ray.exceptions.RayError as error:
            self.log(name, "lost", "")
            return ImproveError(f"the trial was lost {AGAIN + 1} times: {first_line(error)}")
        kind = event.pop("event")
        self.log(name, kind, event.pop("node"))
        if kind == "refused":
            raise UsageError(event["what"], fix=SAME)
        contents = event.pop("contents", None)
        return ImproveError(**event) if contents is None else self.received(name, contents)

    def received(self, name: str, contents: Mapping[str, bytes | None]) -> Path:
        folder = self.runs / run.checked_name(name)
        folder_unpacked(contents, folder)
        made = run.load(folder)
        if "validation" in made.summary:
            digests = made.fingerprint.get("validation"), ledger.experiment(made.spec)
            ledger.write_down(self.runs, name, "validation", *digests, made.summary["validation"])
        return folder

    def log(self, name: str, what: str, node: str) -> None:
        file = self.runs / LOG
        head = "" if file.exists() else "time,run,event,node\n"
        ledger.append(file, f"{head}{datetime.now(UTC).isoformat(timespec='milliseconds')},{name},{what},{node}")

    def stop(self, number: int) -> None:
        """What is in hand is given up: it starts over when the sweep goes on."""
        self.stopping = True

    def close(self) -> None:
        for trial in self.open:
            with contextlib.suppress(self.ray.exceptions.RayError, TypeError):
                self.ray.cancel(trial, force=True)
        self.ray.shutdown()


def rooms(cluster: Cluster, have: Mapping[str, float]) -> int:
    """For so many trials the cluster has room."""
    wanted = {"CPU": cluster.cpus, "GPU": cluster.gpus}
    return max(1, int(min((have.get(key, 0) / need for key, need in wanted.items() if need), default=1)))


def needs(cluster: Cluster) -> dict[str, Any]:
    """Of one trial. A process that has held a GPU ends with its trial: TensorFlow would keep the GPU's memory."""
    return {"num_cpus": cluster.cpus, "num_gpus": cluster.gpus, "max_calls": 1 if cluster.gpus else FRESH}


def connected(cluster: Cluster) -> list[str]:
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
    """Every node has what is installed here. Raises UsageError with the name of those that do not."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = [
        ray.remote(about).options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(one, soft=False))
        for one in identities
    ]  # fmt: skip
    mine, told, wrong = installed(), list[str](), list[str]()
    for name, answer in zip(names, [one.remote() for one in asked], strict=True):
        try:
            place, theirs = ray.get(answer)
        except ray.exceptions.RayError as error:
            wrong.append(f"{name} cannot run improve: {first_line(error)}")
            continue
        told.append(place)
        different = others(mine, theirs)
        wrong += [f"{place} has {different}"] if different else []
    if wrong:
        raise UsageError("; ".join(wrong), fix=SAME)
    return told


def about() -> tuple[str, dict[str, str]]:
    """Asked on every node."""
    return where(), installed()


def first_line(error: BaseException) -> str:
    """Ray's errors hold whole tracebacks; the last line says what it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
