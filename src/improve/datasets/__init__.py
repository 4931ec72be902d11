"""Shelf: data sources. One class each; `facts` answers at once, `load` reads the images."""

from typing import Annotated

from pydantic import Field

from improve.datasets.arrays import Digits, Npz
from improve.datasets.folder import Folder
from improve.datasets.known import Cifar10, Cifar100, FashionMnist, Mnist
from improve.datasets.peacetopia import Peacetopia
from improve.datasets.source import Facts, Source, silent
from improve.parts import named

__all__ = ["DATASETS", "Dataset", "Digits", "Facts", "Source", "silent"]

DATASETS = (Digits, Mnist, FashionMnist, Cifar10, Cifar100, Npz, Folder, Peacetopia)
_Known = Digits | Mnist | FashionMnist | Cifar10 | Cifar100
Dataset = Annotated[_Known | Npz | Folder | Peacetopia, Field(discriminator="name"), named("digits")]
