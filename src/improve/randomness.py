"""Every random draw that shapes a run is keyed: it depends on the seed and on what it is for, on nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improve.lazy import np

if TYPE_CHECKING:
    from numpy.random import Generator

# Stable numbers: they are part of a run's identity.
STREAMS = {
    "split": 1, "order": 2, "augmentation": 3, "sample": 4, "target": 5, "sky": 6, "labeller": 7, "auto": 8, "sweep": 9,
}  # fmt: skip


def keyed_generator(seed: int, stream: str, *where: int) -> Generator:
    """A generator for one purpose (`stream`) at one place, such as (epoch, batch).

    Philox is counter-based (Salmon et al., 2011): neighbouring keys give independent streams, so what is drawn for one
    batch does not depend on how many batches were drawn before it, nor by whom.
    """
    counter = [0, *where][:4]
    return np.random.Generator(
        np.random.Philox(key=[seed, STREAMS[stream]], counter=counter + [0] * (4 - len(counter)))
    )
