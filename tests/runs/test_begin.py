"""Beginning a run that may be there already."""

from itertools import islice

import pytest

from improve.errors import UsageError
from improve.runs.begin import bring_code, create, folders, free_name, names, new_folder, remove_husk
from improve.spec.spec import Spec


def test_names_are_counted_from_two():
    assert list(islice(names("r"), 3)) == ["r", "r-2", "r-3"]
    assert free_name("r", {"r", "r-2", "r-4"}) == "r-3"


def test_a_new_folder_takes_the_first_name_that_is_free(tmp_path):
    assert [new_folder(tmp_path, "r").name for _ in range(3)] == ["r", "r-2", "r-3"]
    (tmp_path / "r-x").mkdir()
    (tmp_path / "r2").mkdir()
    assert [path.name for path in folders(tmp_path, "r")] == ["r", "r-2", "r-3"]


@pytest.mark.parametrize("left", [(), ("summary.json",), ("summary.json", "spec.yaml"), ("summary.json", "evidence")])
def test_what_was_being_made_when_its_process_was_killed_goes(tmp_path, left):
    folder = create(tmp_path, "r", Spec())
    for name in left:
        path = folder / name
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / ".summary.json.tmp").write_text("{")
    remove_husk(folder, Spec())
    assert folder.exists() == (left == ())


@pytest.mark.parametrize("held", ["state/000001", "metrics.csv", "mine.txt"])
def test_what_holds_more_than_that_stays(tmp_path, held):
    folder = create(tmp_path, "r", Spec())
    (folder / "summary.json").unlink()
    (folder / held).write_text("")
    remove_husk(folder, Spec())
    assert folder.exists()


def test_what_was_made_for_another_spec_stays(tmp_path):
    folder = create(tmp_path, "r", Spec())
    (folder / "summary.json").unlink()
    remove_husk(folder, Spec(seed=1))
    assert folder.exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "spec.yaml").write_text("my: own\n")
    remove_husk(tmp_path / "mine", Spec())
    assert (tmp_path / "mine" / "spec.yaml").exists()


def test_a_name_of_digits_is_not_taken_for_the_number_of_another(tmp_path):
    for name in ("5", "5-2", "52", "5-x", "5-"):
        (tmp_path / name).mkdir()
    assert [path.name for path in folders(tmp_path, "5")] == ["5", "5-2"]


def test_a_folder_in_the_place_of_the_users_code_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text("def build(): ...")
    (tmp_path / "run" / "mine.py").mkdir(parents=True)
    with pytest.raises(UsageError, match="is another file than"):
        bring_code(tmp_path / "mine.py", tmp_path / "run")


@pytest.mark.parametrize(
    ("summary", "done", "over"),
    [
        ({"status": "finished"}, True, True),
        ({"status": "diverged"}, True, True),
        ({"status": "failed"}, False, False),
        ({"status": "stopped"}, False, False),
        ({"status": "stopped", "stopped_because": "others were better"}, False, True),
        ({"status": "failed", "stopped_because": "others were better"}, False, False),
    ],
)
def test_done_is_what_has_nothing_left_to_train_and_over_what_was_ended_on_purpose(make_run, summary, done, over):
    run = make_run(**summary)
    assert (run.is_done, run.is_over) == (done, over)
