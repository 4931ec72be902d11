"""The page of a walk: what was tried and became of it, whatever is missing, and no name speaks for it."""

import json
import re
from dataclasses import replace

import pytest

from drawn_figures import drawn
from hostile import HOSTILE, hostile_walk
from improve.experiments.auto.budget import Budget
from improve.experiments.auto.conclusion import conclusion_of
from improve.experiments.auto.journal import DROPPED, KEPT, AutoStep, Journal, read_journal
from improve.runs import ledger
from improve.runs.run import load_run
from improve.spec.identity import experiment_identity
from improve.spec.reading import yaml
from improve.views.report.auto import (
    AutoView,
    advice_by_finding,
    difference_from_start,
    epochs_spent,
    step_tree,
    untried_proposals,
)
from improve.views.report.page import report
from improve.views.report.run_section import section
from improve.views.terminal.auto import show_ending
from page import LOADS, Page
from run_folder import MLP, wrong_on

pytestmark = pytest.mark.usefixtures("drawn_once")


def page_of(story, test=False):
    return Page(report([story.folder], test))


def test_the_page_tells_what_was_changed_why_and_what_became_of_it(walk):
    text = page_of(walk).text
    for said in (
        "validation error 40.0 % [37.0, 43.1] at the start, 10.0 % [8.3, 12.0] at the end; 1 of 3 changes was kept",
        "20 epochs on 4 runs", "optimizer.learning_rate: 0.01", "T2 the rate is too low: ten times the rate",
        "-30.0 [-34.0, -25.0] (P(better) 1.000, 2 seeds)", "expected -20.0", "✗ not kept 02", "+5.0 [2.0, 8.0]",
        "failed: out of memory", "What came true of the advice: 1 of 3",
        "On the same 1,000 images the best is better -30.0",
    ):  # fmt: skip
        assert said in text, said


def test_the_page_is_whole_and_loads_nothing(walk):
    written = report([walk.folder])
    page = Page(written)
    assert not page.all("script") + page.all("iframe")
    for tag, attributes in page.tags:
        for name in LOADS:
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    places = {value[1:] for _, attributes in page.tags for name, value in attributes.items()
              if name in ("href", "xlink:href") and value.startswith("#")}  # fmt: skip
    named = {value for _, attributes in page.tags for value in [attributes.get("aria-labelledby")] if value}
    assert places | named | set(re.findall(r"url\(#([^)]*)\)", written)) <= set(ids)
    assert [svg["aria-label"][:20] for svg in page.all("svg")][:2] == ["Validation error by ", "Errors of the start "]
    drawn.cache_clear()
    assert written == report([walk.folder])


def test_the_start_and_the_best_follow_as_runs_with_their_links(walk):
    page = page_of(walk)
    assert [one["href"] for one in page.all("a")][:5] == ["#content", "#story", "#comparison", "#run-1", "#run-2"]
    assert page.text.count("Where the error comes from") == 2
    assert "Errors by class" in page.text


def test_the_diff_is_against_the_start_and_the_spec_has_its_receipt(walk):
    (walk.folder / "best.yaml").write_text("# validation error 10.0 %\n#   improve train best.yaml\nseed: 0\n")
    page = page_of(walk)
    edited = [word for word in page.words if re.match(r"[+-]\s+learning_rate: ", word)]
    assert edited == ["-  learning_rate: 0.001", "+  learning_rate: 0.01"]
    assert "improve train best.yaml" in page.text
    assert "best.yaml, complete" in page.text


def test_the_test_part_stays_shut_until_the_end_has_opened_it(walk, improve):
    assert "12.0 %" not in page_of(walk).text
    assert "The test part is not opened" in page_of(walk).text
    best = load_run(walk.folder / "01")
    ledger.write_down(walk.folder, "01", "test", "b", experiment_identity(best.spec), best.sealed_test.as_json())
    text = page_of(walk).text
    assert "The test part was opened once, for the best" in text
    assert "12.0 %" in text
    assert "42.0 %" not in text  # of the start
    assert len((walk.folder / ledger.FILE).read_text().splitlines()) == 2


def test_opened_by_hand_it_is_written_down_for_both(walk, improve):
    assert improve("report", walk.folder, "--test")[:2] == (0, f"{walk.folder / 'report.html'}\n")
    assert "42.0 %" in (walk.folder / "report.html").read_text()
    lines = (walk.folder / ledger.FILE).read_text().splitlines()[1:]
    assert [line.split(",")[1:3] for line in lines] == [["00", "test"], ["01", "test"]]


def test_a_winner_that_was_not_kept_is_told_as_one(walk, capsys):
    walk.write(replace(walk.steps[2], verdict=DROPPED, better=0.625))
    end, doubt = conclusion_of(walk), "likelier better than 01 than not (P(better) 0.625), which is no proof"
    assert (end.best.name, end.doubt, end.came_true) == ("02", doubt, 1)
    assert "dropout: 0.5" in (walk.folder / "best.yaml").read_text()
    show_ending(walk, end, Budget(epochs=20))
    assert doubt in " ".join(capsys.readouterr().out.split())
    text = page_of(walk).text
    assert doubt in text
    assert "15.0 % [12.9, 17.3] at the end; 1 of 3 changes was kept" in text
    assert AutoView(walk).diagnosis.run.name == "01"  # from which the loop would go on


def test_what_a_bigger_budget_would_try_was_not_tried(walk):
    found = untried_proposals(AutoView(read_journal(walk.folder)))
    assert found
    assert not [one for one in found if one.spec in walk.tried]
    text = page_of(walk).text
    told = text.partition("What would be worth a bigger budget")[2]
    assert f"{found[0].epochs} epochs" in told
    assert f"{100 * found[0].chance:.0f} % likely to come true" in told


# what is counted


def test_each_run_stands_where_its_epochs_ended_in_the_order_of_their_beginning(walk):
    assert epochs_spent(AutoView(walk)) == {"00": 5, "01": 10, "01-seed1": 15, "02": 20}
    walk.write(replace(walk.steps[1], spent=2))
    assert epochs_spent(AutoView(walk)) == {"00": 5, "01": 12, "01-seed1": 17, "02": 22}
    assert AutoView(walk).epochs == walk.epochs == 22


def test_the_tree_sets_each_run_below_the_one_that_it_changes():
    steps = [
        AutoStep("00"),
        AutoStep("01", "00"),
        AutoStep("02", "00"),
        AutoStep("03", "01"),
        AutoStep("04", "nobody"),
        AutoStep("05", "05"),
    ]
    found = [(place.step.run, place.depth) for place in step_tree(Journal(None, steps))]
    assert found == [("00", 0), ("01", 1), ("03", 2), ("02", 1), ("04", 0), ("05", 0)]


def test_advice_is_counted_by_finding_and_steps_to_the_side_come_last(walk):
    walk.write(AutoStep("04", "01", "", "a step to the side", verdict=KEPT, recovered=0.01, expected=0.01))
    found = [(one.code, one.tried, one.true, one.recovered) for one in advice_by_finding(AutoView(walk))]
    assert found == [("V1", 2, 0, -0.05), ("T2", 1, 1, 0.3), ("", 1, 1, 0.01)]
    assert "What came true of the advice: 1 of 3" in page_of(walk).text


def test_the_best_is_paired_with_the_start_where_both_have_the_same_images(walk):
    seen = difference_from_start(AutoView(walk))
    assert (seen.value, seen.n, seen.verdict) == (pytest.approx(-0.3), 1000, "better")
    wrong_on(load_run(walk.folder / "00"), 400, n=900)
    assert difference_from_start(AutoView(read_journal(walk.folder))) is None


# what is not there


def test_a_walk_that_was_stopped_says_so(walk):
    walk.write(AutoStep("04", "01", "V1", "it does not carry over", (("a", 1),), "why"))
    with (walk.folder / "steps.jsonl").open("a") as file:
        file.write('{"run": "05", "par')
    text = page_of(walk).text
    assert "Not at its end, not decided yet: 04" in text
    assert "… in hand 04" in text
    assert "05" not in text.partition("What came true")[0].partition("What was changed")[2]


@pytest.mark.parametrize("damage", ["missing", "summary", "spec", "predictions"])
@pytest.mark.parametrize("name", ["00", "01", "02"])
def test_runs_that_are_missing_or_damaged_leave_the_rest_standing(walk, damage, name):
    folder = walk.folder / name
    if damage == "missing":
        folder.rename(walk.folder.parent / "elsewhere")
    else:
        file = {"summary": "summary.json", "spec": "spec.yaml", "predictions": "predictions/validation.npz"}[damage]
        (folder / file).write_bytes(b"{epoch\n\xff[\n")
    text = page_of(walk).text
    assert "optimizer.learning_rate: 0.01" in text
    if damage != "predictions":
        assert f"Not there, or damaged: {name}" in text


def test_a_start_without_a_result_still_gives_a_page(tmp_path, make_run):
    run = make_run("00", spec=MLP)
    (run.folder / "summary.json").write_text(json.dumps({"status": "diverged", "epochs": 0}))
    story = Journal(run.folder.parent)
    (story.folder / "start.yaml").write_text(yaml.write(run.spec))
    story.write(AutoStep("00", title="the start", verdict=KEPT))
    text = page_of(story).text
    assert "no run that can be read has a result" in text
    assert "broken: it did not learn" in text


@pytest.mark.parametrize(
    "lines", ["", "{", '{"run": "../../etc", "edits": []}', '{"run": "00", "edits": [], "title": 3}']
)
def test_a_walk_of_which_nothing_is_written_down_still_gives_a_page(tmp_path, lines):
    (tmp_path / "start.yaml").write_text("seed: 0\n")
    (tmp_path / "steps.jsonl").write_text(lines + "\n")
    assert "no run that can be read has a result" in page_of(Journal(tmp_path)).text


@pytest.mark.parametrize(
    "line",
    ['{"run": 5, "edits": []}', '{"run": "a/b", "edits": []}', '{"run": "00", "edits": [], "parent": ["x"]}',
     '{"run": "00", "edits": [], "recovered": "much"}', '{"run": "00", "edits": [], "seeds": 1.5}'],
)  # fmt: skip
def test_a_line_with_something_else_in_it_is_no_step(tmp_path, line):
    (tmp_path / "steps.jsonl").write_text(line + "\n")
    assert read_journal(tmp_path).steps == []


def test_beside_other_runs_it_is_left_out_with_the_reason(walk):
    text = Page(report([walk.folder, walk.folder / "00"])).text
    assert f"Left out: {walk.folder} (improve auto made it: it has a page of its own)" in text


def test_a_start_that_cannot_be_read_has_no_difference(walk):
    assert "It is the one that was begun with" not in page_of(walk).text
    (walk.folder / "start.yaml").write_bytes(b"\xff")
    text = page_of(walk).text
    assert "The spec that it ended with" in text
    assert "It is the one that was begun with" not in text


# hostile words


def test_no_step_speaks_for_the_page(walk, subtests, monkeypatch):
    """The sections of the runs, in which no step stands, are made once."""
    sections, files = {}, {file: file.read_bytes() for file in walk.folder.iterdir() if file.is_file()}

    def made_once(one, anchor):
        if (one.run.folder, anchor) not in sections:
            sections[one.run.folder, anchor] = section(one, anchor)
        return sections[one.run.folder, anchor]

    monkeypatch.setattr("improve.views.report.page.section", made_once)
    for text in (*HOSTILE.values(), "\u200f\u202eabc", "' onload='x", "</svg><script>", "{{ 7*7 }}"):
        with subtests.test(ascii(text)[:40]):
            (walk.folder / "best.yaml").unlink(missing_ok=True)
            for file, data in files.items():
                file.write_bytes(data)
            written = report([hostile_walk(read_journal(walk.folder), text)])
            page = Page(written)
            assert [char for char in written if not char.isprintable() and char != "\n"] == []
            assert not page.all("script") + page.all("iframe") + page.all("img")
            assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
            if text.isprintable() and len(text) < 15:
                assert text in page.text
    assert [anchor for _, anchor in sections] == ["run-1", "run-2"]


# the command


def test_auto_writes_the_page_and_names_it_last(walk, improve, write_spec, monkeypatch):
    monkeypatch.setattr("improve.experiments.auto.loop.auto", lambda *_: walk)
    command = ("auto", write_spec("data: {source: digits}\nmodel: mlp\n"), "--epochs", 20)
    code, out, _ = improve(*command)
    page = walk.folder / "report.html"
    assert (code, out.splitlines()[-1]) == (0, f"page     {page}")
    assert "The test part was opened once, for the best" in page.read_text()
    assert json.loads(improve(*command, "--json")[1])["page"] == str(page)
    assert improve("report", walk.folder)[1] == f"{page}\n"
