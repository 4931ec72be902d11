"""Folders of images."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from improve.images.array import Tick
from improve.images.folder import PARTS, listing
from improve.spec.component import refusal
from improve.spec.datasets.base import Counts, Facts, OwnImages, Source, no_tick

_pixels: dict[str, Any] = {"type": "integer", "minimum": 1}


def _height_and_width(value: Any) -> tuple[int, int]:
    pair = [value, value] if isinstance(value, int) else value
    sizes = [size for size in pair if type(size) is int and size > 0] if isinstance(pair, list | tuple) else []
    if len(sizes) != 2:
        raise refusal(f"{value!r} is no size", "write pixels: 64, or [48, 64] for height and width")
    return (sizes[0], sizes[1])


Size = Annotated[
    tuple[int, int],
    Field(strict=False),
    BeforeValidator(_height_and_width),
    WithJsonSchema({"anyOf": [_pixels, {"type": "array", "items": _pixels, "minItems": 2, "maxItems": 2}]}),
]

listed = lru_cache(maxsize=4)(listing)  # a spec is looked at several times before it runs


class Folder(OwnImages):
    """Your own images, one sub-folder per class: class/…, or train/class/… with validation/ and test/ beside it.

    PNG, JPEG, WebP, BMP, GIF and TIFF, told by their content. Classes are the sorted names of the sub-folders. Unless
    the spec says how to split, validation/ and test/ stay what they are (split: own); with test/ alone a fifth of
    train/ becomes the validation set. Images are decoded and resized once, in parallel, into a cache on disk
    ($IMPROVE_CACHE, or ~/.cache/improve) that is found again by their contents.
    """

    name: Literal["folder"] = "folder"
    title: ClassVar[str] = "folder"
    path: str = Field(description="the folder; relative to the spec that names it")
    size: Size | None = Field(None, description="pixels, one number or [height, width]; theirs, if all have the same")
    color: Literal["rgb", "grey"] = Field("rgb", description="three channels or one")
    resize: Literal["stretch", "crop", "pad"] = Field(
        "stretch", description="to size: ignore the proportions, cut the edges off, or pad with black"
    )
    on_bad_image: Literal["error", "skip"] = Field("error", description="name every bad file and stop, or count them")

    @property
    def own_split(self) -> Any:
        folder = Path(self.path)
        if not os.path.isdir(folder / "train"):
            return super().own_split
        found = {part for name, part in PARTS.items() if os.path.isdir(folder / name)}
        return "own" if "validation" in found else {"validation": 0.2} if "test" in found else super().own_split

    def facts(self) -> Facts:
        from improve.images.decode import Decoding, shape_of

        found = listed(Path(self.path))
        shape = shape_of(Path(self.path), found.files, Decoding(self.size, self.color, self.resize))
        return Facts(Counts(*found.sizes), shape, len(found.class_names))

    def load(self, tick: Tick = no_tick) -> Source:
        from improve.images.cache import cached_images

        folder = Path(self.path)
        found = listed(folder)
        kept = cached_images(folder, found, self.size, self.color, self.resize, self.on_bad_image, tick)
        bad = tuple((name.encode(errors="backslashreplace").decode(), reason) for name, reason in kept.bad)
        return Source((kept.images,), kept.labels, Counts(*kept.sizes), found.class_names, str(folder), bad)
