"""Heavy modules come late, and cheaply."""

from __future__ import annotations

import gc
import inspect
import sys

import pytest

from improve.lazy import LazyModule, uncollected


@pytest.fixture(autouse=True)
def unfrozen():
    yield
    gc.unfreeze()


def test_no_garbage_is_looked_for_while_modules_load_and_it_is_afterwards():
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_module_that_does_not_load_leaves_the_collector_on():
    with pytest.raises(ImportError), uncollected():
        raise ImportError
    assert gc.isenabled()


def test_what_modules_made_is_not_walked_through_again():
    with uncollected():
        made = [[], []]
    assert not any(one is each for each in gc.get_objects() for one in made)


def test_who_looks_at_everything_in_a_file_loads_nothing():
    """pytest does, of every test file that names `keras`."""
    sys.modules.pop("this", None)
    module = LazyModule("this")
    assert inspect.unwrap(module) is module
    assert not any(hasattr(module, name) for name in ("_mock_name", "__test__"))
    assert "this" not in sys.modules
