"""What was exported, run by the library that it was exported for. Only on files that improve has just written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.lazy import keras, np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def with_keras(file: Path, images: NDArray[Any]) -> NDArray[Any]:
    model = keras.saving.load_model(os.fspath(file), compile=False, safe_mode=True)
    return np.asarray(model.predict_on_batch(images))


def with_tensorflow(folder: Path, images: NDArray[Any]) -> NDArray[Any]:
    """By the signature that TensorFlow Serving calls."""
    import tensorflow

    loaded = tensorflow.saved_model.load(os.fspath(folder))
    outputs = loaded.signatures["serving_default"](images=tensorflow.constant(images))
    return np.asarray(next(iter(outputs.values())))


def with_onnx(file: Path, images: NDArray[Any]) -> NDArray[Any]:
    import onnxruntime

    session = onnxruntime.InferenceSession(os.fspath(file), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: images})[0])


def with_litert(file: Path, images: NDArray[Any]) -> NDArray[Any]:
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
