"""Odd and damaged image files: each gives the right pixels, or is refused by name."""

import io
import logging
import struct
import warnings

import numpy as np
import pytest
from PIL import Image, ImageFile

from image_files import GREY_16, NOISE, encoded, png, turned
from improve.images import file as imagefile
from improve.images.file import BadImage, image_size, read_image

SMOOTH = Image.linear_gradient("L").resize((640, 480)).convert("RGB")
GREY_8 = [[0, 0, 1, 1], [255, 255, 128, 1]]  # divided by 257, rounded


def one(mode, *pixels):
    image = Image.new(mode, (len(pixels), 1))
    image.putdata(pixels)
    return image


def palette():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    return image


def white_is_zero():
    file = bytearray(encoded(Image.fromarray(GREY_16), "TIFF"))
    file[file.index(struct.pack("<HHI", 262, 3, 1)) + 8] = 0
    return bytes(file)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_what_loses_nothing_gives_the_exact_pixels(kind):
    assert np.array_equal(read_image(encoded(NOISE, kind), None, "rgb", "stretch"), np.asarray(NOISE))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_what_loses_something_gives_what_pillow_gives(kind):
    data = encoded(NOISE, kind)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.array_equal(read_image(data, None, "rgb", "stretch"), expected)


RED, HALF_RED = (255, 0, 0), (255, 127, 127)
ODD = {
    "16-bit PNG": (encoded(Image.fromarray(GREY_16), "PNG"), "grey", GREY_8),
    "16-bit TIFF": (encoded(Image.fromarray(GREY_16), "TIFF"), "grey", GREY_8),
    "16-bit big-endian TIFF": (encoded(Image.fromarray(GREY_16.astype(">u2")), "TIFF"), "grey", GREY_8),
    "16-bit TIFF, white is zero": (white_is_zero(), "grey", [[255, 255, 254, 254], [0, 0, 127, 254]]),
    "16-bit PNG with a transparent grey": (
        png(2, 1, 16, 0, b"\0" + struct.pack(">HH", 514, 257), transparent=struct.pack(">H", 514)), "grey", [[255, 1]]),
    "16-bit colour": (png(1, 1, 16, 2, b"\0" + struct.pack(">HHH", 65535, 257 * 7, 0)), "rgb", [[(255, 7, 0)]]),
    "palette": (encoded(palette(), "PNG"), "rgb", [[(10, 20, 30), (200, 100, 50)]]),
    "palette with a transparent colour": (
        encoded(palette(), "PNG", transparency=0), "rgb", [[(255, 255, 255), (200, 100, 50)]]),
    "palette with half-transparent colours": (
        encoded(palette(), "PNG", transparency=b"\x80\xff"), "rgb", [[(132, 137, 142), (200, 100, 50)]]),
    "transparent GIF": (encoded(palette(), "GIF", transparency=0), "rgb", [[(255, 255, 255), (200, 100, 50)]]),
    "RGBA on white": (encoded(one("RGBA", (*RED, 128), (*RED, 255), (*RED, 0)), "PNG"), "rgb",
                      [[HALF_RED, RED, (255, 255, 255)]]),
    "RGBA WebP": (encoded(one("RGBA", (*RED, 128)), "WEBP", lossless=True), "rgb", [[HALF_RED]]),
    "RGBA TIFF": (encoded(one("RGBA", (*RED, 128)), "TIFF"), "rgb", [[HALF_RED]]),
    "LA on white": (encoded(one("LA", (0, 128), (9, 255)), "PNG"), "grey", [[127, 9]]),
    "CMYK JPEG": (encoded(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "JPEG"), "rgb", [[RED]]),
    "CMYK TIFF": (encoded(one("CMYK", (0, 255, 255, 0), (0, 0, 0, 255)), "TIFF"), "rgb", [[RED, (0, 0, 0)]]),
    "one bit": (encoded(one("1", 0, 255), "PNG"), "rgb", [[(0, 0, 0), (255, 255, 255)]]),
    "one bit TIFF": (encoded(one("1", 0, 255), "TIFF"), "grey", [[0, 255]]),
    "grey as colour": (encoded(one("L", 7, 200), "PNG"), "rgb", [[(7, 7, 7), (200, 200, 200)]]),
    "colour as grey": (encoded(one("RGB", RED, (0, 255, 0)), "PNG"), "grey", [[76, 150]]),  # ITU-R 601
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_images_are_read_exactly(name):
    data, color, expected = ODD[name]
    pixels = read_image(data, None, color, "stretch")
    assert pixels.dtype == np.uint8
    assert pixels.squeeze(-1).tolist() == expected if color == "grey" else np.array_equal(pixels, expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_an_image_is_turned_as_its_camera_says(kind, tmp_path):
    data = turned(kind)
    plain = np.asarray(Image.open(io.BytesIO(encoded(NOISE, "JPEG")))) if kind == "JPEG" else np.asarray(NOISE)
    assert np.array_equal(read_image(data, None, "rgb", "stretch"), np.rot90(plain, -1))
    (tmp_path / "image").write_bytes(data)
    assert image_size(tmp_path / "image") == (60, 40)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_are_those_of_pillow(orientation):
    from PIL import ImageOps

    data = turned("PNG", orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(read_image(data, None, "rgb", "stretch"), expected)


def test_torn_exif_data_is_as_good_as_none():
    data = encoded(NOISE, "JPEG", exif=b"Exif\0\0MM\0*garbagegarbage")
    assert read_image(data, None, "rgb", "stretch").shape == (40, 60, 3)


def test_a_photograph_that_carries_a_second_one_gives_the_first():
    data = encoded(NOISE, "MPO", save_all=True, append_images=[NOISE.rotate(90)])
    assert np.array_equal(
        read_image(data, None, "rgb", "stretch"), read_image(encoded(NOISE, "JPEG"), None, "rgb", "stretch")
    )


def several(kind, count=12):
    return encoded(NOISE, kind, save_all=True, append_images=[NOISE.rotate(turn) for turn in range(1, count)])


BAD = {
    "zero bytes": (b"", "empty file"),
    "a text": (b"hello, world", "not an image"),
    "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    "a sound": (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0", "not an image"),
    "another image format": (encoded(NOISE, "PPM"), "not an image"),
    "a bomb": (png(60_000, 60_000, 8, 0, b""), r"60,000×60,000 pixels: a decompression bomb"),
    "a GIF that moves": (several("GIF"), r"animated \(12 frames\)"),
    "a WebP that moves": (several("WEBP"), r"animated \(12 frames\)"),
    "a PNG that moves": (several("PNG"), r"animated \(12 frames\)"),
    "a TIFF with pages": (several("TIFF", 3), "3 pages"),
    "float pixels": (encoded(Image.fromarray(GREY_16.astype(np.float32)), "TIFF"), "floating-point pixels"),
    "32-bit pixels": (encoded(Image.fromarray(GREY_16.astype(np.int32)), "TIFF"), "32-bit or signed pixels"),
    "Lab colours": (encoded(Image.new("LAB", (2, 2)), "TIFF"), "LAB pixels"),
    "a PNG whose data is damaged": (png(4, 4, 8, 0, b"\x09" * 20), "damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_refused_by_name(name):
    data, reason = BAD[name]
    with pytest.raises(BadImage, match=reason):
        read_image(data, (8, 8), "rgb", "stretch")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_file_that_is_cut_short_is_refused(kind, kept):
    data = encoded(NOISE, kind)
    with pytest.raises(BadImage, match=r"cut short|damaged"):
        read_image(data[: int(kept * len(data))], (8, 8), "rgb", "stretch")


def test_the_end_of_a_jpeg_is_missed():
    with pytest.raises(BadImage, match="cut short"):
        read_image(encoded(NOISE, "JPEG")[:-2], None, "rgb", "stretch")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_flipped_bytes_give_pixels_or_a_reason_never_another_exception(kind):
    random, data = np.random.default_rng(1), encoded(NOISE, kind)
    for _ in range(150):
        flipped = bytearray(data)
        for place in random.integers(0, min(len(data), int(random.choice([40, 4000]))), 3):
            flipped[place] = random.integers(256)
        try:
            assert read_image(bytes(flipped), (8, 8), "rgb", "pad").shape == (8, 8, 3)
        except BadImage as reason:
            assert str(reason)  # noqa: PT017 (some bytes do harm, some do not)


def test_a_mistake_in_the_program_is_not_blamed_on_the_file(monkeypatch):
    monkeypatch.setattr(imagefile, "_converted", lambda image, mode: undefined)  # noqa: F821
    with pytest.raises(NameError):
        read_image(encoded(NOISE, "PNG"), None, "rgb", "stretch")


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"comment": b"hello"}, {"grey": True}]
)
@pytest.mark.parametrize("size", [None, (64, 64), (48, 100), (100, 48), (230, 17), (500, 700)])
def test_the_quick_way_for_plain_jpegs_gives_the_same_pixels(monkeypatch, options, size):
    image = SMOOTH.convert("L") if options.get("grey") else SMOOTH
    data = encoded(image, "JPEG", **{name: value for name, value in options.items() if name != "grey"})
    assert imagefile._plain_jpeg(data, size) is not None
    quick = read_image(data, size, "rgb", "stretch")
    monkeypatch.setattr(imagefile, "_plain_jpeg", lambda data, size: None)
    assert np.array_equal(quick, read_image(data, size, "rgb", "stretch"))


def test_a_large_jpeg_decoded_at_a_fraction_looks_the_same():
    whole = np.asarray(SMOOTH.resize((60, 45), Image.Resampling.BILINEAR), int)
    assert np.abs(read_image(encoded(SMOOTH, "JPEG"), (45, 60), "rgb", "stretch") - whole).max() <= 3


HALVES = one("L", 0, 0, 200, 200).resize((40, 10), Image.Resampling.NEAREST)  # left half 0, right half 200


def test_stretched_the_image_fills_the_size():
    pixels = read_image(encoded(HALVES, "PNG"), (10, 10), "grey", "stretch")[..., 0]
    assert pixels.shape == (10, 10)
    assert (pixels[:, 0] == 0).all()
    assert (pixels[:, 9] == 200).all()


def test_cropped_the_largest_window_in_the_middle_is_left():
    pixels = read_image(encoded(HALVES, "PNG"), (10, 10), "grey", "crop")[..., 0]
    assert np.array_equal(pixels, np.asarray(HALVES)[:, 15:25])


def test_padded_the_whole_image_lies_on_black():
    image = one("L", *[200] * 4).resize((40, 10), Image.Resampling.NEAREST)
    pixels = read_image(encoded(image, "PNG"), (20, 20), "grey", "pad")[..., 0]
    assert (pixels[:7] == 0).all()
    assert (pixels[7:12] == 200).all()
    assert (pixels[12:] == 0).all()


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_a_thin_line_of_an_image_still_gives_the_size(resize):
    data = encoded(Image.new("RGB", (3000, 1), "white"), "PNG")
    assert read_image(data, (16, 9), "rgb", resize).shape == (16, 9, 3)


def test_shrinking_averages_instead_of_picking_pixels():
    board = Image.fromarray(np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255)
    pixels = read_image(encoded(board, "PNG"), (8, 8), "grey", "stretch")
    assert np.abs(pixels.astype(int) - 128).max() <= 2


def test_the_size_is_told_without_good_pixels(tmp_path):
    (tmp_path / "torn.png").write_bytes(png(9000, 7000, 8, 0, b""))
    assert image_size(tmp_path / "torn.png") == (7000, 9000)
    (tmp_path / "jpeg.txt").write_bytes(encoded(NOISE, "JPEG"))
    assert image_size(tmp_path / "jpeg.txt") == (40, 60)
    with pytest.raises(BadImage, match="cannot be read: no such file"):
        image_size(tmp_path / "none.png")


def test_pillow_keeps_quiet_and_is_left_as_it_was(caplog, recwarn):
    before = list(warnings.filters), logging.getLogger("PIL").level, Image.MAX_IMAGE_PIXELS
    tiff = bytearray(encoded(NOISE, "TIFF"))
    tiff[tiff.index(struct.pack("<HH", 277, 3)) + 8] = 9  # nine samples per pixel: Pillow logs an error
    with pytest.raises(BadImage, match="damaged"):
        read_image(bytes(tiff), None, "rgb", "stretch")
    entry = struct.pack(">HHII", 0x010F, 2, 500, 9999)  # the camera's name, beyond the end: Pillow warns
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1" + entry + bytes(4)
    read_image(encoded(NOISE, "JPEG", exif=exif), None, "rgb", "stretch")
    assert (caplog.records, list(recwarn)) == ([], [])
    assert (list(warnings.filters), logging.getLogger("PIL").level, Image.MAX_IMAGE_PIXELS) == before
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
