"""Who is told what happens while a run trains."""

import inspect

import pytest

from improve.engine.trackers.tracker import Tee
from improve.engine.training.watcher import Relay, Watcher
from improve.experiments.auto.budget import Budget, BudgetWatcher
from improve.experiments.auto.journal import Journal

METHODS = {name: method for name, method in vars(Watcher).items() if inspect.isfunction(method)}
RELAYS = {
    "relay": Relay,
    "trackers": lambda watcher: Tee(watcher, [], print),
    "budget": lambda watcher: BudgetWatcher(watcher, Budget(epochs=9), Journal(None)),
}


class Remembering(Watcher):
    def __init__(self, told):
        for name in METHODS:
            setattr(self, name, lambda *arguments, name=name: told.append((name, arguments)))


def arguments_of(name):
    """For `row` a row, for everything else its own name."""
    names = list(inspect.signature(METHODS[name]).parameters)[1:]
    return [{"epoch": 1} if word == "row" else word for word in names]


@pytest.mark.parametrize("name", METHODS)
def test_a_watcher_does_nothing_unless_a_method_is_overridden(name):
    assert getattr(Watcher(), name)(*arguments_of(name)) is None


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("relay", RELAYS)
def test_who_stands_between_passes_everything_on(relay, name):
    told = []
    getattr(RELAYS[relay](Remembering(told)), name)(*arguments_of(name))
    assert told == [(name, tuple(arguments_of(name)))]
