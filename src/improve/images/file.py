"""One image file, as pixels or as a named reason why not. Its contents say what it is, not its extension."""

from __future__ import annotations

import functools
import io
import logging
import struct
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from improve.errors import printable
from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Color = Literal["rgb", "grey"]
Resize = Literal["stretch", "crop", "pad"]
Size = tuple[int, int]  # height, width

MOST_PIXELS = 100_000_000
MODES = {"rgb": "RGB", "grey": "L"}
REFUSED = {
    "F": "floating-point pixels: say which value is white by saving it with 8 or 16 bits",
    "I": "32-bit or signed pixels: say which value is white by saving it with 8 or 16 bits",
}
KNOWN = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "I;16", "I;16L", "I;16B")
# What Pillow says of a file that is cut short
SHORT = ("truncated", "not enough", "end of", "requires a buffer", "incomplete", "no more images")
PLAIN = {0xC0, 0xC2, 0xC4, 0xDB, 0xDD, 0xE0, 0xFE}  # SOF0, SOF2, DHT, DQT, DRI, APP0 (JFIF), COM
# What an EXIF orientation (2 to 8) asks for, in Pillow's numbers (Image.Transpose)
UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class BadImage(Exception):  # noqa: N818 (it is about the image, and never leaves as an error)
    """Why a file is not an image that can be learnt from, in a few words."""


class Quiet:
    """Inside, Pillow's warnings and log lines go nowhere. Nests, also across threads: the last one out restores."""

    def __init__(self) -> None:
        self.lock, self.depth, self.restore = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self.lock:
            self.depth += 1
            if self.depth == 1:
                self.restore.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                logger = logging.getLogger("PIL")
                self.restore.callback(logger.setLevel, logger.level)
                logger.setLevel(logging.CRITICAL + 1)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.restore.close()


QUIET = Quiet()


def quietly(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Whatever Pillow raises on a damaged file (nearly any exception there is) becomes a BadImage; no warnings."""

    @functools.wraps(function)
    def wrapped(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        with QUIET:
            try:
                return function(*args, **options)
            except (BadImage, MemoryError, NameError, ImportError):
                raise  # not the file's fault
            except OSError as error:
                if error.errno is not None:
                    raise BadImage(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
                raise BadImage(_reason(error)) from error
            except Exception as error:
                raise BadImage(_reason(error)) from error

    return wrapped


def _reason(error: Exception) -> str:
    said = str(error) if str(error) and not isinstance(error, KeyError) else type(error).__name__
    short = isinstance(error, EOFError) or any(word in said.lower() for word in SHORT)
    return "cut short" if short else f"damaged ({printable(said.splitlines()[0], 80)})"


def read_image(data: bytes, size: Size | None, color: Color, resize: Resize) -> NDArray[np.uint8]:
    """The pixels (height, width, channels) of a file's contents, upright; what is transparent lies on white.

    16-bit grey is scaled to 8 bits; of 16-bit colour Pillow gives the upper byte. Where `size` is given, the image is
    stretched to it, or the largest centred window of that shape is cut out, or the whole is fitted and padded with
    black: bilinear, with antialiasing. A JPEG at least four times as large is decoded at a half, a quarter or an
    eighth, still twice `size`. Raises BadImage.
    """
    return np.atleast_3d(np.asarray(pillow_image(data, size, color, resize)))


@quietly
def pillow_image(data: bytes, size: Size | None, color: Color, resize: Resize) -> Image:
    """What read_image says, before it becomes an array."""
    image = _plain_jpeg(data, size) or _decoded(data, size)
    converted = _converted(image, MODES[color])
    return RESIZE[resize](converted, size) if size else converted


@quietly
def image_size(file: Path) -> Size:
    """Height and width after rotation, from the header (a PNG is decoded: EXIF may follow it). Raises BadImage."""
    with file.open("rb") as stream:
        image = _opened(stream)
        turned = image.format != "TIFF" and _orientation(image) >= 5
        return (image.width, image.height) if turned else (image.height, image.width)


@functools.cache
def readers() -> tuple[tuple[bytes, Callable[[IO[bytes]], Image]], ...]:
    """The first bytes of each format and its class: called directly, as Image.open would go by its own pixel cap."""
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

    return (
        (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
        (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
        (b"RIFF", WebPImagePlugin.WebPImageFile),
        (b"GIF8", GifImagePlugin.GifImageFile),
        (b"BM", BmpImagePlugin.BmpImageFile),
        *((magic, TiffImagePlugin.TiffImageFile) for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    )


def _opened(stream: IO[bytes]) -> Image:
    """The image with nothing but its header read."""
    start = stream.read(16)
    if not start:
        raise BadImage("empty file")
    reader = next((reader for magic, reader in readers() if start.startswith(magic)), None)
    if reader is None or (start[:4] == b"RIFF" and start[8:12] not in (b"WEBP", b"")):
        raise BadImage("not an image (PNG, JPEG, WebP, BMP, GIF or TIFF)")
    if start[:4] == b"RIFF" and stream.seek(0, io.SEEK_END) < 8 + int.from_bytes(start[4:8], "little"):
        raise BadImage("cut short")
    stream.seek(0)
    image = reader(stream)
    if image.width * image.height > MOST_PIXELS:
        raise BadImage(f"{image.width:,}×{image.height:,} pixels: a decompression bomb")
    if image.mode not in KNOWN:
        raise BadImage(REFUSED.get(image.mode, f"{image.mode} pixels: save it as RGB"))
    return image


def _decoded(data: bytes, size: Size | None) -> Image:
    image = _opened(io.BytesIO(data))
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise BadImage(f"{frames:,} pages" if image.format == "TIFF" else f"animated ({frames:,} frames)")
    return _upright(image, size)


def _orientation(image: Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # torn EXIF data: as if there were none, like every viewer
        return 1


def _upright(image: Image, size: Size | None) -> Image:
    """Decoded and turned as EXIF says; a large JPEG at a fraction of its size. Pillow turns a TIFF by itself."""
    if image.format == "TIFF":
        image.load()
        return image
    if image.format != "JPEG":
        image.load()  # here, lest _orientation meets what is wrong with the pixels
    orientation = _orientation(image)
    if size and image.format == "JPEG":
        height, width = size if orientation < 5 else size[::-1]
        image.draft(None, (2 * width, 2 * height))  # None keeps the mode
    image.load()
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image  # type: ignore[arg-type]


def _plain_jpeg(data: bytes, size: Size | None) -> Image | None:
    """A JPEG without metadata, decoded as _decoded does it, in two thirds of the time; nothing where it is not one."""
    from PIL import Image as Pillow

    found = _frame(data) if data.startswith(b"\xff\xd8\xff") else None
    if found is None:
        return None
    height, width, mode = found
    room = min(height // (2 * size[0]), width // (2 * size[1])) if size else 1
    scale = next((scale for scale in (8, 4, 2) if room >= scale), 1)
    shape = (-(-width // scale), -(-height // scale))
    return Pillow.frombytes(mode, shape, data, "jpeg", mode, "", scale, 0)


def _frame(data: bytes) -> tuple[int, int, str] | None:
    """Height, width and mode of a JPEG that has nothing else to say: no EXIF, no Adobe colours, no second image."""
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF and data[at + 1] in PLAIN:
        if data[at + 1] in (0xC0, 0xC2):  # baseline, progressive
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 4)
            usual = bits == 8 and channels in (1, 3) and 0 < height * width <= MOST_PIXELS
            return (height, width, "L" if channels == 1 else "RGB") if usual else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _converted(image: Image, mode: str) -> Image:
    from PIL import Image as Pillow

    if image.mode == mode and not image.info:
        return image
    if image.mode.startswith("I;16"):
        image = _eight_bits(image)
    if image.has_transparency_data:
        page = Pillow.new("RGBA", image.size, "white")
        page.alpha_composite(image.convert("RGBA"))
        image = page.convert("RGB")
    elif image.mode not in (mode, "RGB", "L"):
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image) -> Image:
    """16-bit grey scaled to 8: 65,535 is 255. A TIFF may have 12 bits, or 0 for white; a PNG one transparent grey."""
    from PIL import Image as Pillow

    tags: Any = getattr(image, "tag_v2", {})
    top = 2 ** tags.get(258, (16,))[0] - 1
    values = np.asarray(image).astype(np.uint32)
    if tags.get(262, 1) == 0:
        values = top - values
    values[values == image.info.get("transparency", -1)] = top
    return Pillow.fromarray(((values * 255 + top // 2) // top).astype(np.uint8))


def _stretch(image: Image, size: Size, box: tuple[float, float, float, float] | None = None) -> Image:
    from PIL.Image import Resampling

    return image.resize(size[::-1], Resampling.BILINEAR, box)


def _crop(image: Image, size: Size) -> Image:
    scale = min(image.height / size[0], image.width / size[1])
    high, wide = scale * size[0], scale * size[1]
    left, top = (image.width - wide) / 2, (image.height - high) / 2
    return _stretch(image, size, (left, top, min(left + wide, image.width), min(top + high, image.height)))


def _pad(image: Image, size: Size) -> Image:
    from PIL import Image as Pillow

    scale = min(size[0] / image.height, size[1] / image.width)
    high, wide = max(1, round(scale * image.height)), max(1, round(scale * image.width))
    page = Pillow.new(image.mode, size[::-1])
    page.paste(_stretch(image, (high, wide)), ((size[1] - wide) // 2, (size[0] - high) // 2))
    return page


RESIZE: dict[Resize, Callable[[Image, Size], Image]] = {"stretch": _stretch, "crop": _crop, "pad": _pad}
