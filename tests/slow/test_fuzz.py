"""The properties of tests/test_properties.py with fifty times as many examples, other ones each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fuzzing
from fuzzing import runs, slow, specs, texts

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _what_came_of_them(request, capsys):
    fuzzing.counts.clear()
    yield
    with capsys.disabled():
        print(f"\n{request.node.name}: {', '.join(f'{what} {n:,}' for what, n in sorted(fuzzing.counts.items()))}")


@slow
@given(specs.specs)
def test_a_valid_spec_is_shown_as_one_that_loads_as_the_same_and_shows_the_same(value):
    fuzzing.survives_show(value)


@slow
@given(specs.specs)
def test_a_valid_spec_is_saved_as_one_that_loads_as_the_same(value):
    fuzzing.survives_saving(value)


@slow
@given(texts.bent_specs())
def test_a_bent_spec_is_valid_or_its_mistakes_are_told_with_their_places(bent):
    fuzzing.loads_or_is_told_its_mistakes(*bent)


@slow
@given(st.sampled_from(texts.NAMES), texts.overrides)
def test_overrides_of_any_kind_give_a_valid_spec_or_their_mistakes_are_told(name, overrides):
    fuzzing.loads_or_is_told_its_mistakes(name, overrides=overrides)


@slow
@given(runs.folders())
def test_a_damaged_run_is_read_as_far_as_it_goes_or_refused(damaged):
    fuzzing.is_read_or_refused(*damaged)
