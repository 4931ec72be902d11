"""export.py SOURCE COUNT OUT.npz: the first COUNT training images of a data source of improve, for all ways alike."""

from __future__ import annotations

import sys

import numpy as np

from improve.errors import ImproveError
from improve.spec.datasets.arrays import Digits
from improve.spec.datasets.known import Cifar10, FashionMnist

SOURCES = {"digits": Digits, "fashion_mnist": FashionMnist, "cifar10": Cifar10}


def export(name: str, count: int, file: str) -> None:
    """Write x_train (uint8) and y_train; fewer than `count` where the source has no more."""
    source = SOURCES[name]().load()
    count = min(count, source.counts.train)
    np.savez(file, x_train=source.pools[0][:count], y_train=source.labels[:count])


if __name__ == "__main__":
    try:
        export(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    except ImproveError as error:
        sys.exit(str(error))
