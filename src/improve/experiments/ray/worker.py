"""A trial on a node of a Ray cluster: trained in a folder of its own, told epoch by epoch, sent back whole."""

from __future__ import annotations

import asyncio
import functools
import platform
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from improve import __version__
from improve.engine.data.prepare import PreparedData
from improve.engine.training.environment import versions
from improve.engine.training.watcher import Watcher
from improve.experiments.ray.transfer import pack_folder, unpack
from improve.experiments.sweep.worker_process import outcome_event, spec_from, train_trial
from improve.runs.begin import checked_name


class Order(NamedTuple):
    """What a node is asked for. `code`: name and content of the file of a model of the user's own; `data`: a reference
    to them, packed; `judged`: whether the driver has a say after every epoch; `installed`: what is, where the
    driver runs."""

    name: str
    spec: dict[str, Any]
    code: tuple[str, bytes] | None
    data: Any
    judged: bool
    installed: dict[str, str]


class Post:
    """An actor beside the driver that carries what happens on the nodes to it, and its verdicts back."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.asked: dict[str, asyncio.Future[str]] = {}

    async def tell(self, event: dict[str, Any]) -> None:
        await self.told.put(event)

    async def ask(self, event: dict[str, Any]) -> str:
        """The driver's reason to stop this run now, if it has one."""
        answer = self.asked[event["name"]] = asyncio.get_running_loop().create_future()
        await self.told.put(event)
        return str(await answer)

    async def answer(self, name: str, reason: str) -> None:
        if name in self.asked:
            self.asked.pop(name).set_result(reason)

    async def next(self) -> dict[str, Any]:
        return await self.told.get()


class PostReporter(Watcher):
    """A watcher that writes home."""

    def __init__(self, post: Any, order: Order):
        self.post, self.order = post, order

    def epoch(self, row: dict[str, Any], best: int) -> str | None:
        event = {"event": "epoch", "name": self.order.name, "row": row}
        if self.order.judged:
            return str(got(self.post.ask.remote(event)))
        self.post.tell.remote(event)
        return None


def run_trial(order: Order, post: Any) -> dict[str, Any]:
    """One trial, and what came of it, with the run folder as bytes."""
    # waited for: where the driver is gone, nobody wants this
    got(post.tell.remote({"event": "begun", "name": order.name, "node": node_name()}))
    if wrong := different_versions(order.installed, installed_versions()):  # of a node that came later
        return {"event": "refused", "what": f"{node_name()} has {wrong}", "node": node_name()}
    with tempfile.TemporaryDirectory(prefix="improve-") as place:
        event = outcome_event(lambda: trained(order, Path(place), PostReporter(post, order)))
        if event["event"] == "done":
            event["contents"] = pack_folder(Path(event.pop("folder")))
        return event | {"node": node_name()}


def got(reference: Any) -> Any:
    """What stands behind it. Ray gives the CPU of a task whose main thread waits in `ray.get` to another task, and both
    would train at once."""
    import ray

    with ThreadPoolExecutor(1) as beside:
        return beside.submit(ray.get, reference).result()


def trained(order: Order, place: Path, reporter: Watcher) -> Path:
    code = None
    if order.code:
        code = place / Path(order.code[0]).name
        code.write_bytes(order.code[1])
    runs = place / "runs"
    runs.mkdir()
    spec = spec_from(order.spec, str(code) if code else None)
    return train_trial(spec, checked_name(order.name), runs, reporter, lambda: data_of(order.data))


SHELF: list[tuple[str, PreparedData]] = []  # of the trial before


def data_of(reference: Any) -> PreparedData:
    """The arrays lie in the node's object store, and are mapped from there."""
    if not SHELF or SHELF[0][0] != reference.hex():
        SHELF[:] = [(reference.hex(), unpack(got(reference), got))]
    return SHELF[0][1]


@functools.cache
def node_name() -> str:
    """The name of this node in words that a person can find it by."""
    import ray

    context = ray.get_runtime_context()
    return f"{platform.node()} {ray.util.get_node_ip_address()} {context.get_node_id()[:8]}"


def installed_versions() -> dict[str, str]:
    """What has to be the same on every node for the runs to be the same."""
    return {"improve": __version__, "python": platform.python_version(), **versions()}


def different_versions(here: dict[str, str], there: dict[str, str]) -> str:
    """What is not the same, in words; nothing where all is."""
    keys = [key for key in here | there if here.get(key) != there.get(key)]
    return ", ".join(f"{key} {there.get(key)}, here {here.get(key)}" for key in keys)
