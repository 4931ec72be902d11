"""Images that are read when they are asked for: some rows of one or several arrays, in memory or mapped from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from improve.lazy import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK = 1024, 1 << 23  # most images and most bytes looked at together: a data set need not fit into memory


#: told how many images of how many have been read
Tick = Callable[[int, int], None]


class Images:
    """The `rows` of `pools` (arrays (n, height, width, channels) of one shape and type, numbered one after another).

    Indexed like an array by a slice or by row numbers; gives an array.
    """

    def __init__(self, pools: tuple[NDArray[Any], ...], rows: NDArray[Any]):
        self.pools = tuple(pool for pool in pools if len(pool)) or pools[:1]
        self.rows = rows
        self.ends = np.cumsum([len(pool) for pool in self.pools])
        self.dtype = self.pools[0].dtype
        self.shape: tuple[int, int, int, int] = (len(rows), *self.pools[0].shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, where: Any) -> NDArray[Any]:
        rows = self.rows[where]
        if len(self.pools) == 1:
            return np.asarray(self.pools[0][rows])
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        holder = np.searchsorted(self.ends, rows, side="right")
        for number, pool in enumerate(self.pools):
            mine = holder == number
            found[mine] = pool[rows[mine] - (self.ends[number] - len(pool))]
        return found

    def head(self, count: int) -> Images:
        return Images(self.pools, self.rows[:count])

    def only(self, kept: NDArray[Any]) -> Images:
        """The images that a mask (n,) keeps."""
        return Images(self.pools, self.rows[kept])

    def chunks(self) -> Iterator[NDArray[Any]]:
        """All images, some at a time: arrays (m, height, width, channels)."""
        one = self.shape[1] * self.shape[2] * self.shape[3] * self.dtype.itemsize
        some = max(1, min(CHUNK[0], CHUNK[1] // one))
        for start in range(0, len(self), some):
            yield self[start : start + some]


def as_images(array: NDArray[Any]) -> Images:
    """The images of an array (n, height, width, channels), in its order."""
    return Images((array,), np.arange(len(array)))
