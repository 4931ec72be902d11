"""Where the trials of a sweep run: on the nodes of a Ray cluster. Ray decides where and when, and tries again elsewhere
what a node took with it; here a trial is asked for, and its run folder received."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from improve.engine.data.prepare import LastPrepared
from improve.errors import ImproveError, UsageError
from improve.experiments.ray.cluster import SAME, Cluster, connect, first_line, trial_resources, trials_with_room
from improve.experiments.ray.transfer import pack, remove_arriving, unpack_folder
from improve.experiments.ray.worker import Order, Post, installed_versions, node_name, run_trial
from improve.experiments.sweep.trials import Judge, Outcome, SweepWatcher
from improve.runs import begin, ledger, run
from improve.spec.identity import experiment_identity
from improve.spec.spec import Spec

AGAIN = 3  # times that Ray tries a trial whose node or process is lost
WAIT = 0.5  # seconds between looks at whether somebody pressed Ctrl+C
LOG = "nodes.csv"  # in the folder of the sweep: what ran where


class RayTrials:
    """Every trial is a Ray task; its data lie in Ray's object store, which brings them to each node once."""

    def __init__(self, runs: Path, watcher: SweepWatcher, cluster: Cluster):
        self.runs, self.watcher, self.installed = runs, watcher, installed_versions()
        self.judge: Judge | None = None
        self.stopping, self.open, self.kept, self.last = False, dict[Any, str](), dict[str, Any](), LastPrepared()
        self.sent: tuple[Any, Any] = (None, None)  # the data last read, and what stands for them in the cluster
        nodes = connect(cluster)
        remove_arriving(runs)
        self.ray = importlib.import_module("ray")
        for node in nodes:
            self.log("", "there" if node != node_name() else "driver", node)
        self.at_once = trials_with_room(cluster, self.ray.cluster_resources())
        self.post = self.beside(self.ray.remote(num_cpus=0)(Post)).remote()
        self.told = self.post.next.remote()
        self.task = self.ray.remote(**trial_resources(cluster), max_retries=AGAIN)(run_trial)

    def beside(self, actor: Any) -> Any:
        """The actor, bound to this very node, which is there as long as this process is."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = self.ray.get_runtime_context().get_node_id()
        return actor.options(scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False))

    def submit(self, name: str, spec: Spec) -> None:
        code = spec.model.code
        sent = (code.name, code.read_bytes()) if code else None
        order = Order(name, spec.complete(), sent, self.data(spec), self.judge is not None, self.installed)
        self.open[self.task.remote(order, self.post)] = name

    def data(self, spec: Spec) -> Any:
        """Read here, once; a node needs no data of its own. Trials that share them share the reference."""
        read = self.last.of(spec, self.watcher.reading)
        if read is not self.sent[0]:
            self.sent = read, self.ray.put(pack(read, self.kept, self.ray.put))
        return self.sent[1]

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
        self.watcher.trial_epoch(name, event["row"])
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
        folder = self.runs / begin.checked_name(name)
        unpack_folder(contents, folder)
        made = run.load_run(folder)
        if made.summary.validation is not None:
            digests = made.fingerprint.get("validation"), experiment_identity(made.spec)
            ledger.write_down(self.runs, name, "validation", *digests, made.summary.validation.as_json())
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
