"""Shelf: architectures. One file each; the file's name is the name in the YAML."""

from typing import Annotated

from pydantic import Field

from improve.models.cnn import Cnn
from improve.models.lenet import Lenet
from improve.models.lenet5 import Lenet5
from improve.models.minigooglenet import Minigooglenet
from improve.models.minivggnet import Minivggnet
from improve.models.mlp import Mlp
from improve.models.python import Python
from improve.models.resnet import Resnet
from improve.parts import named

__all__ = ["MODELS", "Cnn", "Lenet", "Lenet5", "Minigooglenet", "Minivggnet", "Mlp", "Model", "Python", "Resnet"]

MODELS = (Lenet, Lenet5, Minivggnet, Minigooglenet, Resnet, Mlp, Cnn, Python)
Model = Annotated[
    Lenet | Lenet5 | Minivggnet | Minigooglenet | Resnet | Mlp | Cnn | Python,
    Field(discriminator="name"),
    named("lenet"),
]
