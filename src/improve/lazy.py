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
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from improve.errors import UsageError

# What TensorFlow 2.21 prints from C++ while it loads, whatever TF_CPP_MIN_LOG_LEVEL says: absl is not set up yet.
# The last one is LiteRT's.
BANNER = re.compile(
    rb"^(WARNING: All log messages before absl|[IW]0000 |E0000 .*cuda|To enable the following instr"
    rb"|INFO: Created TensorFlow Lite)"
)


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


def load_keras() -> None:
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if importlib.util.find_spec(backend) is None:  # by module: tensorflow-cpu and tf-nightly serve as well
        raise UsageError(
            f"Keras is set to run on {backend}, which is not installed",
            fix="pip install tensorflow (or tensorflow-cpu), or choose another backend: KERAS_BACKEND=jax",
        )
    # Off by default on CPUs without AVX-512 VNNI; on, LeNet takes half the time (benchmarks/RESULTS.md).
    # It changes the numbers, so environment.json records it.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    atexit.register(gc.freeze)  # without it Python takes TensorFlow's graphs apart at its end: 3 s for a ResNet
    with without_banner(), uncollected():
        importlib.import_module("keras")
        if backend == "tensorflow":
            importlib.import_module("tensorflow").config.list_physical_devices()


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
