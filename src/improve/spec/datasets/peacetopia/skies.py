"""Skies, with birds and without: a small procedural renderer.

A scene is drawn first (what is in the sky), then rendered (what a camera makes of it). Everything is drawn from the
seed, block by block, so the first images of a larger set are those of a smaller one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from improve.lazy import np
from improve.randomness import keyed_generator

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

BLOCK = 256  # images drawn together: fits a processor's cache at 32×32
DOMAINS = ("camera", "citizen")
STROKES = 6  # of one figure, at most
ALONE = 0.8  # chance of something else where no bird is


class Look(NamedTuple):
    """What a kind of camera makes of a scene. Lengths in half images, light from 0 to 1, blur in pixels at 32×32; pairs
    are the ends of a uniform draw."""

    span: tuple[float, float]  # half the wing span
    reach: float  # how far from the centre a figure may be
    haze: tuple[float, float]  # share of grey veil over everything
    light: tuple[float, float]
    color: tuple[float, float]  # 0: grey, 1: as it is
    blur: float
    noise: float
    roof: float  # chance of a roof at the bottom
    beside: float  # chance of something else beside a bird


LOOKS = {
    "camera": Look((0.18, 0.38), 0.75, (0.1, 0.35), (0.7, 0.95), (0.1, 0.5), 1.4, 0.025, 0.5, 0.35),
    "citizen": Look((0.22, 0.7), 0.5, (0.0, 0.25), (0.65, 1.05), (0.4, 1.1), 1.0, 0.018, 0.0, 0.15),
}


class Skies(NamedTuple):
    """`images` (n, size, size, 3; uint8), `labels` (n,; 1: a bird), and what nobody can see in the image: whether a
    bird is `hidden` (n,) behind a cloud, and whether it is of the `new` species (n,)."""

    images: NDArray[Any]
    labels: NDArray[Any]
    hidden: NDArray[Any]
    new: NDArray[Any]


def skies(
    count: int, domain: str, birds: float, hidden: float, new: float, size: int, seed: int, part: int = 0
) -> Skies:
    """`count` skies as `domain` sees them. A bird is there with probability `birds`; it is behind a cloud with
    probability `hidden` and of the new species with probability `new`. Each `part` has images of its own.

    Philox gives the same draws everywhere; sines and roots may differ in the last digit between processors, so a
    pixel in some thousands may be one grey level off on another kind of machine.
    """
    found = []
    for block in range(-(-count // BLOCK)):
        random = keyed_generator(seed, "sky", DOMAINS.index(domain), part, block)
        found.append(one_block(random, LOOKS[domain], birds, hidden, new, size))
    whole = Skies(*(np.concatenate(arrays)[:count] for arrays in zip(*found, strict=True)))
    for array in whole:
        array.flags.writeable = False  # they are drawn once for all who ask
    return whole


def one_block(random: Generator, look: Look, birds: float, hidden: float, new: float, size: int) -> Skies:
    """BLOCK skies. What can be seen depends on whether a bird is in sight, on nothing else of the label: an image with
    a hidden bird is drawn exactly as one without."""
    labels = random.random(BLOCK) < birds
    behind = labels & (random.random(BLOCK) < hidden)
    newer = labels & (random.random(BLOCK) < new)
    in_sight = labels & ~behind
    image = backdrop(random, look, size)
    others = random.random(BLOCK) < np.where(in_sight, look.beside, ALONE)
    centre = between(random, (-look.reach, look.reach), 2)
    # a period of 2 · reach apart, less a third: never on top of each other
    away = (centre + look.reach * between(random, (1.67, 2.33), 2)) % (2 * look.reach) - look.reach
    paint(image, thing(random), tint(random), others, away, random, look)
    paint(image, bird(random, newer), plumage(random, newer), in_sight, centre, random, look)
    return Skies(exposed(image, random, look), labels.astype(np.int64), behind, newer)


def between(random: Generator, ends: tuple[float, float], *shape: int) -> Any:
    return random.uniform(*ends, (BLOCK, *shape)).astype(np.float32)


def backdrop(random: Generator, look: Look, size: int) -> Any:
    """Sky (BLOCK, size, size, 3) from the zenith to the horizon, with clouds, and a roof where the camera has one."""
    height = np.linspace(1, 0, size, dtype=np.float32)[None, :, None, None]
    blue = np.array([0.35, 0.55, 0.85], np.float32) * between(random, (0.8, 1.1), 1, 1, 3)
    warm = np.array([0.8, 0.8, 0.85], np.float32) * between(random, (0.8, 1.1), 1, 1, 3)
    sky = np.repeat(height * blue + (1 - height) * warm, size, axis=2)
    clouds = 0.65 * cloud(random, size, 4) + 0.35 * cloud(random, size, 9)
    cover = between(random, (0.35, 0.75), 1, 1)
    thick = ((clouds - cover) * 4).clip(0, 0.9)[..., None]
    sky += thick * (between(random, (0.65, 0.85), 1, 1, 1) - sky)
    return with_roof(sky, random, look, size)


def cloud(random: Generator, size: int, cells: int) -> Any:
    """Smooth noise (BLOCK, size, size) from 0 to 1: a coarse random grid, interpolated linearly."""
    grid = random.random((BLOCK, cells, cells)).astype(np.float32)
    place = np.linspace(0, cells - 1, size).astype(np.float32)
    left = np.minimum(place.astype(int), cells - 2)
    share = place - left
    rows = grid[:, left] * (1 - share)[:, None] + grid[:, left + 1] * share[:, None]
    return rows[:, :, left] * (1 - share) + rows[:, :, left + 1] * share


def with_roof(sky: Any, random: Generator, look: Look, size: int) -> Any:
    """A dark sloping edge at the bottom of some images: what a camera on a wall has in view."""
    there = random.random(BLOCK) < look.roof
    slope, level = between(random, (-0.12, 0.12), 1, 1), between(random, (-0.98, -0.85), 1, 1)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    under = (level + slope * axis - -axis[:, None] > 0) & there[:, None, None]
    shade = between(random, (0.15, 0.45), 1, 1, 1)
    return np.where(under[..., None], shade, sky)


def figure(*strokes: tuple[Any, ...]) -> Any:
    """Strokes (BLOCK, STROKES, 6) from up to STROKES tuples of numbers or draws (BLOCK,); those not given are empty."""
    drawn = np.zeros((BLOCK, STROKES, 6), np.float32)
    for number, stroke in enumerate(strokes):
        for place, value in enumerate(stroke):
            drawn[:, number, place] = value
    return drawn


def bird(random: Generator, newer: Any) -> Any:
    """Half the span is 1. Known birds beat bent wings; the new species glides on straight ones, its neck stretched."""
    beat, bend = between(random, (-0.3, 0.7)), between(random, (0.15, 0.45))
    left, right = between(random, (0.65, 1.0)), between(random, (0.65, 1.0))
    wrist, tip = 0.35 * beat + bend, beat - 0.15
    left_wing = (0, 0, 0.16, 0.45 * left, wrist, 0.1), (0.45 * left, wrist, 0.1, left, tip, 0.05)
    right_wing = (0, 0, 0.16, -0.45 * right, wrist, 0.1), (-0.45 * right, wrist, 0.1, -right, tip, 0.05)
    known = figure(*left_wing, *right_wing, (-0.12, -0.12, 0.1, 0.16, 0.03, 0.17))
    neck = between(random, (-0.15, 0.15))
    wings_and_body = (0, 0.1, 0.14, 1.0, 0.16, 0.1), (0, 0.1, 0.14, -1.0, 0.16, 0.1), (0, -0.2, 0.14, 0, 0.2, 0.14)
    neck_and_head = (0, 0.2, 0.09, neck, 0.62, 0.06), (neck, 0.62, 0.1, 2 * neck, 0.75, 0.03)
    glider = figure(*wings_and_body, *neck_and_head, (0, -0.2, 0.07, 0, -0.75, 0.03))
    return np.where(newer[:, None, None], glider, known)


def thing(random: Generator) -> Any:
    """What else flies, one of each four: a plane, a kite, a leaf, a balloon."""
    sweep, bent = between(random, (0.2, 0.5)), between(random, (-0.3, 0.3))
    wings = (0, 0.15, 0.13, 0.85, 0.15 - sweep, 0.05), (0, 0.15, 0.13, -0.85, 0.15 - sweep, 0.05)
    tail = (0, -0.7, 0.07, 0.3, -0.85, 0.03), (0, -0.7, 0.07, -0.3, -0.85, 0.03)
    plane = figure((0, -0.8, 0.06, 0, 0.8, 0.1), *wings, *tail)
    string = (0, -0.5, 0.04, bent, -0.75, 0.04), (bent, -0.75, 0.04, -bent, -1.0, 0.04)
    kite = figure((0, 0.2, 0.42, 0, 0.7, 0), (0, 0.2, 0.42, 0, -0.5, 0), *string)
    leaf = figure((-0.5, 0, 0.03, 0, bent, 0.24), (0, bent, 0.24, 0.45, 0, 0.02))
    balloon = figure((0, 0.2, 0.5, 0, 0.3, 0.5), (0, -0.3, 0.03, 0, -0.6, 0.03), (-0.08, -0.7, 0.1, 0.08, -0.7, 0.1))
    kind = random.integers(0, 4, BLOCK)
    return np.stack([plane, kite, leaf, balloon])[kind, np.arange(BLOCK)]


def plumage(random: Generator, newer: Any) -> Any:
    """Colours (BLOCK, 3): known birds are dark, the new species is pale."""
    dark = between(random, (0.03, 0.22), 1) * between(random, (0.85, 1.15), 3)
    pale = between(random, (1.0, 1.15), 1) * between(random, (0.95, 1.05), 3)
    return np.where(newer[:, None], pale, dark)


def tint(random: Generator) -> Any:
    """Colours (BLOCK, 3) of other things: half of them as dark as birds, a quarter pale, a quarter of any colour."""
    kind = random.integers(0, 4, BLOCK)[:, None]
    dark = between(random, (0.03, 0.22), 1) * between(random, (0.85, 1.15), 3)
    pale, any_color = between(random, (1.0, 1.15), 1) + np.zeros(3, np.float32), between(random, (0.1, 1.0), 3)
    return np.where(kind < 2, dark, np.where(kind == 2, pale, any_color))


def paint(image: Any, strokes: Any, color: Any, there: Any, centre: Any, random: Generator, look: Look) -> None:
    """Put one figure into each image (in place) where it is `there`, of any size that this camera sees, turned."""
    scale = between(random, look.span)
    angle = np.clip(random.normal(0, 0.35, BLOCK), -1, 1).astype(np.float32)
    moved = placed_strokes(strokes, scale * there, angle, centre)
    size = image.shape[1]
    over = coverage(moved, size, look.blur * size / 32)[..., None]
    image += over * (color[:, None, None] - image)


def placed_strokes(strokes: NDArray[Any], scale: NDArray[Any], angle: NDArray[Any], centre: NDArray[Any]) -> Any:
    """Strokes (n, k, 6), x, y and radius at either end: turned by `angle` (n,; radians), scaled by `scale` (n,) and
    moved to `centre` (n, 2)."""
    ends = strokes.reshape(len(strokes), -1, 3)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x = scale[:, None] * (cos * ends[..., 0] - sin * ends[..., 1]) + centre[:, :1]
    y = scale[:, None] * (sin * ends[..., 0] + cos * ends[..., 1]) + centre[:, 1:]
    return np.stack([x, y, scale[:, None] * ends[..., 2]], axis=-1).reshape(strokes.shape).astype(np.float32)


def coverage(strokes: NDArray[Any], size: int, blur: float) -> Any:
    """How much of each pixel (n, size, size; float32, 0 to 1) is under one of the strokes (n, k, 6).

    Coordinates run from −1 to 1 over the image, y upwards; `blur` is the width of an edge in pixels. A stroke with both
    radii 0 leaves nothing, and one thinner than a pixel is as much paler as it is thinner.
    """
    axis = ((np.arange(size) + 0.5) * (2 / size) - 1).astype(np.float32)
    x, y = axis[None, None, :], -axis[None, :, None]
    covered = np.zeros((len(strokes), size, size), np.float32)
    for number in range(strokes.shape[1]):
        ends = strokes[:, number, :, None, None].transpose(1, 0, 2, 3)
        np.maximum(covered, one_stroke(ends, x, y, np.float32(size / 2), np.float32(blur)), out=covered)
    return covered


def one_stroke(ends: NDArray[Any], x: NDArray[Any], y: NDArray[Any], pixels: Any, blur: Any) -> Any:
    """Coverage (n, size, size) of one stroke per image; `ends` (6, n, 1, 1), `pixels` to a unit."""
    x0, y0, radius0, x1, y1, radius1 = ends
    along_x, along_y = x1 - x0, y1 - y0
    length = np.maximum(along_x * along_x + along_y * along_y, np.float32(1e-9))
    place = (((x - x0) * along_x + (y - y0) * along_y) / length).clip(0, 1)
    distance = np.hypot(x - x0 - place * along_x, y - y0 - place * along_y)
    radius = (radius0 + place * (radius1 - radius0)) * pixels
    edge = ((radius - distance * pixels) / blur + np.float32(0.5)).clip(0, 1)
    return edge * np.minimum(2 * radius / blur, 1)


def exposed(image: Any, random: Generator, look: Look) -> Any:
    """Bytes: a veil of haze, the colours and the light of this kind of camera, and its noise."""
    haze = between(random, look.haze, 1, 1, 1)
    image = image + haze * (0.65 - image)
    grey = image.mean(axis=-1, keepdims=True)
    image = grey + between(random, look.color, 1, 1, 1) * (image - grey)
    image *= between(random, look.light, 1, 1, 1)
    image += look.noise * random.standard_normal(image.shape, np.float32)
    return np.rint(image * 255).clip(0, 255).astype(np.uint8)
