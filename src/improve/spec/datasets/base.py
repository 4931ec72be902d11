"""What all data sources share: `facts` answers at once, `load` reads the images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field

from improve.images.array import Tick
from improve.spec.component import Component, Flag

if TYPE_CHECKING:
    from numpy.typing import NDArray


def no_tick(done: int, total: int) -> None:
    """Takes the progress of reading, and tells nobody."""


class Counts(NamedTuple):
    """Examples in the sets that a source comes in."""

    train: int
    validation: int
    test: int

    @property
    def total(self) -> int:
        return sum(self)

    def at_most(self, subset: int | None) -> Counts:
        """The counts of a subset that keeps their shares."""
        if subset is None or subset >= self.total:
            return self
        validation, test = (round(subset * count / self.total) for count in self[1:])
        return Counts(subset - validation - test, validation, test)


class Facts(NamedTuple):
    """What is known of a source before its images are read."""

    counts: Counts
    shape: tuple[int, int, int]
    classes: int | None = None


class Source(NamedTuple):
    """A source that can be read: `pools` of images (n, height, width, channels), one after another, and their labels
    (n,) from 0. The first `counts.train` of them are its training set, then come its validation set and its test set.
    `found` says where; `skipped` names the files that were left out, and why."""

    pools: tuple[NDArray[Any], ...]
    labels: NDArray[Any]
    counts: Counts
    class_names: tuple[str, ...]
    found: str
    skipped: tuple[tuple[str, str], ...] = ()


class SourceComponent(Component):
    """What all sources share."""

    shelf = "datasets"
    title: ClassVar[str]
    mirrored_is_the_same: ClassVar[bool | None] = False  # whether a mirrored image keeps its class; None: nobody knows
    human_level: ClassVar[tuple[float, str] | None] = None  # the share on which people err, and who has found that

    @property
    def label(self) -> str:
        """What to call it in a line."""
        return self.title

    @property
    def one_output(self) -> bool:
        """Whether two classes share one sigmoid output."""
        return False

    @property
    def own_split(self) -> Any:
        """How this source is divided unless the spec says so, as a spec writes it."""
        return "60/20/20"

    @property
    def at_hand(self) -> bool:
        """Whether `load` finds the images on this machine, without a download and without Keras."""
        return True

    def facts(self) -> Facts:
        """Sizes and image shape, without reading the images."""
        raise NotImplementedError

    def load(self, tick: Tick = no_tick) -> Source:
        """The images and labels. Raises UsageError where they cannot be had or make no sense."""
        raise NotImplementedError


class OwnImages(SourceComponent):
    """Images that the user brings."""

    mirrored_is_the_same = None
    path: str
    binary: Flag = Field(False, description="two classes share one sigmoid output: the probability of the second")

    @property
    def label(self) -> str:
        return f"{self.title} {Path(self.path).name}"

    @property
    def one_output(self) -> bool:
        return self.binary
