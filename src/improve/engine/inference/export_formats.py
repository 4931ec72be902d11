"""The formats of an export: how each is written, and how its own runtime runs it.

Only files that improve has just written itself are loaded here.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.lazy import keras, np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Format:
    """How files are called, the modules that it takes; `write` (model, file), and `run` (file,
    images (n, height, width, channels; float32)) → outputs (n, classes) by the format's own runtime."""

    suffix: str
    needs: tuple[str, ...]
    write: Callable[[Any, Path], None]
    run: Callable[[Path, NDArray[Any]], NDArray[Any]]


def save(model: Any, file: Path) -> None:
    model.save(file)


def run_keras(file: Path, images: NDArray[Any]) -> NDArray[Any]:
    model = keras.saving.load_model(os.fspath(file), compile=False, safe_mode=True)
    return np.asarray(model.predict_on_batch(images))


def export_as(name: str, model: Any, file: Path) -> None:
    model.export(os.fspath(file), format=name, verbose=False)


def run_savedmodel(folder: Path, images: NDArray[Any]) -> NDArray[Any]:
    """Probabilities of a SavedModel on `images`, by the signature that TensorFlow Serving calls."""
    import tensorflow

    loaded = tensorflow.saved_model.load(os.fspath(folder))
    outputs = loaded.signatures["serving_default"](images=tensorflow.constant(images))
    return np.asarray(next(iter(outputs.values())))


def export_onnx(model: Any, file: Path) -> None:
    teach_erfc()
    export_as("onnx", model, file)


@functools.cache
def teach_erfc() -> None:
    """TensorFlow's gelu is made of erfc, which tf2onnx 1.17 does not know and writes down as it is, a file that no
    runtime loads. ONNX has erf, and erfc(x) = 1 − erf(x)."""
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class Erfc:
        @classmethod
        def version_9(cls, graph: Any, node: Any, **ignored: Any) -> None:
            name, inputs, outputs = node.name, node.input, node.output
            form = {"dtypes": [graph.get_dtype(outputs[0])], "shapes": [graph.get_shape(outputs[0])]}
            one = graph.make_const(f"{name}_one", np.array(1, np.float32)).output[0]
            erf = graph.make_node("Erf", inputs, name=f"{name}_erf", **form).output[0]
            graph.remove_node(name)
            graph.make_node("Sub", [one, erf], name=name, outputs=outputs, **form)


def run_onnx(file: Path, images: NDArray[Any]) -> NDArray[Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(file), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: images})[0])


def run_litert(file: Path, images: NDArray[Any]) -> NDArray[Any]:
    """One image at a time, as on a phone."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=os.fspath(file))
    interpreter.allocate_tensors()
    takes, gives = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = []
    for image in images:
        interpreter.set_tensor(takes, image[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(gives)[0])
    return np.stack(rows)


_savedmodel = functools.partial(export_as, "tf_saved_model")
_litert = functools.partial(export_as, "litert")
_onnx = ("tensorflow", "tf2onnx", "onnx", "onnxruntime")
FORMATS = {
    "keras": Format(".keras", (), save, run_keras),
    "savedmodel": Format("_savedmodel", ("tensorflow",), _savedmodel, run_savedmodel),
    "onnx": Format(".onnx", _onnx, export_onnx, run_onnx),
    "litert": Format(".tflite", ("tensorflow", "ai_edge_litert"), _litert, run_litert),
}
