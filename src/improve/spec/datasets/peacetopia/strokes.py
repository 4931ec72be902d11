"""Drawing with tapered strokes: soft-edged coverage of square images, vectorised over many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def placed(strokes: NDArray[Any], scale: NDArray[Any], angle: NDArray[Any], centre: NDArray[Any]) -> Any:
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
