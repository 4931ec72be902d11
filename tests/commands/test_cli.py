"""What people type and see."""

import json
import sys

import pytest

from run_folder import part


def test_a_wrong_spec_shows_place_line_caret_and_remedy(improve, write_spec):
    file = write_spec("seed: 0\noptimizer: {name: sgd, learning_rat: 0.01}\n")
    code, out, err = improve("train", file)
    assert (code, out) == (2, "")
    assert err.splitlines()[:3] == [
        f"{file}:2:24   there is no 'learning_rat' here; did you mean 'learning_rate'?",
        "    2 | optimizer: {name: sgd, learning_rat: 0.01}",
        "                               ^^^^^^^^^^^^   sgd knows: learning_rate, momentum, nesterov, "
        "weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, "
        "gradient_accumulation_steps, loss_scale_factor",
    ]
    assert err.splitlines()[-1] == "1 mistake; nothing was started."


@pytest.mark.parametrize("command", ["train", "check", "show", "preview"])
def test_every_command_that_reads_a_spec_refuses_a_wrong_one(improve, write_spec, command):
    assert improve(command, write_spec("sed: 1"))[0] == 2


def test_a_wrong_spec_leaves_no_folder(improve, write_spec, tmp_path):
    improve("train", write_spec("sed: 1"), "--runs", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_runs_folder_that_cannot_be_written_is_refused_before_keras_is_loaded(improve, write_spec, tmp_path):
    (tmp_path / "file").write_text("in the way")
    code, _, err = improve("train", write_spec(""), "--runs", tmp_path / "file" / "runs")
    assert code == 2
    assert "nothing can be written" in err
    assert "--runs" in err


@pytest.mark.parametrize("name", ["a/b", "../x", ".."])
def test_a_name_that_leaves_the_runs_folder_is_refused(improve, write_spec, tmp_path, name):
    code, _, err = improve("train", write_spec(""), "--runs", tmp_path / "runs", "--name", name)
    assert (code, "cannot name a run" in err) == (2, True)
    assert not (tmp_path / "runs").exists()


def test_bad_data_are_refused_and_leave_no_run(improve, write_spec, tmp_path):
    import numpy as np

    images = np.full((90, 8, 8), np.nan, np.float32)
    np.savez(tmp_path / "bad.npz", x_train=images, y_train=np.arange(90) % 2)
    spec = write_spec("data: {source: {name: npz, path: bad.npz}}\ntraining: {batch_size: 9}\n")
    code, _, err = improve("train", spec, "--runs", tmp_path / "runs")
    assert (code, "NaN or infinite, in 90 of 90 images" in err) == (2, True)
    assert list((tmp_path / "runs").iterdir()) == []


def test_check_says_so_when_all_is_well(improve, write_spec):
    file = write_spec("seed: 1")
    assert improve("check", file) == (0, f"{file} is valid\n", "")


def test_show_marks_what_differs_from_the_default(improve, write_spec):
    code, out, _ = improve("show", write_spec("seed: 3"), "training.epochs=7")
    assert code == 0
    assert "seed: 3                             # default: 0" in out
    assert "  epochs: 7                         # default: 20" in out


def test_diagnose_shows_the_ladder_the_finding_and_the_next_step(improve, make_run):
    run = make_run("x", 0.001, 0.111, n=10_000, spec={"diagnosis": {"human_error": 0.0}}, test=part(0.12, 10_000))
    code, out, err = improve("diagnose", run.folder)
    assert (code, err) == (0, "")
    for line in ("variance           11.0   [10.4, 11.6]   high", "verdict  high variance", "1  V1  ",
                 "fits training ✓   fits validation ✗   fits test ?   works in the real world ?",
                 "not opened (improve diagnose --test opens it)", f"next     improve next {run.folder}"):  # fmt: skip
        assert line in " ".join(out.split("\n")) or line in out, line
    assert json.loads((run.folder / "diagnosis.json").read_text())["verdict"] == "high_variance"


def test_diagnose_json_is_one_document_and_nothing_else(improve, make_run):
    code, out, err = improve("diagnose", make_run("x", 0.0, 0.2).folder, "--json")
    assert (code, err, json.loads(out)["run"]) == (0, "", "x")


def test_opening_the_test_set_is_counted_and_never_forgotten(improve, make_run):
    run = make_run("x", test=part(0.02, 1000))
    opened = []
    for arguments in ([], ["--test"], ["--test"], []):
        assert improve("diagnose", run.folder, *arguments)[0] == 0
        opened.append(json.loads((run.folder / "diagnosis.json").read_text())["test_opened"])
    assert opened == [0, 1, 2, 2]


def test_diagnose_bare_numbers(improve):
    code, out, _ = improve("diagnose", "--errors", "human=0% train=1% validation=11%", "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "high_variance")
    assert "high variance" in improve("diagnose", "--errors", "human=0% train=1% validation=11%")[1]


def test_diagnose_strict_fails_on_a_finding_and_only_then(improve, make_run):
    human = {"diagnosis": {"human_error": 0.0}}
    assert improve("diagnose", make_run("bad", 0.0, 0.2, spec=human).folder, "--strict")[0] == 1
    assert improve("diagnose", make_run("good", 0.001, 0.001, n=10_000, spec=human).folder, "--strict")[0] == 0


@pytest.mark.parametrize("arguments", [[], ["runs/none"], ["runs/none", "--errors", "train=1%"], ["--errors", "x"]])
def test_diagnose_without_sense_is_a_usage_error(improve, arguments):
    code, _, err = improve("diagnose", *arguments)
    assert code == 2
    assert "Traceback" not in err


def test_next_prints_the_edit_and_its_reason(improve, make_run, tmp_path):
    run = make_run("x", 0.0, 0.2)
    code, out, err = improve("next", run.folder, "-o", tmp_path / "next.yaml")
    assert (code, out) == (0, f"{tmp_path / 'next.yaml'}\n")
    assert "+- name: shift" in err
    assert improve("check", tmp_path / "next.yaml")[0] == 0


def test_compare_prints_a_table_json_csv_and_markdown(improve, make_run):
    folders = [make_run("a", 0.1, 0.3).folder, make_run("b", 0.1, 0.2, spec={"seed": 1}).folder]
    code, out, _ = improve("compare", *folders)
    assert code == 0
    assert out.splitlines()[0].split() == [
        "seed",
        *["validation", "error", "train", "error", "best", "parameters", "time"],
    ]
    assert out.splitlines()[1].startswith("b  ")
    assert "test" not in out
    assert [row["name"] for row in json.loads(improve("compare", *folders, "--json")[1])["runs"]] == ["b", "a"]
    assert improve("compare", *folders, "--csv")[1].splitlines()[1].startswith("b,finished,1,0.2,0.1763")
    assert improve("compare", *folders, "--md")[1].splitlines()[2].startswith("| b | 1 | 20.0 % [17.6, 22.6] |")


def test_compare_shows_the_test_error_only_when_asked_and_warns(improve, make_run):
    run = make_run("a", test=part(0.25, 1000))
    assert "25.0 %" not in improve("compare", run.folder)[1]
    assert "test" not in json.loads(improve("compare", run.folder, "--json")[1])["runs"][0]
    out = improve("compare", run.folder, "--test")[1]
    assert "25.0 %" in out
    assert "choosing by the test error makes it a validation error" in out


def test_list_and_explain_know_every_entry(improve):
    from improve.diagnosis.findings import ORDER
    from improve.diagnosis.glossary import explain
    from improve.spec.spec import SHELVES

    out = improve("list")[1]
    for shelf, parts in SHELVES.items():
        listed = improve("list", shelf)[1]
        for entry in parts:
            assert entry.key() in out
            assert entry.key() in listed
            assert explain(entry.key())
        assert improve("explain", parts[0].key())[0] == 0
    for rule in ORDER:
        assert rule.title in explain(rule.code)
        assert rule.title in explain(rule.name)
    assert ORDER[0].title in improve("explain", ORDER[0].code)[1]
    both = improve("explain", "avoidable", "bias")[1]
    assert "training error − human error" in both
    assert "T19" in both


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["explain", "adm"], "did you mean adam"),
        (["list", "modles"], "there is no shelf 'modles'"),
        (["init", "lenett"], "there is no model 'lenett'"),
        (["train", "missing.yaml"], "there is no file missing.yaml"),
        (["compare", "missing"], "none of these is a run"),
    ],
)
def test_what_does_not_exist_is_named(improve, arguments, words):
    code, out, err = improve(*arguments)
    assert (code, out, words in err) == (2, "", True)


def test_init_writes_a_spec_that_checks_and_never_overwrites(improve, tmp_path):
    file = tmp_path / "mine.yaml"
    assert improve("init", "mlp", "-o", file)[0] == 0
    assert improve("check", file)[0] == 0
    code, _, err = improve("init", "-o", file)
    assert (code, "is there already" in err) == (2, True)


def test_schema_is_printed_or_written(improve, tmp_path):
    assert json.loads(improve("schema")[1])["title"] == "improve spec"
    improve("schema", "-o", tmp_path / "s.json")
    assert json.loads((tmp_path / "s.json").read_text())["title"] == "improve spec"


def test_markup_in_a_name_is_printed_as_it_is(improve, make_run):
    run = make_run("x", spec={"data": {"source": {"name": "npz", "path": "[red]a[/red]"}}})
    other = make_run("y", spec={"data": {"source": {"name": "npz", "path": "[/bold]"}}})
    out = improve("compare", run.folder, other.folder)[1]
    assert "[red]a[/red]" in out
    assert "[/bold]" in out


def test_the_version_is_printed(improve):
    assert improve("--version")[:2] == (0, "improve 0.1.0\n")


def test_help_leaves_no_stand_in_behind(improve, monkeypatch):
    for name in ("typer.rich_utils", "rich.markdown", "rich.traceback"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert improve("--help")[0] == 0
    assert not {"rich.markdown", "rich.traceback"} & set(sys.modules)
    from rich.markdown import Markdown

    assert Markdown("a").markup == "a"


def test_only_the_command_that_is_asked_for_is_built_and_all_of_them_where_none_is(improve):
    from improve.cli import _command

    assert list(_command("check").commands) == ["check"]
    everything = list(_command("--help").commands)
    assert len(everything) > 20
    assert list(_command("chekc").commands) == everything
    code, _, err = improve("chekc")
    assert (code, "Did you mean 'check'?" in err) == (2, True)
