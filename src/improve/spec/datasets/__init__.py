"""Shelf: data sources. One class each; `facts` answers at once, `load` reads the images."""

from typing import Annotated

from pydantic import Field

from improve.spec.component import bare_name
from improve.spec.datasets.arrays import Digits, Npz
from improve.spec.datasets.base import Counts, Facts, Source, no_tick
from improve.spec.datasets.folder import Folder
from improve.spec.datasets.known import Cifar10, Cifar100, FashionMnist, Mnist
from improve.spec.datasets.peacetopia.source import Peacetopia

__all__ = ["DATASETS", "Counts", "Dataset", "Digits", "Facts", "Source", "no_tick"]

DATASETS = (Digits, Mnist, FashionMnist, Cifar10, Cifar100, Npz, Folder, Peacetopia)
_Known = Digits | Mnist | FashionMnist | Cifar10 | Cifar100
Dataset = Annotated[_Known | Npz | Folder | Peacetopia, Field(discriminator="name"), bare_name("digits")]
