"""What the words mean: the terms of the recipe, in the field's standard names."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial

from improve.diagnosis.comparison.rules import COMPARISON
from improve.diagnosis.findings import ORDER
from improve.diagnosis.findings.rule import Rule
from improve.diagnosis.selftest import track_record
from improve.diagnosis.weighing import weighed
from improve.errors import UsageError, nearest
from improve.spec.component import Component
from improve.spec.reading.yaml import inline
from improve.spec.spec import SHELVES

RULES: tuple[type[Rule], ...] = (*ORDER, *COMPARISON)

TERMS = {
    "avoidable bias": "training error − human error: what a better fit of the training set could still win.",
    "variance": "train-dev (or validation) error − training error: what is lost on images it was not trained on.",
    "data mismatch": "validation error − train-dev error: lost because the images that count are of another kind.",
    "validation overfit": "test error − validation error: won on the validation set by choosing, not by learning.",
    "human level": "the error of people on the same task; the best people, where they differ. It stands for the error "
    "that nobody gets below.",
    "training set": "the images that the weights are fitted to.",
    "validation set": "the images that you choose by: epochs, rates, architectures. Also called development set.",
    "train-dev set": "images of the training kind that are not trained on; tells variance from data mismatch.",
    "test set": "the images that no choice has seen. Opened once, at the end.",
    "clean error": "measured with the weights as they are after an epoch, dropout and augmentation off. The loss that "
    "Keras prints while it trains is neither: it is an average over changing weights, with dropout on.",
    "cross-entropy": "mean −log p of the true class, in nats; guessing among K classes gives ln K. Never contains the "
    "L1/L2 penalty here.",
    "penalty": "what L1, L2 and activity_l1 add to the loss: l2 · ΣW² over kernels, without ½ and without 1/n.",
    "target": "the distribution that counts: `data.target`. Validation and test images come from there, training "
    "images from `data.source`.",
    "own": "`split: own` keeps the training, validation and test set that a source comes in; an architecture's own "
    "dropout and L2 hold where the spec gives none.",
    "best epoch": "the epoch with the lowest validation error; ties go to the lower validation cross-entropy.",
    "interval": "95 %: Wilson's for one error, Newcombe's hybrid score interval for a difference.",
    "ensemble": "several networks that answer with the mean of their probabilities: `improve ensemble`, "
    "`training.members`. Its cross-entropy is at most the mean of theirs (Jensen); of its error nothing is promised.",
    "snapshot": "the weights at the end of a cycle of `warm_restarts`; the last ones of a run make an ensemble, "
    "`training.snapshots` (Huang et al., 2017).",
    "found": "a finding that is told without a doubt: counted, shown by an interval, or so probable that sound runs "
    "hardly ever reach it.",
    "likely": "a finding whose cause is likelier than not; its probability is told.",
    "guess": "a finding whose cause is less likely than not, told where nothing better explains why the training set "
    "is not fitted.",
    "confirmed": "what `improve diagnose --confirm` says of a cause whose change lowers the error by more than images "
    "and seeds could.",
    "refuted": "what `improve diagnose --confirm` says of a cause whose change lowers the error not at all, and surely "
    "by less than half of what the cause is to cost.",
    "recipe": "high bias? fit the training set better. Then: high variance? more data, regularisation. Then: data "
    "mismatch? training images like those that count. Each knob turns one gap.",
}


def summaries(shelf: str) -> dict[str, str]:
    """Name → first line, for everything on a shelf."""
    if shelf == "findings":
        return {rule.code: f"{rule.name}: {rule.title}" for rule in sorted(RULES, key=lambda rule: rule.code)}
    if shelf == "terms":
        return TERMS
    if shelf not in SHELVES:
        raise UsageError(f"there is no shelf '{shelf}'", fix=f"one of {', '.join((*SHELVES, 'findings', 'terms'))}")
    return {component.key(): component.summary() for component in SHELVES[shelf]}


def explain(name: str) -> str:
    """What a component, a finding or a term means; all of them where a name has several meanings."""
    wanted = _plain(name)
    found = [text() for names, text in _entries() if wanted in names]
    if found:
        return "\n\n".join(found)
    close = nearest(wanted, (entry for names, _ in _entries() for entry in names), 3)
    fix = f"did you mean {' or '.join(close)}?" if close else "improve list shows what there is"
    raise UsageError(f"nothing here is called '{name}'", fix=fix)


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", " ").replace("-", " ")


def _entries() -> Iterator[tuple[set[str], Callable[[], str]]]:
    """Everything that can be explained: its names, and what gives the text."""
    for term, meaning in TERMS.items():
        yield {_plain(term)}, partial("{}\n\n{}".format, term, meaning)
    for rule in RULES:
        yield {_plain(rule.code), _plain(rule.name)}, partial(_rule_text, rule)
    for shelf, components in SHELVES.items():
        for component in components:
            yield {_plain(component.key())}, partial(_component_text, shelf, component)


def _rule_text(rule: type[Rule]) -> str:
    told = (
        f"{rule.code}  {rule.title}  ({rule.name})",
        rule.explanation(),
        weighed(rule.code),
        track_record(rule.code),
    )
    return "\n\n".join(part for part in told if part)


def _component_text(shelf: str, component: type[Component]) -> str:
    return f"{component.key()}  ({shelf})\n\n{inspect.getdoc(component)}\n\n{options(component)}".rstrip()


def options(component: type[Component]) -> str:
    """The options of a component with their defaults, one per line."""
    lines = []
    for key, field in component.model_fields.items():
        if key != "name":
            default = "required" if field.is_required() else inline(field.default)
            lines.append(f"    {key:<18} {default:<12} {field.description or ''}")
    return "options\n" + "\n".join(lines) if lines else ""
