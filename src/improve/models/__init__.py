"""Shelf: architectures. One file each; the file's name is the name in the YAML."""

from typing import Annotated

from pydantic import Field

from improve.models.lenet import Lenet
from improve.models.mlp import Mlp
from improve.parts import named

__all__ = ["MODELS", "Lenet", "Mlp", "Model"]

MODELS = (Lenet, Mlp)
Model = Annotated[Lenet | Mlp, Field(discriminator="name"), named("lenet")]
