"""All images of a folder as one .npy file, written stretch by stretch by all cores; what cannot be read is left out."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, NoReturn

from improve.errors import UsageError, printable
from improve.images.array import Tick
from improve.images.file import QUIET, BadImage, Color, Resize, Size, image_size, pillow_image, readers
from improve.images.index import UNREAD, Line, bytes_digest, stamped_bytes
from improve.lazy import np
from improve.parallel import in_parallel

DECODER = 1  # raise it when the same file would give other pixels
CHUNK = 64, 1 << 24  # most images and most bytes of one stretch
SHOWN = 20

Bad = list[tuple[str, str]]  # path, reason


class Decoding(NamedTuple):
    """How files become pixels."""

    size: Size | None
    color: Color
    resize: Resize

    def key(self, files: tuple[str, ...], lines: list[Line]) -> str:
        """Names the array; of the files by their names and contents, not by where they are."""
        resize = self.resize if self.size else ""
        said = hashlib.blake2b(f"{DECODER} {self.size} {self.color} {resize}\n".encode(), digest_size=16)
        for file, (_, contained) in zip(files, lines, strict=True):
            said.update(os.fsencode(file) + b"\0" + contained.encode() + b"\0")
        return said.hexdigest()


class Job(NamedTuple):
    """What a process must know to read a stretch of the files into its place in the array."""

    folder: Path
    files: tuple[str, ...]
    decoding: Decoding
    shape: tuple[int, int, int]
    array: Path
    offset: int  # bytes before the first image


class Stretch(NamedTuple):
    """What came of a stretch of files."""

    start: int
    lines: list[Line]
    bad: list[tuple[int, str]]
    other_size: list[int]  # images that are not of the size of the first


def write_npy_head(array: Path, shape: tuple[int, ...]) -> int:
    """Write the head of an .npy file; how many bytes it has."""
    with array.open("r+b") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)  # as long for fewer images: it is padded
        return stream.tell()


def decode(job: Job, tick: Tick) -> tuple[list[Line], list[tuple[int, str]]]:
    """Write the images of all files; what the index should say of them, and which are bad."""
    lines, bad, done, last_tick = [UNREAD] * len(job.files), [], 0, 0.0
    readers()  # imported once, before the processes part
    results = in_parallel(functools.partial(_stretch, job), _numbers(job))
    with _written_meanwhile(job.array) as write, contextlib.closing(results):
        for stretch in results:
            if stretch.other_size:
                _refuse_sizes(job, job.files[stretch.other_size[0]])
            lines[stretch.start : stretch.start + len(stretch.lines)] = stretch.lines
            bad += stretch.bad
            done += len(stretch.lines)
            if time.monotonic() > last_tick + 0.2 or done == len(lines):
                last_tick = time.monotonic()
                tick(done, len(lines))
                write()
    return lines, sorted(bad)


def _numbers(job: Job) -> list[range]:
    step = max(1, min(CHUNK[0], CHUNK[1] // (job.shape[0] * job.shape[1] * job.shape[2])))
    return [range(start, min(start + step, len(job.files))) for start in range(0, len(job.files), step)]


@contextlib.contextmanager
def _written_meanwhile(file: Path) -> Iterator[Callable[[], None]]:
    """Call what it gives now and then: the disk writes while the images are decoded, and little is left at the end."""
    written: Future[None] = Future()
    written.set_result(None)

    def write() -> None:
        nonlocal written
        if written.done():
            written.result()
            written = disk.submit(_sync, file)

    with ThreadPoolExecutor(1) as disk:  # its thread starts with the first call, after the processes have parted
        yield write
    written.result()


def _stretch(job: Job, numbers: range) -> Stretch:
    """Read, digest and decode some files and write their images where they belong."""
    from PIL import Image

    height, width, channels = job.shape
    strip = Image.new("RGB" if channels == 3 else "L", (width, height * len(numbers)))  # faster than array by array
    result = Stretch(numbers.start, [], [], [])
    with QUIET:
        for place, number in enumerate(numbers):
            line = UNREAD
            try:
                stamp, data = stamped_bytes(f"{job.folder}/{job.files[number]}")
                line = stamp, bytes_digest(data)
                image = pillow_image(data, *job.decoding)
                if image.size == (width, height):
                    strip.paste(image, (0, height * place))
                else:
                    result.other_size.append(number)
            except BadImage as error:
                result.bad.append((number, str(error)))
            result.lines.append(line)
    with job.array.open("r+b") as stream:  # not a map: on a full disk that would be a bus error
        stream.seek(job.offset + numbers.start * height * width * channels)
        stream.write(strip.tobytes())
    return result


def _refuse_sizes(job: Job, met: str) -> NoReturn:
    """Name the first file that differs; the processes `met` one of them, not always the first."""
    other = f"{printable(met)} has not"
    for file in job.files:
        with contextlib.suppress(BadImage):
            height, width = image_size(job.folder / file)
            if (height, width) != job.shape[:2]:
                other = f"{printable(file)} has {width}×{height}"
                break
    raise UsageError(
        f"images are of different sizes: the first one has {job.shape[1]}×{job.shape[0]} pixels, {other}",
        where=str(job.folder),
        fix="give size: 64, or another one, and all are resized to it",
    )


def close_gaps(job: Job, gaps: list[int]) -> None:
    """Move the images up over those that could not be read, and see the file safe on the disk."""
    row = job.shape[0] * job.shape[1] * job.shape[2]
    with job.array.open("r+b") as stream:
        left = set(range(gaps[0], len(job.files))) - set(gaps) if gaps else set()
        for place, number in enumerate(sorted(left), gaps[0] if gaps else 0):
            stream.seek(job.offset + number * row)
            image = stream.read(row)
            stream.seek(job.offset + place * row)
            stream.write(image)
        stream.truncate(job.offset + (len(job.files) - len(gaps)) * row)
    if gaps:
        write_npy_head(job.array, (len(job.files) - len(gaps), *job.shape))
    _sync(job.array)


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def shape_of(folder: Path, files: tuple[str, ...], decoding: Decoding) -> tuple[int, int, int]:
    """Height, width and channels of every image; without a size, those of the first that can be read."""
    bad: Bad = []
    channels = 3 if decoding.color == "rgb" else 1
    if decoding.size:
        return (*decoding.size, channels)
    for file in files:
        try:
            return (*image_size(folder / file), channels)
        except BadImage as error:
            bad.append((file, str(error)))
    return refuse_bad_images(folder, bad, len(files))


def refuse_bad_images(folder: Path, bad: Bad, total: int) -> NoReturn:
    """Raises UsageError, which names the first of the files in `bad` and why they cannot be read; `total`: all images
    there."""
    lines = [f"{len(bad):,} of {total:,} images in {folder} cannot be read:"]
    lines += [f"    {printable(name)} ({reason})" for name, reason in bad[:SHOWN]]
    lines += [f"    and {len(bad) - SHOWN:,} more"] if len(bad) > SHOWN else []
    raise UsageError(
        "\n".join(lines),
        fix="mend or remove them, or set on_bad_image: skip",
    )
