"""YAML read as people mean it."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from improve.errors import SpecError
from improve.spec.reading.yaml import parse, write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1.0e3", 1000.0), ("-2E+4", -20000.0), (".5", 0.5), ("5.", 5.0), ("010", 10), ("0o17", 15),
        ("0x1f", 31), ("12:30", "12:30"), ("no", "no"), ("on", "on"), ("yes", "yes"), ("true", True), ("False", False),
        ("~", None), ("null", None), ("", None), (".inf", math.inf), ("1_000", "1_000"), ("'1e-3'", "1e-3"),
        ('"true"', "true"), ("60/20/20", "60/20/20"), ("10%", "10%"), ("2026-11-23", "2026-11-23"),
    ],
)  # fmt: skip
def test_a_scalar_is_read_by_the_rules_of_yaml_1_2(text, value):
    assert parse(f"key: {text}", "f").value == {"key": value}


def test_a_key_that_yaml_1_1_takes_for_a_boolean_stays_a_word():
    assert parse("on: no\noff: yes", "f").value == {"on": "no", "off": "yes"}


def test_every_key_and_value_knows_its_place():
    tree = parse("data:\n  source: cifar10\n  split: [1, 22]\n", "f.yaml")
    value, key = tree.values[("data", "split", 1)], tree.keys[("data", "source")]
    assert (value.line, value.column, value.length) == (3, 14, 2)
    assert (key.line, key.column, key.length) == (2, 3, 6)


def test_duplicate_keys_are_all_named_with_the_first_one():
    tree = parse("a: 1\nb: 2\na: 3\nb: 4\n", "f")
    assert [problem.what for problem in tree.problems] == [
        "'a' stands here twice, first in line 1",
        "'b' stands here twice, first in line 2",
    ]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: &x 1\nb: *x", "anchors"),
        ("a: !!python/object:os.system 1", "tags"),
        ("a: [1, 2", "not YAML"),
        ("a: b: c", "not YAML"),
        ("a:\n\t- b", "not YAML"),
        ("a: 1\n---\nb: 2", "second document"),
        ("a: \x07", "not YAML"),
        ("[" * 2000, "too deep"),
        ("a: [" + "1, " * 60_000 + "]", "too much"),
        ("a: {" * 50, "too deep"),
    ],
)
def test_what_no_spec_needs_is_refused(text, word):
    with pytest.raises(SpecError) as caught:
        parse(text, "f.yaml")
    assert word in caught.value.problems[0].what
    assert caught.value.problems[0].source == "f.yaml"


def test_a_billion_laughs_stop_at_the_first_anchor():
    bomb = "a: &a [x, x, x]\n" + "\n".join(
        f"{b}: &{b} [*{a}, *{a}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(SpecError, match="anchors"):
        parse(bomb, "f")


plain = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_what_is_written_is_read_back_as_it_was(value):
    assert parse(write(value), "f").value == value
