"""Models that users bring: read before they are run, and only from the spec's own folder."""

import pytest

from improve.errors import SpecError
from improve.spec.reading.load import load_spec

BUILD = """
import keras

def build(input_shape, classes, width=16, *, depth):
    raise SystemExit("a check must not run this")
"""
SPEC = 'model: {name: python, target: "mymodel.py:build", depth: 2}\n'


@pytest.fixture
def spec_with_code(write_spec):
    def write(text=SPEC, code=BUILD):
        write_spec(code, "mymodel.py")
        return write_spec(text)

    return write


def test_a_function_beside_the_spec_is_found_and_not_run(spec_with_code, tmp_path):
    spec = load_spec(spec_with_code())
    assert spec.model.code == tmp_path / "mymodel.py"
    assert spec.complete()["model"] == {"name": "python", "target": "mymodel.py:build", "depth": 2}


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("../mymodel.py:build", "is not a function in a file of the spec's own folder"),
        ("/tmp/mymodel.py:build", "is not a function in a file of the spec's own folder"),
        ("mymodel:build", "is not a function in a file of the spec's own folder"),
        ("os.system", "is not a function in a file of the spec's own folder"),
        ("mymodel.py:bild", "has no function bild; did you mean 'build'?"),
        ("yours.py:build", "there is no yours.py beside the spec"),
    ],
)
def test_what_is_not_a_function_beside_the_spec_is_refused(spec_with_code, target, what):
    with pytest.raises(SpecError) as caught:
        load_spec(spec_with_code(SPEC.replace("mymodel.py:build", target)))
    assert what in caught.value.problems[0].what
    assert caught.value.problems[0].line == 1


def test_a_link_out_of_the_folder_is_refused(write_spec, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "real.py").write_text(BUILD)
    (tmp_path / "mymodel.py").symlink_to(tmp_path / "elsewhere" / "real.py")
    with pytest.raises(SpecError, match="link out of the spec's own folder"):
        load_spec(write_spec(SPEC))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (SPEC.replace("depth: 2", "depth: 2, widht: 3"), "has no parameter 'widht'; did you mean 'width'?"),
        (SPEC.replace(", depth: 2", ""), "needs 'depth'"),
        (SPEC + "regularization: {l2: 0.1}\n", "l2 cannot reach into a model of your own"),
        (SPEC + "regularization: {dropout: 0.1}\n", "dropout cannot reach into a model of your own"),
    ],
)
def test_options_that_the_function_does_not_take_are_named(spec_with_code, text, what):
    with pytest.raises(SpecError) as caught:
        load_spec(spec_with_code(text))
    assert what in caught.value.problems[0].what


@pytest.mark.parametrize("code", ["def build(:\n", "x = 1\n", "def build(shape): ...\n"])
def test_a_file_that_cannot_serve_is_refused(spec_with_code, code):
    with pytest.raises(SpecError, match=r"mymodel\.py"):
        load_spec(spec_with_code(code=code))


def test_a_function_that_takes_anything_takes_anything(spec_with_code):
    assert load_spec(spec_with_code(code="def build(*arguments, **options): ...\n")).model.given == {"depth": 2}


@pytest.mark.parametrize(
    ("option", "what"),
    [
        ("depth: .inf", "depth is inf"),
        ("depth: [1, [.nan]]", "depth is [1, [nan]]"),
        ("'': 3", "'' cannot be an option of a function"),
        ("'two words': 3", "'two words' cannot be an option of a function"),
    ],
)
def test_an_option_that_a_saved_spec_could_not_hold_is_refused(spec_with_code, option, what):
    code = "def build(input_shape, classes, **options): ..."
    text = f"model: {{name: python, target: 'mymodel.py:build', {option}}}\n"
    with pytest.raises(SpecError) as caught:
        load_spec(spec_with_code(text, code))
    assert what in caught.value.problems[0].what


def test_no_code_refuses_it_whatever_is_in_it(improve, spec_with_code):
    file = spec_with_code()
    for command in ("check", "train", "preview"):
        code, _, err = improve(command, file, "--no-code")
        assert (code, "runs your own code, and --no-code is set" in err) == (2, True)
    assert improve("check", file)[0] == 0
