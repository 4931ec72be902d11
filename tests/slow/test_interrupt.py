"""Ctrl+C on a real process."""

import json
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow


def test_ctrl_c_stops_the_run_evaluates_it_and_exits_130(write_spec, tmp_path):
    file = write_spec("model: mlp\ntraining: {epochs: 100000}\n", "long.yaml")
    command = [sys.executable, "-m", "improve", "train", str(file), "--runs", str(tmp_path / "runs")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "runs" / "long" / "metrics.csv"
    for _ in range(600):
        if metrics.exists() and metrics.read_text().count("\n") > 3:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "stopped after epoch" in out
    summary = json.loads((tmp_path / "runs" / "long" / "summary.json").read_text())
    assert (summary["status"], "validation" in summary) == ("stopped", True)
