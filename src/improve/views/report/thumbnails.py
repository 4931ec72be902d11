"""The images that a run was judged by, found again on this machine: never downloaded, and never others."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from improve.engine.data.prepare import PreparedData, prepare
from improve.errors import ImproveError
from improve.images import npz
from improve.lazy import np
from improve.runs.run import Run
from improve.spec.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 96  # pixels: larger ones are shrunk, so that a page of many stays small


class Pictures(NamedTuple):
    """PNG images as `data:` addresses, or the reason why there are none."""

    addresses: tuple[str, ...]
    missing: str = ""


def thumbnails(run: Run, part: str, places: Sequence[int]) -> Pictures:
    """The images at these places of a part of the run's data.

    They are read as the spec says and shown only where their digest is the one that the run has written down: a spec
    that somebody else wrote gets no other file into the page.
    """
    spec = Spec.model_validate(run.spec)
    sources = [spec.data.source] + ([spec.data.target.source] if spec.data.target and spec.data.target.source else [])
    away = [source.label for source in sources if not source.at_hand]
    if away:
        names = " and ".join(away)
        missing = f"{names} is not on this machine where it can be read without Keras; put it into $IMPROVE_DATA"
        return Pictures((), missing)
    if not run.fingerprint.get(part):
        return Pictures((), "the run has not written down which images they were")
    try:
        data = _prepared(json.dumps({"seed": spec.seed, "data": run.spec["data"], "training": _training(spec)}))
    except (ImproveError, *npz.DAMAGED) as error:
        return Pictures((), f"the images cannot be read: {error}".splitlines()[0])
    if part not in data.parts or data.statistics[part].digest != run.fingerprint[part]:
        return Pictures((), "the images on this machine are not the ones that the run was judged by")
    images = data.parts[part].images[np.asarray(places, int)]
    return Pictures(tuple(address(image, data.pixels.low, data.pixels.high) for image in images))


def _training(spec: Spec) -> dict[str, Any]:
    """What of the training has a say in what is a valid division of the data."""
    return {"batch_size": spec.training.batch_size}


@lru_cache(maxsize=1)  # runs on the same data are told one after another; two data sets need not fit into memory
def _prepared(told: str) -> PreparedData:
    return prepare(Spec.model_validate(json.loads(told)))


def address(image: NDArray[Any], low: float, high: float) -> str:
    """An image (height, width, channels), `low` black and `high` white, as a PNG in a `data:` address."""
    from PIL import Image

    scaled = (image.astype(np.float64) - low) * (255 / (high - low))
    pixels = np.rint(scaled).clip(0, 255).astype(np.uint8)
    shown = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    shown.thumbnail((LARGEST, LARGEST))
    stream = io.BytesIO()
    shown.save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
