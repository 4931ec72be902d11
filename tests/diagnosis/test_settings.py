"""Every setting that the source asks for by its dotted path is one that a spec can have."""

import ast
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from conftest import CONFIGS
from improve.spec.spec import Spec

SOURCES = CONFIGS.parent / "src" / "improve"
READERS = ("setting", "value_at")  # functions and methods that take a dotted path


def literal_paths():
    """Every literal path, with the place where it stands."""
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            name = getattr(getattr(node, "func", None), "attr", getattr(getattr(node, "func", None), "id", ""))
            if isinstance(node, ast.Call) and name in READERS:
                texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
                yield from ((path, f"{file.name}:{node.lineno}") for path in texts)


def models_in(annotation):
    """The sections and components that a field's type allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated, tuple):
        return [model for one in get_args(annotation) for model in models_in(one)]
    return []


def is_setting(path, models=(Spec,)):
    for step in path.split("."):
        fields = [model.model_fields[step] for model in models if step in model.model_fields]
        if not fields:
            return False
        models = [model for field in fields for model in models_in(field.annotation)]
    return True


def test_every_path_that_is_asked_for_is_a_setting():
    paths = list(literal_paths())
    assert len(paths) > 50
    assert [f"{place} {path}" for path, place in paths if not is_setting(path)] == []


@pytest.mark.parametrize("path", ["optimiser", "optimizer.learning_rat", "model.dropout", "training.epochs.most"])
def test_what_no_spec_can_have_is_no_setting(path):
    assert not is_setting(path)
