"""People who label skies, simulated; and what nobody can do better than."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from improve.lazy import np
from improve.randomness import keyed_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: error rates on skies with birds in half of them; simulated, nobody was asked
LABELLERS = {"team of experts": 0.003, "expert": 0.005, "resident": 0.010, "resident in a hurry": 0.012}


def bayes_error(birds: float, hidden: float, cost: float = 1.0) -> float:
    """The lowest error that any classifier of these images can have; with `cost`, the lowest cost-weighted error where
    a missed bird counts that much and a false alarm 1.

    A share π of the images has a bird in it, h of these a hidden one, and an image with a hidden bird is drawn exactly
    as one without a bird. So among the images without a bird in sight (πh + 1 − π of all) nothing tells the two apart,
    and the best answer is the same for all of them: "no bird" loses c·πh, "bird" loses 1 − π. Where a bird is in sight
    the label follows from the scene and nothing is lost. Divided by the weight of all images:

        min(c·πh, 1 − π) / (c·π + 1 − π)

    It is the error of one who sees the scene. Haze, blur and noise come between the scene and the pixels and can only
    add to it (data-processing inequality), so no classifier of the pixels gets below.
    """
    return min(cost * birds * hidden, 1 - birds) / (cost * birds + 1 - birds)


def labelled(
    name: str, labels: NDArray[Any], hidden: NDArray[Any], missed: float, seed: int = 0
) -> NDArray[np.integer[Any]]:
    """The labels (n,) that a simulated labeller gives to skies of these true `labels`, of which `hidden` (n,) have a
    hidden bird: an expected share `missed` of all images.

    Nobody sees a hidden bird, so it is always missed. On all other images the labeller slips with the one probability
    that makes the whole error rate the planted one; where hidden birds alone are more than that, there are no slips.
    """
    slip = max(0.0, (LABELLERS[name] - missed) / (1 - missed))
    random = keyed_generator(seed, "labeller", list(LABELLERS).index(name))
    slipped = random.random(len(labels)) < slip
    seen = np.where(hidden, 0, labels)
    return np.where(slipped & ~np.asarray(hidden, bool), 1 - seen, seen)
