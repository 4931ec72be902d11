"""What others have named, written or packed is refused, or shown as it is; it commands nothing."""

import csv
import gzip
import io
import json
import os
import re
import stat
import sys
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hostile import HOSTILE, assert_harmless, every_hostile_text
from improve.diagnosis.findings.rule import Change
from improve.diagnosis.next_spec import revised_yaml
from improve.engine.preview import Row
from improve.engine.training.watcher import Announcement
from improve.errors import UsageError, visible
from improve.images import cache as imagecache
from improve.images import npz as npzfile
from improve.images.folder import listing
from improve.runs import ledger
from improve.runs.begin import checked_name, create
from improve.runs.files import write_arrays
from improve.runs.lock import folder_lock
from improve.runs.run import write_summary
from improve.spec.datasets.arrays import Npz
from improve.spec.datasets.known import read_idx
from improve.spec.reading import yaml as yamlfile
from improve.spec.spec import Spec
from improve.views.figures.preview import draw_preview
from improve.views.terminal import console
from improve.views.terminal.training import TerminalWatcher
from improve.views.text.comparison import csv_cell, markdown_cell

STYLE = re.compile(r"\x1b\[[0-9;]*m")  # bold and colours, Rich's own


@pytest.fixture
def hostile_run(make_run):
    """A run whose name, classes, spec, status and layers are `text`, with a finding that names a class."""

    def make(text, number=0):
        name = f"{text.replace('/', '')[:80]}{number or ''}"
        counts = {"train": [0, 500, 500], "validation": [300, 300, 400]}
        light = {"brightness": [0.5, 0.1], "contrast": [0.2, 0.1]}
        parts = {part: {"n": sum(have), "classes": have, **light} for part, have in counts.items()}
        spec = {"data": {"source": {"name": "npz", "path": text}}, "seed": number}
        evidence = {"start": {"parts": parts, "classes": 3}, "data": {"classes": [text, "b", "c"]}}
        return make_run(name, 0.3, 0.4, spec=spec, evidence=evidence).folder

    return make


@every_hostile_text
def test_no_command_that_reads_runs_lets_a_name_speak_for_it(improve, hostile_run, text):
    runs = [hostile_run(text), hostile_run(text, 1)]
    (runs[1] / "summary.json").write_text(json.dumps({"status": text, "error": text}))
    code, told, _ = improve("diagnose", runs[0])
    shown = visible(re.sub("[\a\r]", "", text))  # Rich leaves these two out
    assert (code, f"no training image of '{shown}', " in told) == (0, True)
    for command in ("diagnose {0}", "diagnose {0} --json", "diagnose {1}", "next {0}", "next {1}", "resume {1}",
                    "compare {0} {1}", "compare {0} {1} --json", "compare {0} {1} --csv", "compare {0} {1} --md",
                    "compare {0}/no", "diagnose {0}/no", "predict {0} {0}.png", "predict {0}/no x",
                    "export {1} --format {0}", "export {0} --format keras", "evaluate {0} --data {0}"):  # fmt: skip
        _, out, err = improve(*(word.format(*runs) for word in command.split(" ")))
        assert_harmless(out + err)
        assert "Traceback" not in err, command


def test_json_gives_the_very_name_back(improve, hostile_run):
    for number, text in enumerate(HOSTILE.values()):
        found = json.loads(improve("compare", hostile_run(text, number), "--json")[1])
        assert found["runs"][0]["name"] == text.replace("/", "")[:80] + (str(number) if number else "")


def test_on_a_terminal_too_every_escape_is_one_of_richs_own(improve, hostile_run, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    runs = [hostile_run(text, number) for number, text in enumerate(HOSTILE.values())]
    for command in (["compare", *runs], *(["diagnose", run] for run in runs)):
        _, out, err = improve(*command)
        assert STYLE.search(out)
        assert_harmless(STYLE.sub("", out + err))


def test_a_command_to_type_next_is_one_whatever_the_run_is_called(improve, make_run):
    run = make_run("a; touch b $(id)", train=0.0, validation=0.3).folder
    (run / "curves.png").write_bytes(b"")
    assert f"improve next '{run}' -o 'a; touch b $(id)_next.yaml'   &&" in improve("diagnose", run)[1]


@every_hostile_text
def test_no_mistake_in_a_spec_lets_the_spec_speak(improve, write_spec, text):
    quoted = json.dumps(text)
    source = f"data: {{source: {{name: npz, path: {quoted}}}}}"
    for line in (f"{quoted}: 1", f"seed: {quoted}", f"model: {quoted}", f"model: {{name: {quoted}}}", source,
                 f"extends: {quoted}", f"data: {{split: {quoted}}}", f"optimizer: {{{quoted}: 1}}",
                 source.replace("npz", "folder"), f"model: {{name: python, target: {quoted}}}",
                 f"{quoted}: 1\n{quoted}: 2", text):  # fmt: skip
        code, out, err = improve("check", write_spec(line))
        assert (code, out) == (2, "")
        assert_harmless(err)
    for override in (f"{text}=1", f"seed={text}", text):
        assert_harmless("".join(improve("check", write_spec(""), override)[1:]))


@every_hostile_text
def test_a_files_name_is_shown_and_no_more(improve, tmp_path, text):
    file = tmp_path / (text.replace("/", "")[:200] + ".yaml")
    for command in (["init", "-o", file], ["check", file], ["check", f"{file}.no"], ["schema", "-o", file / "no"],
                    ["list", text], ["explain", text], ["diagnose", "--errors", text], ["compare", text],
                    ["compare", file, "--sort", text], ["train", file, "--runs", file / "runs"],
                    ["lr", file, "--name", text], ["learning-curve", file, "--name", text]):  # fmt: skip
        assert_harmless("".join(improve(*command)[1:]))
    assert file.exists()


def test_there_is_one_console_and_it_is_the_careful_one():
    package = Path(console.__file__).parents[2]
    assert [file.name for file in package.rglob("*.py") if " Console(" in file.read_text()] == []
    assert type(console.console()) is type(console.console(stderr=True)) is console.Terminal


@pytest.mark.parametrize("name", ["link.yaml", "p" * 5000])
def test_init_writes_no_file_but_a_new_one(improve, tmp_path, name):
    (tmp_path / "link.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert improve("init", "-o", tmp_path / name)[:2] == (2, "")
    assert not (tmp_path / "elsewhere.yaml").exists()


@every_hostile_text
def test_what_is_told_of_training_is_told_line_by_line(capfd, text):
    spec = Spec.model_validate({"data": {"source": {"name": "npz", "path": text}}})
    data = SimpleNamespace(parts={}, duplicates={f"{text} in {text}": 2}, skipped=((text, text),))
    announcement = Announcement(9, text, steps_per_epoch=1, notes=(text,), warnings=(f"T16 {text}",))
    TerminalWatcher().started(Path("runs") / text, spec, data, announcement)
    assert_harmless(capfd.readouterr().err)


@every_hostile_text
def test_a_class_is_drawn_under_its_name(tmp_path, text, recwarn):
    draw_preview(tmp_path / "p.png", [0.1, 0.01], 1, [Row("original", np.zeros((1, 4, 4, 3)), [text])])
    assert (tmp_path / "p.png").read_bytes()[:4] == b"\x89PNG"
    assert [str(warning.message) for warning in recwarn if "Glyph" in str(warning.message)] == []


@every_hostile_text
def test_a_spec_that_is_written_holds_no_control_characters_and_says_the_same(text):
    for value in ({text: text}, {"a": [text, {text: [text]}]}):
        assert_harmless(yamlfile.write(value))
        assert yamlfile.parse(yamlfile.write(value), "f").value == value
        assert visible(yamlfile.inline(value)) == yamlfile.inline(value)
    changed = revised_yaml(Spec().complete(), Change("seed", 1, f"{text}\nseed: 7"))
    assert yamlfile.parse(changed, "f").value["seed"] == 1


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1"])
def test_a_cell_that_a_spreadsheet_would_run_is_a_text(text):
    assert csv_cell(text) == "'" + visible(text)


@pytest.mark.parametrize("text", ["-0.5", "+1e-3", "-inf", "20.0 % [17.6, 22.6]", "–", "lenet", ""])
def test_a_number_and_a_plain_text_are_left_as_they_are(text):
    assert csv_cell(text) == markdown_cell(text) == text


def test_compare_prints_cells_that_do_nothing_in_a_spreadsheet_or_a_page(improve, make_run):
    runs = [make_run(name, spec={"seed": seed}).folder for seed, name in enumerate(("=cmd()", "<img src=x>|[a](b)`"))]
    rows = list(csv.reader(io.StringIO(improve("compare", *runs, "--csv")[1])))
    assert [row[:3:2] for row in rows] == [["run", "seed"], ["<img src=x>|[a](b)`", "1"], ["'=cmd()", "0"]]
    assert r"| \<img src=x>\|[a]\(b)\` | 1 |" in improve("compare", *runs, "--md")[1]


FLOODS = {
    "24,000 unknown keys": "\n".join(f"k{number}: 1" for number in range(24_000)),
    "24,000 unknown keys on a line": "{" + ", ".join(f"k{number}: 1" for number in range(24_000)) + "}",
    "24,000 times the same key": "seed: 1\n" * 24_000,
    "20,000 unknown parts": "augmentation: [" + "flop, " * 20_000 + "flop]",
    "9,000 keys that are lists": "? [a]\n: 1\n" * 9_000,
    "a word of 900 kB": "model: " + "x" * 900_000,
    "a number of 900 kB": "seed: " + "9" * 900_000,
}


@pytest.mark.parametrize("text", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_mistakes_is_told_in_a_screen_or_two_and_at_once(improve, write_spec, text):
    file, before = write_spec(text), time.process_time()
    code, out, err = improve("check", file)
    assert (code, out, len(err) < 20_000) == (2, "", True)
    assert err.count(str(file)) <= 20
    assert time.process_time() - before < 3  # half a second of its own


@pytest.mark.parametrize(
    "override", ["a." * 5000 + "b=1", "seed." + "a." * 900 + "b=1", f"augmentation.{'9' * 5000}=1"]
)
def test_an_override_as_long_as_a_novel_is_a_mistake_like_others(improve, write_spec, override):
    code, _, err = improve("check", write_spec(""), override)
    assert (code, "1 mistake; nothing was started." in err) == (2, True)


def packed(file, **members):
    """An .npz file of what is given: arrays as numpy.save writes them, or bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            stream = io.BytesIO()
            if not isinstance(member, bytes):
                np.save(stream, member)
            archive.writestr(f"{name}.npy", member if isinstance(member, bytes) else stream.getvalue())
    return file


def test_an_archive_that_unpacks_to_more_than_the_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    zeros = {"x_train": np.zeros((2_000, 32, 32, 3), np.uint8), "y_train": np.arange(2_000) % 2}
    file = packed(tmp_path / "bomb.npz", **zeros)
    assert file.stat().st_size < 30_000
    assert sys.platform == "win32" or 1e8 < npzfile.total_ram() < 1e15
    assert Npz(path=str(file)).load().counts.train == 2_000
    monkeypatch.setattr(npzfile, "total_ram", lambda: 5e6)
    for look in (Npz.facts, Npz.load):
        with pytest.raises(UsageError, match=r"x_train in .* unpacks to"):
            look(Npz(path=str(file)))
    monkeypatch.setattr(npzfile, "total_ram", lambda: 6_150_000)  # each array has room, but not both
    with pytest.raises(UsageError, match="unpacks to"):
        Npz(path=str(file)).load()


@pytest.mark.parametrize("header", [b"-" * 9000 + b"1", b"(" * 9000, b"[" * 90_000, b"__import__('os').abort()"])
def test_a_header_is_data_and_never_code_however_deep_it_is(tmp_path, header):
    member = b"\x93NUMPY\x02\x00" + len(header).to_bytes(4, "little") + header
    with pytest.raises(UsageError, match=r"x_train in .* is damaged: [^\n]+$") as error:
        Npz(path=str(packed(tmp_path / "data.npz", x_train=member))).facts()
    assert "trust" not in error.value.what


@pytest.mark.parametrize(
    "data", [b"\0\0\x08\x01" + b"\0\0\x07\xd0" + bytes(2_000), b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"x"]
)
def test_a_gzip_file_that_unpacks_to_too_much_or_has_too_many_dimensions_is_refused(tmp_path, monkeypatch, data):
    monkeypatch.setattr("improve.spec.datasets.known.LARGEST", 1_500)
    (tmp_path / "a.gz").write_bytes(gzip.compress(data))
    with pytest.raises(UsageError, match="not an IDX file of bytes, or is cut short"):
        read_idx(tmp_path / "a.gz")


class Touches:
    """Unpickled, it makes a file."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return os.mkdir, (self.file,)


def test_nothing_in_a_run_folder_is_unpickled(improve, make_run, tmp_path):
    runs = [make_run(name, 0.1, 0.4, spec={"seed": seed}) for seed, name in enumerate("ab")]
    poison = np.array([Touches(tmp_path / "touched")], dtype=object)
    for file in ("predictions/train", "predictions/validation", "evidence/images", "evidence/last"):
        packed(runs[0].folder / f"{file}.npz", id=poison, label=poison, probability=poison, train_hash=poison)
        np.save(runs[1].folder / f"{file}.npy", np.zeros(3))  # no archive at all
        (runs[1].folder / f"{file}.npy").rename(runs[1].folder / f"{file}.npz")
    for command in (["diagnose", runs[0].folder], ["diagnose", runs[1].folder], ["compare", *(r.folder for r in runs)]):
        assert improve(*command)[0] == 0
    assert not (tmp_path / "touched").exists()
    assert len(np.load(runs[0].folder / "predictions/train.npz", allow_pickle=True)["id"]) == 1  # it would have worked
    assert (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a..b", "a/b", "/etc", "a\\b", "C:x", "a\0b", "a\n", "a b", "-rf", ".hidden", "x" * 101, "x" * 300,
     "é", "ｘ", "٣", "a\u202eb", "\x1b[2J", "$(id)", "a;b", "*", "~"],
)  # fmt: skip
def test_what_could_be_more_than_a_name_cannot_name_a_run(name):
    with pytest.raises(UsageError, match="cannot name a run"):
        checked_name(name)


@pytest.mark.parametrize("command", ["train", "lr", "learning-curve"])
def test_no_command_trains_outside_its_folder_of_runs(improve, write_spec, tmp_path, command):
    code, _, err = improve(command, write_spec(""), "--runs", tmp_path / "runs", "--name", "../../x")
    assert (code, "cannot name a run" in err) == (2, True)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "spec.yaml"]


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
def test_a_link_that_lies_where_a_run_is_to_be_made_is_left_alone(tmp_path, target):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "x").symlink_to(tmp_path / target)
    assert create(tmp_path / "runs", "x", Spec()).name == "x-2"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


def test_a_link_in_a_run_folder_is_not_written_through(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    for name in (".lock", ".p.png.tmp"):
        (tmp_path / name).symlink_to(tmp_path / "mine.txt")
    draw_preview(tmp_path / "p.png", [0.1, 0.01], 1, [Row("original", np.zeros((1, 4, 4, 3)))])
    with pytest.raises(UsageError, match=r"\.lock cannot be opened"), folder_lock(tmp_path):
        pass
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_next_brings_no_file_from_outside_the_run(improve, make_run, tmp_path):
    (tmp_path / "secret.py").write_text("def build(*arguments): ...")
    for number, target in enumerate(("../../secret.py:build", f"{tmp_path}/secret.py:build", "link.py:build")):
        run = make_run(f"r{number}", 0.0, 0.5)
        (run.folder / "link.py").symlink_to(tmp_path / "secret.py")
        told = yamlfile.write({**run.spec, "model": {"name": "python", "target": target}})
        (run.folder / "spec.yaml").write_text(told)
        code, _, err = improve("next", run.folder, "-o", tmp_path / "out" / "next.yaml")
        assert (code, "out of the spec's own folder" in err or "there is no secret.py" in err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_an_option_of_ones_own_function_that_is_no_name_is_refused(improve, write_spec):
    write_spec("def build(*arguments, **options): ...", "mine.py")
    for option in ('"a: 1\\nseed": 5', '"\\e[2J": 1'):
        file = write_spec(f'model: {{name: python, target: "mine.py:build", {option}}}')
        code, out, err = improve("show", file)
        assert_harmless(out + err)
        assert (code, "cannot be an option of a function" in err) == (2, True)


@pytest.mark.parametrize("code", ["x = " + "-" * 200_000 + "1", "x = " + "(" * 9_000, "x = " + "a." * 99_999 + "b"])
def test_code_that_is_nested_too_deep_to_be_read_is_a_mistake(improve, write_spec, code):
    write_spec(code, "mine.py")
    assert improve("check", write_spec('model: {name: python, target: "mine.py:build"}'))[0] == 2


linux = pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes, users and modes as Linux has them")


@pytest.fixture
def photos(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(6):
            Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


@linux
def test_what_is_no_file_is_not_opened_and_a_class_has_a_name_that_can_be_written(photos):
    os.mkfifo(photos / "cat" / "pipe.png")  # whoever opens it waits for ever
    (photos / "cat" / "zero.png").symlink_to("/dev/zero")
    found = listing(photos)
    assert (found.sizes, found.ignored) == ((12, 0, 0), 2)
    os.rename(photos / "dog", os.fsencode(photos) + b"/\xff\x1b[2J")
    with pytest.raises(UsageError, match=r"the name of the class folder ··\[2J in .* is not UTF-8"):
        listing(photos)


def read_cached(photos, cache, monkeypatch):
    monkeypatch.setenv("IMPROVE_CACHE", str(cache))
    return imagecache.cached_images(photos, listing(photos), (8, 8), "rgb", "stretch", "error")


@linux
def test_the_cache_is_for_its_user_alone(photos, tmp_path, monkeypatch):
    before = os.umask(0)
    try:
        assert len(read_cached(photos, tmp_path / "a" / "cache", monkeypatch).images) == 12
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a" / "cache").stat().st_mode) == 0o700


@linux
@pytest.mark.parametrize("why", ["is a link to", "belongs to another user", "can be written to by others"])
def test_a_cache_that_somebody_else_may_have_filled_is_not_trusted(photos, tmp_path, monkeypatch, why):
    cache = tmp_path / "real"
    assert len(read_cached(photos, cache, monkeypatch).images) == 12
    if why == "is a link to":
        cache = tmp_path / "cache"
        cache.symlink_to(tmp_path / "real")
    elif why == "belongs to another user":
        me = os.geteuid()
        monkeypatch.setattr("improve.user_cache.os.geteuid", lambda: me + 1)
    else:
        cache.chmod(0o770)
    with pytest.raises(UsageError, match=why) as error:
        read_cached(photos, cache, monkeypatch)
    assert "IMPROVE_CACHE" in error.value.fix


@linux
@pytest.mark.trains
def test_folders_and_files_of_any_name_are_trained_on_and_diagnosed(improve, write_spec, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("IMPROVE_CACHE", str(tmp_path / "cache"))
    names = sorted(name for text in HOSTILE.values() if (name := text.replace("/", "")[:255]))
    for name in names:
        (tmp_path / "any" / name).mkdir(parents=True)
        for number in range(6):
            (tmp_path / "any" / name / f"{number}.png").write_bytes((photos / "cat" / f"{number}.png").read_bytes())
    Path(os.fsdecode(os.fsencode(tmp_path / "any" / names[0]) + b"/\xff\x1b[2J.png")).write_bytes(b"")
    spec = write_spec(
        "data: {source: {name: folder, path: any, on_bad_image: skip}, split: 50/50}\nmodel: {name: mlp, hidden: [4]}\n"
        "training: {epochs: 1, batch_size: 4}\nregularization: {l2: 0}\n"
    )
    code, out, err = improve("train", spec, "--runs", tmp_path / "runs")
    assert (code, "files are no good images" in err) == (0, True)
    assert_harmless(out + err)
    about = json.loads((tmp_path / "runs" / "spec" / "environment.json").read_text())
    assert about["data"]["classes"] == names
    for command in (["diagnose"], ["compare"], ["preview"]):
        run = spec if command == ["preview"] else tmp_path / "runs" / "spec"
        code, out, err = improve(*command, run, *(["-o", tmp_path / "p.png"] if command == ["preview"] else []))
        assert code == 0
        assert_harmless(out + err)


@pytest.mark.parametrize("name", ["con", "NUL", "aux.txt", "Com1", "lpt9.old", "a.", "trailing.."])
def test_names_that_no_file_can_have_elsewhere_name_no_run(name):
    with pytest.raises(UsageError, match="cannot name a run"):
        checked_name(name)


def test_what_is_written_into_a_run_and_beside_it_follows_no_link(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    for link in (".summary.json.tmp", ".a.tmp.npz", ".advice.jsonl"):
        (tmp_path / link).symlink_to(mine)
    write_summary(tmp_path, {"status": "finished"})
    write_arrays(tmp_path / "a.npz", {"x": np.zeros(2)})
    with pytest.raises(OSError, match=r"\.advice\.jsonl"):
        ledger.append(tmp_path / ".advice.jsonl", "line")
    assert mine.read_text() == "mine"
    assert not (tmp_path / "summary.json").is_symlink()


def test_half_a_pair_of_surrogates_in_a_fingerprint_is_written_down_all_the_same(tmp_path):
    ledger.write_down(tmp_path, "x", "test", "\ud800", "spec", {"error": 0.1, "n": 10})
    ledger.write_down(tmp_path, "y", "test", "f", "spec", {"error": 0.1, "n": 10})
    assert (tmp_path / ledger.FILE).read_text().count("\n") == 3
    assert ledger.tried(tmp_path, "test", "f") == 1
