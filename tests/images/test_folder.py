"""What lies in a folder of images, and which layouts are refused."""

import sys

import pytest

from improve.errors import UsageError
from improve.images.folder import listing


@pytest.fixture
def folder(tmp_path):
    def make(*names):
        for name in names:
            file = tmp_path / "images" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.mkdir() if name.endswith("/") else file.write_bytes(b"")
        return tmp_path / "images"

    return make


def test_classes_and_files_are_sorted_by_name(folder):
    found = listing(folder("dog/b.png", "dog/a.JPG", "cat/2.webp", "cat/10.tif", "Bird/x.jpeg"))
    assert found.class_names == ("Bird", "cat", "dog")
    assert found.files == ("Bird/x.jpeg", "cat/10.tif", "cat/2.webp", "dog/a.JPG", "dog/b.png")
    assert found.labels == (0, 1, 1, 2, 2)
    assert found.sizes == (5, 0, 0)


def test_parts_come_in_the_order_train_validation_test(folder):
    found = listing(folder("train/a/1.png", "train/b/1.png", "test/b/1.png", "val/a/1.png", "val/b/1.png"))
    assert found.files == ("train/a/1.png", "train/b/1.png", "val/a/1.png", "val/b/1.png", "test/b/1.png")
    assert found.labels == (0, 1, 0, 1, 1)
    assert found.sizes == (2, 2, 1)


@pytest.mark.parametrize("name", ["validation", "val", "valid", "Validation"])
def test_validation_has_several_names(folder, name):
    assert listing(folder("train/a/1.png", "train/b/1.png", f"{name}/a/1.png")).sizes == (2, 1, 0)


def test_images_lie_at_any_depth_and_hidden_ones_are_passed_over(folder):
    found = listing(folder("a/2020/may/1.png", "a/0.png", "a/.hidden.png", "a/.git/2.png", ".cache/x/3.png", "b/1.gif"))
    assert found.files == ("a/0.png", "a/2020/may/1.png", "b/1.gif")


def test_files_that_are_no_images_are_counted(folder):
    found = listing(folder("a/1.png", "a/notes.txt", "b/1.png", "b/deep/Thumbs.db", "labels.csv", ".DS_Store"))
    assert (found.sizes, found.ignored) == ((2, 0, 0), 3)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_followed_to_files_only(folder, tmp_path):
    place = folder("a/1.png", "b/1.png")
    (place / "a" / "2.png").symlink_to(place / "b" / "1.png")
    (place / "a" / "loop").symlink_to(place)
    (place / "a" / "broken.png").symlink_to(tmp_path / "none.png")
    found = listing(place)
    assert (found.files, found.ignored) == (("a/1.png", "a/2.png", "b/1.png"), 2)
    (place / "c").symlink_to(place / "a")
    with pytest.raises(UsageError, match=r"c in .* is a link to a folder"):
        listing(place)


@pytest.mark.parametrize("names", [("bus", "train"), ("invalid", "valid")])
def test_a_class_may_be_called_like_a_part(folder, names):
    assert listing(folder(*(f"{name}/1.png" for name in names))).class_names == names


GOOD = ("train/a/1.png", "train/b/1.png")


@pytest.mark.parametrize(
    ("names", "what", "fix"),
    [
        (["x/"], "images/x has no class folders|only one class", "two classes|one folder per class"),
        ([".hidden"], "has no class folders", "one folder per class"),
        (["notes.txt"], "has no class folders", "one folder per class"),
        (["a/1.png"], "has only one class folder, a", "at least two"),
        (["1.png", "2.png"], "1.png, 2.png lie in .* itself, outside the class folders", "one folder per class"),
        (["1.png", "a/1.png", "b/1.png"], "1.png lies in .* itself", "one folder per class"),
        (["a/1.png", "b/", "c/1.png"], "has no image in b/", "or remove the folder"),
        (["a/", "b/"], "has no image in any class folder", "jpeg"),
        (["train/1.png", "test/1.png"], "1.png lies in .*test itself|1.png lies in .*train itself", "class"),
        (["train/1.png", "train/a/1.png", "test/a/1.png"], "1.png lies in .*train itself", "class"),
        (["train/a/1.png"], "train has only one class folder, a", "at least two"),
        (["train/a/1.png", "train/b/"], "train has no image in b/", "remove"),
        ([*GOOD, "test/c/1.png"], "test has the class c, which .*train has not", "the classes are a, b"),
        ([*GOOD, "validation/A/1.png"], "validation has the class A, which", "rename"),
        ([*GOOD, "cat/1.png"], "train/ lies beside cat", "move cat into"),
        ([*GOOD, "test/1.png"], "1.png lies in .*test itself", "one folder per class"),
        ([*GOOD, "test/a/"], "test has no image in any class folder", "remove"),
        ([*GOOD, "val/a/1.png", "valid/a/1.png"], "has both val/ and valid/", "join"),
        (["test/a/1.png", "test/b/1.png"], "has test/ but no train/", "put the training images"),
        (["test/a/1.png", "cat/1.png", "dog/1.png"], "has test/ but no train/", "put the training images"),
    ],
)
def test_a_wrong_layout_is_one_clear_error(folder, names, what, fix):
    with pytest.raises(UsageError, match=what) as error:
        listing(folder(*names))
    assert any(part in error.value.fix for part in fix.split("|"))


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"none is not there"):
        listing(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file, not a folder of images"):
        listing(tmp_path / "file")


def test_names_with_terminal_escapes_are_made_harmless(folder):
    with pytest.raises(UsageError, match="only one class folder, ·") as error:
        listing(folder("\x1b[31m/1.png"))
    assert "\x1b" not in error.value.what.removeprefix(str(folder()))
