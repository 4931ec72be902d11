"""Image files → their classes, some at a time: a folder need not fit into memory, and a bad file stops nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from improve.engine.inference.image_files import Look
from improve.engine.inference.predictor import Form
from improve.images.array import Images, as_images
from improve.images.file import BadImage
from improve.lazy import np
from improve.parallel import cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE = 256  # images


class Classifier(Protocol):
    """A run's predictor, or a model of somebody else's."""

    @property
    def form(self) -> Form: ...
    def probabilities(self, images: Images) -> NDArray[Any]: ...


class Answer(NamedTuple):
    """What is said of a file: classes with their probabilities, the most probable first; or why nothing is."""

    file: str
    ranked: tuple[tuple[str, float], ...]
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        if self.error:
            return {"file": self.file, "error": self.error}
        top = [{"class": name, "probability": probability} for name, probability in self.ranked]
        return {"file": self.file, **top[0], "top": top}


def classify(classifier: Classifier, look: Look, files: Sequence[str], top: int = 1) -> Iterator[Answer]:
    """An answer for each file, in their order."""
    with ThreadPoolExecutor(cores()) as pool:
        for start in range(0, len(files), AT_ONCE):
            some = files[start : start + AT_ONCE]
            yield from answers(classifier, some, list(pool.map(lambda file: read(look, file), some)), top)


def read(look: Look, file: str) -> NDArray[Any] | str:
    """The pixels, or what is wrong with the file."""
    try:
        return look.pixels(file)
    except BadImage as error:
        return str(error)


def answers(
    classifier: Classifier, files: Sequence[str], found: list[NDArray[Any] | str], top: int
) -> Iterator[Answer]:
    good = [image for image in found if not isinstance(image, str)]
    rows = iter(classifier.probabilities(as_images(np.stack(good))) if good else ())
    for file, image in zip(files, found, strict=True):
        if isinstance(image, str):
            yield Answer(file, (), image)
        else:
            yield Answer(file, ranked(next(rows), classifier.form.class_names, top))


def ranked(probability: NDArray[Any], names: tuple[str, ...], top: int) -> tuple[tuple[str, float], ...]:
    """The `top` most probable classes; the first of those that are equal comes first, as where errors are counted."""
    order = np.argsort(-probability, kind="stable")[:top]
    return tuple((names[place], float(probability[place])) for place in order)
