"""The sealed test part: nobody has its error by accident, and whoever opens it is written down."""

import ast
import json

import pytest

from conftest import CONFIGS
from improve.diagnosis.comparison.compare import compare
from improve.errors import ImproveError, UsageError
from improve.runs import ledger
from improve.runs.run import load_run
from improve.runs.test_part import open_test
from improve.views.report.run import salvaged
from run_folder import part

SOURCES = CONFIGS.parent / "src" / "improve"
SPLIT = {"data": {"split": "60/20/20"}}


def looks(run):
    """The runs whose test part was opened, in order."""
    file = run.folder.parent / ledger.FILE
    rows = [line.split(",") for line in file.read_text().splitlines()[1:]] if file.exists() else []
    return [row[1] for row in rows if row[2] == "test"]


def test_a_summary_does_not_have_the_test_error(make_run):
    run = make_run(spec=SPLIT, test=part(0.25, 100))
    assert (run.has_test, run.summary.test) == (True, None)
    assert "0.25" not in repr(run)


def test_whoever_opens_it_is_written_down_once_for_a_run_that_was_read(make_run):
    run = make_run(spec=SPLIT, test=part(0.25, 100))
    assert [open_test(run).error, open_test(run).error] == [0.25, 0.25]
    assert looks(run) == ["run"]
    open_test(load_run(run.folder))
    open_test(load_run(run.folder), again=True)
    assert looks(run) == ["run", "run"]


def test_a_comparison_from_python_is_written_down_as_well(make_run):
    runs = [make_run(name, spec=SPLIT, test=part(0.25, 100)) for name in "ab"]
    assert [row.test for row in compare([run.folder for run in runs]).rows] == [None, None]
    assert looks(runs[0]) == []
    assert [row.test.error for row in compare([run.folder for run in runs], test=True).rows] == [0.25, 0.25]
    assert looks(runs[0]) == ["a", "b"]


def test_a_run_without_a_test_part_says_so_and_nothing_is_written(make_run):
    run = make_run()
    with pytest.raises(UsageError, match="has no test part"):
        open_test(run)
    assert looks(run) == []


@pytest.mark.parametrize("status", ["running", "failed", "stopped"])
def test_a_run_that_has_nothing_to_tell_is_not_opened(make_run, improve, status):
    run = make_run(spec=SPLIT, status=status)
    (run.folder / "summary.json").write_text(json.dumps({"status": status}))
    code, out, err = improve("diagnose", run.folder, "--test")
    assert (code, out) == (1, "")
    assert "has no results" in err
    assert looks(run) == []


def test_a_damaged_run_that_has_a_test_part_keeps_it_sealed(make_run):
    run = make_run(spec=SPLIT, test=part(0.25, 100))
    (run.folder / "metrics.csv").write_text("epoch,train_error\n1,7\n")
    saved = salvaged(run.folder)
    assert (saved.has_test, saved.summary.test) == (True, None)


def test_only_one_function_reads_the_sealed_error():
    readers = {
        str(file.relative_to(SOURCES))
        for file in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "sealed_test"
    }
    assert readers == {"runs/run.py", "runs/test_part.py"}
    assert issubclass(UsageError, ImproveError)
