"""The specs that come with the package."""

import json

import jsonschema
import pytest
import yaml

from conftest import CONFIGS
from improve.spec.models import MODELS
from improve.spec.reading.load import load_spec
from improve.spec.reading.template import complete_yaml, json_schema, starter

FILES = sorted(CONFIGS.rglob("*.yaml"))


def test_every_config_is_valid_and_starts_with_a_receipt_and_its_command(subtests):
    for file in FILES:
        name = file.relative_to(CONFIGS)
        with subtests.test(str(name)):
            load_spec(file)
            head = file.read_text().splitlines()[:6]
            assert head[0].startswith("# ")
            assert any(f"improve train configs/{name}" in line for line in head)


def test_every_config_fits_the_schema_for_editors(subtests):
    validator = jsonschema.Draft7Validator(json_schema())
    for file in FILES:
        with subtests.test(str(file.relative_to(CONFIGS))):
            validator.validate(yaml.safe_load(file.read_text()))


def test_the_schema_is_draft_7_and_refuses_what_the_loader_refuses():
    found = json_schema()
    assert found["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(found)
    assert "$defs" not in json.dumps(found)
    validator = jsonschema.Draft7Validator(found)
    for wrong in ({"modle": {}}, {"model": "lenett"}, {"optimizer": {"name": "sgd", "learning_rat": 1}}, {"seed": -1}):
        assert not validator.is_valid(wrong), wrong
    for right in ({}, {"model": "lenet"}, {"data": {"split": {"validation": "10%"}}}, {"augmentation": ["flip"]}):
        assert validator.is_valid(right), right


@pytest.mark.parametrize("model", [None, *(part.key() for part in MODELS)])
def test_the_spec_to_start_from_is_valid_and_all_default(write_spec, model):
    write_spec("def build(input_shape, classes): ...", "mymodel.py")
    spec = load_spec(write_spec(starter(model)))
    assert spec.model.name == (model or "lenet")
    assert "default:" not in complete_yaml(spec).replace("# default: lenet", "").replace("# default: digits", "")


def test_the_complete_spec_marks_what_differs_from_the_default_and_loads_again(write_spec):
    spec = load_spec(write_spec("optimizer: {name: sgd, learning_rate: 0.1}\naugmentation: [flip]\nseed: 3\n"))
    text = complete_yaml(spec)
    marked = {line.split(":")[0].strip() for line in text.splitlines() if "# default:" in line}
    assert marked == {"seed", "name", "learning_rate", "augmentation"}
    assert load_spec(write_spec(text, "again.yaml")) == spec
