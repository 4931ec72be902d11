"""Heavy modules, imported on first use, so that `improve --help` answers at once.

No other file names keras or tensorflow at import time. Import what you need from here:

    from improve.lazy import keras, np
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import importlib.util
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from improve.errors import UsageError, did_you_mean
from improve.user_cache import keep_compiled_programs

# What TensorFlow 2.21 prints from C++ while it loads, whatever TF_CPP_MIN_LOG_LEVEL says: absl is not set up yet.
# The last one is LiteRT's.
BANNER = re.compile(
    rb"^(WARNING: All log messages before absl|[IW]0000 |E0000 .*cuda|To enable the following instr"
    rb"|INFO: Created TensorFlow Lite)"
)


BACKENDS = ("tensorflow", "jax", "torch")


class LazyModule(ModuleType):
    """Stands for a module and imports it when the first attribute is asked for. What inspect and pytest ask of
    everything they meet, `__wrapped__` or `__test__`, is no reason to."""

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_") and attribute != "__version__":
            raise AttributeError(attribute)
        return getattr(self._loaded(), attribute)

    def _loaded(self) -> ModuleType:
        return importlib.import_module(self.__name__)


class LazyKeras(LazyModule):
    """Keras, with its backend chosen and set up before it loads."""

    def _loaded(self) -> ModuleType:
        if "keras" not in sys.modules:
            load_keras()
        return sys.modules["keras"]


def usable_backend() -> str:
    """The backend that Keras is to run on. Raises UsageError where nothing can be trained on it, or it is not there."""
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"  # set to nothing it is as if not set
    if name not in BACKENDS:
        raise UsageError(
            f"nothing can be trained on KERAS_BACKEND={name}{did_you_mean(name, BACKENDS)}",
            fix=f"one of {', '.join(BACKENDS)}; unset, it is tensorflow",
        )
    if importlib.util.find_spec(name) is None:  # by module: tensorflow-cpu and tf-nightly serve as well
        others = [other for other in BACKENDS if importlib.util.find_spec(other)]
        fix = f"pip install {name}{' (or tensorflow-cpu)' if name == 'tensorflow' else ''}"
        fix += f", or KERAS_BACKEND={others[0]}, which is there" if others else ""
        raise UsageError(f"Keras is to run on {name}, which is not installed", fix=fix)
    return name


def load_keras() -> None:
    backend = os.environ["KERAS_BACKEND"] = usable_backend()
    # Off by default on CPUs without AVX-512 VNNI; on, LeNet takes half the time (benchmarks/RESULTS.md).
    # It changes the numbers, so environment.json records it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if backend == "jax":
        keep_compiled_programs()
    atexit.register(gc.freeze)  # without it Python takes TensorFlow's graphs apart at its end: 3 s for a ResNet
    with without_banner(), uncollected():
        with OPTIONAL_PACKAGES:
            keras = importlib.import_module("keras")
        keras.config.set_image_data_format("channels_last")  # as images come here, whatever a user's keras.json says
        if backend == "tensorflow":
            importlib.import_module("tensorflow").config.list_physical_devices()
        else:
            leave_tensorflow_alone()


class OptionalPackages:
    """A finder of modules that hides from Keras, while it is imported, what takes two seconds and serves only its
    wrappers for scikit-learn, its plots and data frames. What is loaded already, and what others import, is not
    hidden."""

    names = ("matplotlib", "pandas", "scipy", "sklearn")
    hidden_from = ("keras", "tensorflow")

    def __init__(self) -> None:
        self.wanted = False  # by whoever brings code of their own
        self.hidden: tuple[str, ...] = ()
        self.askers: list[str] = []
        self.thread = 0

    def __enter__(self) -> None:
        self.hidden = () if self.wanted else tuple(name for name in self.names if name not in sys.modules)
        self.thread = threading.get_ident()
        sys.meta_path.insert(0, self)

    def __exit__(self, *error: object) -> None:
        sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] not in self.hidden or threading.get_ident() != self.thread:
            return
        asker = importer()
        if asker.startswith(self.hidden_from):
            self.askers.append(asker)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    def show(self) -> None:
        """Import anew the modules of Keras that took a hidden package for missing; hide nothing from now on."""
        self.wanted, askers, self.askers = True, self.askers, []
        if askers:
            askers.append("keras.wrappers")  # it hands on classes of one of them
        for name in dict.fromkeys(askers):
            if name.startswith("keras.") and name in sys.modules:
                importlib.reload(sys.modules[name])


def leave_tensorflow_alone() -> None:
    """On another backend Keras imports TensorFlow, where that is installed, to seed it and to save a model: half a
    gigabyte for nothing. From here on Keras takes it for missing until somebody else has imported it."""
    stand_in = importlib.import_module("keras.src.utils.module_utils").tensorflow
    stand_in.__class__ = type("OnceLoaded", (type(stand_in),), {"available": property(tensorflow_is_loaded)})


def tensorflow_is_loaded(stand_in: Any) -> bool:
    return "tensorflow" in sys.modules


def importer() -> str:
    """The name of the module whose import statement has led to this finder."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "importlib":
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


OPTIONAL_PACKAGES = OptionalPackages()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No cyclic garbage is looked for while modules load: a fifth of Keras's import goes into that. What they made
    lives as long as the process: no later search walks through it, as every `clear_session` would."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


@contextlib.contextmanager
def without_banner() -> Iterator[None]:
    """Hold back what is written to file descriptor 2 and pass on all of it but TensorFlow's banner."""
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            held.seek(0)
            os.write(terminal, b"".join(line for line in held if not BANNER.match(line)))
            os.close(terminal)


__all__ = ["keras", "np"]

if TYPE_CHECKING:
    import keras
    import numpy as np
else:
    keras = LazyKeras("keras")
    np = LazyModule("numpy")
