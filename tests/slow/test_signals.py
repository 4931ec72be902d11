"""Ctrl+C and SIGTERM on a real process."""

import json
import re
import signal
import subprocess
import sys
import time

import pytest

from improve.engine.training import checkpoint as keeping

pytestmark = pytest.mark.slow


LONG = "data: {source: digits, split: 60/20/20}\nmodel: mlp\ntraining: {epochs: 100000}\n"


@pytest.fixture
def started(write_spec, tmp_path):
    """A training of its own process, some epochs old, and its folder."""
    processes = []

    def start(text=LONG):
        file = write_spec(text, "long.yaml")
        command = [sys.executable, "-m", "improve", "train", str(file), "--runs", str(tmp_path / "runs")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        metrics = tmp_path / "runs" / "long" / "metrics.csv"
        for _ in range(1200):
            if metrics.exists() and metrics.read_text().count("\n") > 3:
                break
            time.sleep(0.1)
        return process, tmp_path / "runs" / "long"

    yield start
    for process in processes:
        process.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_one_signal_stops_the_run_keeps_it_and_says_what_to_type(started, number, code):
    process, folder = started()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert re.search(r"stopped (after|in) epoch", out)
    assert f"improve resume {folder}" in out
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["signal"], "validation" in summary) == ("stopped", number.name, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_before_the_first_batch_one_signal_ends_it_at_once_and_it_can_be_resumed(write_spec, tmp_path, number, code):
    """Eighty layers take seconds to compile; the state is saved before."""
    file = write_spec(f"data: {{source: digits}}\nmodel: {{name: mlp, hidden: {[16] * 80}}}\n", "deep.yaml")
    command = [sys.executable, "-m", "improve", "train", str(file), "--runs", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "deep"
    while process.poll() is None and not list(folder.glob("state/0*/MANIFEST*")):
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (code, False)
    assert f"interrupted\ngo on   improve resume {folder}" in err
    assert json.loads((folder / "summary.json").read_text())["status"] == "stopped"


def test_the_second_signal_ends_it_at_once_and_the_last_state_is_whole(started):
    process, folder = started()
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert json.loads((folder / "summary.json").read_text())["status"] == "stopped"
    kept, wrong = keeping.read(folder)
    assert wrong == []
    assert len(kept.meta["history"]["rows"]) >= 0
