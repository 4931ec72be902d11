"""Shelf: data sources. One class each; `facts` answers at once, `load` reads the images."""

from typing import Annotated

from pydantic import Field

from improve.spec.component import bare_name
from improve.spec.datasets.arrays import Digits, Npz
from improve.spec.datasets.base import Counts, Facts, Source, SourceComponent, no_tick
from improve.spec.datasets.folder import Folder
from improve.spec.datasets.known import Cifar10, Cifar100, FashionMnist, Mnist
from improve.spec.datasets.peacetopia.source import Peacetopia

__all__ = ["DATASETS", "Counts", "Dataset", "Digits", "Facts", "Source", "no_tick", "source_class"]

DATASETS = (Digits, Mnist, FashionMnist, Cifar10, Cifar100, Npz, Folder, Peacetopia)
_Known = Digits | Mnist | FashionMnist | Cifar10 | Cifar100
Dataset = Annotated[_Known | Npz | Folder | Peacetopia, Field(discriminator="name"), bare_name("digits")]


def source_class(name: str) -> type[SourceComponent]:
    """What is known of a source by its name, without its options."""
    return next(source for source in DATASETS if source.key() == name)
