"""Are the images there, and of one scale? Counted before the first step, whatever the network does with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from improve.diagnosis.findings.indicators import part_of
from improve.diagnosis.findings.rule import Case, Finding, Rule
from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARE, IMAGES = 0.01, 3  # of a part, at least
HEAPS = 20.0  # times as large: no light and no camera leaves such a hole between its images
ROUGH, SMOOTH = 1.05, 0.75  # mean difference of neighbours over the standard deviation; of white noise 2/√π = 1.13
ROUNDING = 1e-5  # of the brightness
PARTS = ("train", "train_dev", "validation", "test")


class DamagedImages(Rule):
    """Some of the images are empty, noise, or on another scale than the others of their part; or all have lost their
    shades.

    Seen as: 1 % of the images of a part, and 3 at least, of which every pixel is the same; or whose neighbouring
    pixels differ as much as those of noise do (1.05 standard deviations on average, noise 1.13), where most of the
    others' do not (0.75); or, with a high error, nothing but zeros and ones in a part, as after a division by 255
    and a cast to whole numbers; or the images of a part fall into two heaps, of which one has twenty times the
    brightness and contrast of the other and nothing lies between, as where pixels from 0 to 1 and from 0 to 255
    were pooled. Counted over all images, so true whatever the network did. Fix: read those files again; one scale
    for all.
    """

    code, name, title, link = "R10", "damaged_images", "some images are empty, noise, or of another scale", "readable"
    early = True

    def look(self, case: Case) -> Finding | None:
        for part in PARTS:
            brightness, contrast = (case.evidence.images.get(f"{part}_{look}") for look in ("brightness", "contrast"))
            if brightness is None or contrast is None or not 0 < len(brightness) == len(contrast):
                continue
            found = self.empty(part, brightness, contrast) or self.two_scales(part, brightness, contrast)
            found = found or self.noisy(case, part, contrast) or self.whole(case, part)
            if found:
                return found
        return None

    def empty(self, part: str, brightness: NDArray[Any], contrast: NDArray[Any]) -> Finding | None:
        count, n = int(all_one(brightness, contrast).sum()), len(contrast)
        if count < max(IMAGES, SHARE * n):
            return None
        return self.found(
            f"{count:,} of {n:,} {part.replace('_', '-')} images are empty: every pixel of them is the same",
            harm=count / n,
            evidence={"part": part, "empty": count, "n": n},
            fact=True,
            confirm="look at one of them, and at the file that it comes from",
        )

    def noisy(self, case: Case, part: str, contrast: NDArray[Any]) -> Finding | None:
        sharpness = case.evidence.images.get(f"{part}_sharpness")
        if sharpness is None or len(sharpness) != len(contrast) or not np.median(sharpness) < SMOOTH:
            return None
        count, n = int((sharpness > ROUGH).sum()), len(contrast)
        if count < max(IMAGES, SHARE * n):
            return None
        return self.found(
            f"{count:,} of {n:,} {part.replace('_', '-')} images are noise: neighbouring pixels have nothing to do "
            "with each other",
            harm=count / n,
            evidence={"part": part, "noise": count, "n": n},
            fact=True,
            confirm="look at one of them, and at the file that it comes from",
        )

    def whole(self, case: Case, part: str) -> Finding | None:
        pixels = part_of(case, part).get("pixels") or {}
        if not pixels or not pixels["whole"] or (pixels["low"], pixels["high"]) != (0.0, 1.0) or not case.errs:
            return None
        return self.found(
            f"every pixel of the {part.replace('_', '-')} images is 0 or 1, {100 * pixels['at_high']:.1f} % are 1: as "
            "after a division by 255 and a cast to whole numbers, which leaves of 256 shades only white",
            harm=1.0 if case.errors is None else case.errors.validation.value,
            evidence={"part": part, **pixels},
            fact=True,
            confirm="look at an image before and after it is scaled: divide as floats",
        )

    def two_scales(self, part: str, brightness: NDArray[Any], contrast: NDArray[Any]) -> Finding | None:
        sizes = np.sort(np.hypot(brightness, contrast)[~all_one(brightness, contrast)])
        least = max(IMAGES, SHARE * len(contrast))
        if len(sizes) < 2 * least or not np.isfinite(sizes).all():
            return None
        steps = sizes[1:] / np.maximum(sizes[:-1], 1e-30)
        at = int(steps.argmax())
        low, n = at + 1, len(contrast)
        if steps[at] < HEAPS or min(low, len(sizes) - low) < least:
            return None
        factor = float(np.median(sizes[low:]) / max(float(np.median(sizes[:low])), 1e-30))
        return self.found(
            f"{low:,} of {n:,} {part.replace('_', '-')} images have 1/{factor:.0f} of the brightness and contrast of "
            "the others, and none lies between",
            harm=min(low, n - low) / n,
            evidence={"part": part, "factor": factor, "images": low, "n": n},
            fact=True,
            confirm="divide those by what the others are divided by",
        )


def all_one(brightness: NDArray[Any], contrast: NDArray[Any]) -> NDArray[Any]:
    """Which images (n,; bool) have one value everywhere, but for the rounding of float32."""
    found: NDArray[Any] = contrast <= ROUNDING * np.abs(brightness)
    return found
