"""Heavy modules come late, and cheaply."""

from __future__ import annotations

import gc
import importlib
import inspect
import os
import stat
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from improve.errors import UsageError
from improve.lazy import LazyModule, OptionalPackages, uncollected, usable_backend
from improve.user_cache import keep_compiled_programs, mending, processor_digest


@pytest.fixture(autouse=True)
def unfrozen():
    yield
    gc.unfreeze()


def test_no_garbage_is_looked_for_while_modules_load_and_it_is_afterwards():
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_module_that_does_not_load_leaves_the_collector_on():
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()


def test_what_modules_made_is_not_walked_through_again():
    with uncollected():
        made = [[], []]
    assert not any(one is each for each in gc.get_objects() for one in made)


def test_who_looks_at_everything_in_a_file_loads_nothing():
    """pytest does, of every test file that names `keras`."""
    sys.modules.pop("this", None)
    module = LazyModule("this")
    assert inspect.unwrap(module) is module
    assert not any(hasattr(module, name) for name in ("_mock_name", "__test__"))
    assert "this" not in sys.modules


def test_what_others_or_another_thread_import_and_what_is_loaded_is_not_hidden(monkeypatch):
    packages = OptionalPackages()
    packages.hidden_from = (__name__,)
    packages.names = ("this", "zipapp", "colorsys")
    for name in packages.names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.import_module("colorsys")
    with packages:
        with pytest.raises(ModuleNotFoundError, match="zipapp"):
            importlib.import_module("zipapp")
        assert importlib.reload(sys.modules["colorsys"])
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(importlib.import_module, "this").result()
        packages.hidden_from = ("others",)
        importlib.import_module("zipapp")
    assert packages.askers == [__name__]
    assert packages not in sys.meta_path


OWN_CODE = """
import sys
from improve.lazy import keras
from improve.spec.user_code import call

unneeded = {"pandas", "sklearn", "matplotlib"} | ({"scipy"} if keras.backend.backend() == "tensorflow" else set())
assert not unneeded & set(sys.modules), "Keras has loaded what it does not need"
call(sys.argv[1] + ":build")
"""
BUILD = """
import keras
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


def build():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(pd.DataFrame(np.ones((4, 3))), pd.Series(np.ones(4)), validation_split=0.5, verbose=0)
    assert issubclass(keras.wrappers.SKLearnClassifier, BaseEstimator)
    keras.visualization.plot_image_gallery(np.zeros((4, 8, 8, 3)), value_range=(0, 255), rows=2, cols=2)
"""


@pytest.mark.trains
@pytest.mark.backend
def test_code_of_ones_own_meets_a_keras_that_lacks_nothing(tmp_path):
    (tmp_path / "own.py").write_text(BUILD)
    done = subprocess.run(
        [sys.executable, "-c", OWN_CODE, tmp_path / "own.py"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr[-2000:] if done.returncode else "") == (0, "")


JAX_KEEPS = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS",
             "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES")  # fmt: skip


@pytest.fixture
def unset(monkeypatch, tmp_path):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setenv("IMPROVE_CACHE", str(tmp_path / "cache"))
    for name in JAX_KEEPS:
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    return tmp_path / "cache"


def test_compiled_programs_are_kept_for_their_user_alone(unset):
    keep_compiled_programs()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == str(unset / f"jax-{processor_digest()}")
    assert stat.S_IMODE(unset.stat().st_mode) == 0o700


def test_a_folder_of_programs_that_others_may_write_to_is_refused(unset):
    unset.mkdir()
    unset.chmod(0o777)
    with pytest.raises(UsageError, match="can be written to by others"):
        keep_compiled_programs()


def test_a_folder_that_the_environment_names_is_left_as_it_is(unset, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/mine")
    keep_compiled_programs()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "/mine"
    assert not unset.exists()


def test_a_program_that_cannot_be_read_is_taken_out_and_other_warnings_are_told(tmp_path):
    for name in ("jit_step-12ab-cache", "jit_step-12ab-atime", "jit_predict_step-34cd-cache"):
        (tmp_path / name).write_bytes(b"damaged")
    told = []
    shown = mending(tmp_path, lambda message, *where: told.append(message))
    shown(
        "Error reading persistent compilation cache entry for 'jit_step': Error: decompressing", UserWarning, "x.py", 1
    )
    shown("a rate of 3 is high", UserWarning, "x.py", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["jit_predict_step-34cd-cache"]
    assert told == ["a rate of 3 is high"]


def test_where_nothing_can_be_written_nothing_is_kept(unset):
    unset.write_text("")
    unset.chmod(0o600)
    keep_compiled_programs()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


@pytest.mark.parametrize(
    ("name", "installed", "what", "fix"),
    [
        (
            "jax",
            {"tensorflow"},
            "to run on jax, which is not installed",
            "pip install jax, or KERAS_BACKEND=tensorflow",
        ),
        (None, {"jax"}, "to run on tensorflow, which is not", "or tensorflow-cpu), or KERAS_BACKEND=jax, which is"),
        ("", set(), "Keras is to run on tensorflow, which is not installed", "pip install tensorflow"),
        ("numpy", {"numpy"}, "nothing can be trained on KERAS_BACKEND=numpy", "one of tensorflow, jax, torch"),
        ("tensorflw", {"tensorflow"}, "did you mean 'tensorflow'?", "unset, it is tensorflow"),
    ],
)
def test_a_backend_that_cannot_be_had_is_told_with_one_that_can(monkeypatch, name, installed, what, fix):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if name is not None:
        monkeypatch.setenv("KERAS_BACKEND", name)
    monkeypatch.setattr("importlib.util.find_spec", lambda package: package in installed or None)
    with pytest.raises(UsageError) as error:
        usable_backend()
    assert what in error.value.what
    assert fix in error.value.fix


def test_nothing_is_left_behind_where_the_backend_cannot_be_had(improve, write_spec, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    code, _, err = improve("train", write_spec("data: {source: digits}\nmodel: mlp\n"), "--runs", tmp_path / "runs")
    assert (code, "nothing can be trained on KERAS_BACKEND=numpy" in err) == (2, True)
    assert list((tmp_path / "runs").iterdir()) == []
