"""Image files of many kinds, as bytes."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
GREY_16 = np.array([[0, 128, 129, 257], [65535, 65534, 32768, 256]], np.uint16)


def encoded(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(width, height, bits, kind, raw, *, transparent=b""):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    middle = chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + header + middle + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def turned(kind, orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(NOISE, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
