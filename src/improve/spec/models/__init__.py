"""Shelf: architectures. One file each; the file's name is the name in the YAML."""

from typing import Annotated

from pydantic import Field

from improve.spec.component import bare_name
from improve.spec.models.cnn import Cnn
from improve.spec.models.lenet import Lenet
from improve.spec.models.lenet5 import Lenet5
from improve.spec.models.minigooglenet import Minigooglenet
from improve.spec.models.minivggnet import Minivggnet
from improve.spec.models.mlp import Mlp
from improve.spec.models.python import Python
from improve.spec.models.resnet import Resnet

__all__ = ["MODELS", "Cnn", "Lenet", "Lenet5", "Minigooglenet", "Minivggnet", "Mlp", "Model", "Python", "Resnet"]

MODELS = (Lenet, Lenet5, Minivggnet, Minigooglenet, Resnet, Mlp, Cnn, Python)
Model = Annotated[
    Lenet | Lenet5 | Minivggnet | Minigooglenet | Resnet | Mlp | Cnn | Python,
    Field(discriminator="name"),
    bare_name("lenet"),
]
