"""Sweeps on a cluster, as far as no cluster is needed: what is asked for, and what is said where there is none."""

import importlib.util
import socket

import pytest

from improve.errors import ImproveError, SpecError, UsageError
from improve.experiments.ray.cluster import (
    Cluster,
    check_answers,
    check_installed,
    check_room,
    trial_resources,
    trials_with_room,
)
from improve.experiments.sweep.plan import plan
from improve.spec.reading.yaml import write

SPEC = """\
data: {source: digits}
model: {name: mlp, hidden: [8]}
sweep: {space: {optimizer.learning_rate: "1e-3,1e-2"}, SIZES}
"""


def planned(write_spec, sizes, *words):
    return plan(write_spec(SPEC.replace("SIZES", sizes)), words)


def test_a_trial_takes_one_cpu_unless_the_spec_says_more(write_spec):
    plain, sized = planned(write_spec, ""), planned(write_spec, "cpus: 2, gpus: 0.5")
    assert (plain.cpus, plain.gpus, plain.section().get("cpus")) == (1, 0, None)
    assert (sized.cpus, sized.gpus) == (2, 0.5)
    assert "cpus: 2" in write(sized.section())
    assert planned(write_spec, "cpus: 2", "sweep.cpus=0.5").cpus == 0.5


@pytest.mark.parametrize("sizes", ["cpus: many", "cpus: -1", "gpus: true", "gpus: .inf", "cpus: 100000"])
def test_sizes_that_are_none_are_told_their_place(write_spec, sizes):
    key = sizes[:4]
    with pytest.raises(SpecError, match=rf"spec.yaml:3:\d+ sweep.{key} cannot be"):
        planned(write_spec, sizes)


@pytest.mark.parametrize(
    ("cluster", "have", "count"),
    [
        (Cluster("auto", 1, 0), {"CPU": 8.0}, 8),
        (Cluster("auto", 3, 0), {"CPU": 8.0}, 2),
        (Cluster("auto", 0.5, 0), {"CPU": 2.0}, 4),
        (Cluster("auto", 1, 0.25), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Cluster("auto", 1, 1), {"CPU": 2.0}, 1),
        (Cluster("auto", 0, 0), {"CPU": 2.0}, 1),
    ],
)
def test_how_many_trials_a_cluster_has_room_for(cluster, have, count):
    assert trials_with_room(cluster, have) == count


def test_a_process_that_has_held_a_gpu_ends_with_its_trial():
    assert trial_resources(Cluster("auto", 1, 0.5))["max_calls"] == 1
    assert trial_resources(Cluster("auto", 1, 0))["max_calls"] == 0  # as many as there are


def test_no_node_has_room_for_a_trial():
    nodes = [{"CPU": 2.0}, {"CPU": 4.0, "GPU": 1.0}]
    check_room(Cluster("auto", 4, 1), nodes)
    with pytest.raises(UsageError, match=r"needs 5 CPUs and 0 GPUs, and no node.*at most 4 CPUs, 1 GPUs"):
        check_room(Cluster("auto", 5, 0), nodes)
    with pytest.raises(UsageError, match="no node of the cluster has both"):
        check_room(Cluster("auto", 1, 2), nodes)


@pytest.mark.parametrize("address", ["nowhere", "host:", "host:port", "ray://host"])
def test_what_is_no_address_is_said_at_once(address):
    with pytest.raises(UsageError, match="is no address"):
        check_answers(address)


def test_an_address_where_nobody_answers_is_said_in_seconds_not_in_ten_minutes():
    with socket.socket() as mine:
        mine.bind(("127.0.0.1", 0))  # and does not listen
        with pytest.raises(ImproveError, match=r"no Ray cluster answers at 127\.0\.0\.1") as caught:
            check_answers(f"127.0.0.1:{mine.getsockname()[1]}")
    assert "ray start --head" in caught.value.fix


def test_without_ray_it_is_said_what_to_install_before_anything_starts(monkeypatch, improve, write_spec):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ray" else real(name, *more))
    with pytest.raises(UsageError, match="Ray, which is not installed"):
        check_installed()
    code, _, err = improve("sweep", write_spec(SPEC.replace("SIZES", "")), "--ray", "auto")
    assert code == 2
    assert "the extra ray" in err


def test_workers_and_ray_together_are_refused(improve, write_spec):
    code, _, err = improve("sweep", write_spec(SPEC.replace("SIZES", "")), "--ray", "auto", "--workers", "2")
    assert (code, "--workers is for this machine, --ray for a cluster" in err) == (2, True)
