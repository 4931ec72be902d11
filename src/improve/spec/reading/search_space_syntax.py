"""The words of a search space: `key=log(1e-4,1e-1)` on the command line, the section `sweep` in a spec file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from improve.errors import Problem, SpecError, did_you_mean, nearest
from improve.spec.reading.merge import SURROGATE, key_places, path_of
from improve.spec.reading.search_space import DIGITS, MOST, SEARCHES, Asked, Knob
from improve.spec.reading.yaml import Path, Place, Tree, inline, parse, scalar

SECTION = "sweep"
KEYS = ("search", "trials", "seeds", "space", "cpus", "gpus")  # of the section
RANGES = ("log", "uniform", "int")
FUNCTION = re.compile(r"\s*([a-z]\w*)\((.*)\)\s*", re.DOTALL)
FORMS = "write values with commas, range(16,65,16), int(8,64), uniform(0,0.5) or log(1e-4,1e-1)"
#: what of the data may vary: these leave the validation images as they are
SAME_IMAGES = ("normalize", "train_size", "duplicates", "train_dev")


def from_override(text: str) -> Knob | None:
    """`key=words` as a knob; None where it fixes the setting. Raises SpecError."""
    written, equals, words = text.partition("=")
    path = path_of(written)
    if not equals or not path or SURROGATE.search(text):
        return None
    whole = Place(text, text, 1, len(written) + 2, max(1, len(words)))
    items, places = split(words, text, len(written))
    if len(items) < 2 and not FUNCTION.fullmatch(words):
        return None
    return made(path, words, items, key_places(written, text, path), whole, places)


def split(words: str, text: str, column: int) -> tuple[list[Any], list[Place]]:
    """The values between the commas, as YAML, with their places in `text`; none where it is no list."""
    try:
        tree = parse(f"{' ' * column}[{words}]", text)
    except SpecError:
        return [], []
    if tree.problems or not isinstance(tree.value, list):
        return [], []
    places = [tree.values[(number,)] for number in range(len(tree.value))]
    return tree.value, [Place(text, text, 1, place.column, place.length) for place in places]


def made(path: Path, words: str, items: list[Any], keys: dict[Path, Place], whole: Place, places: list[Place]) -> Knob:
    """The knob that `words` describe. Raises SpecError."""
    key = ".".join(map(str, path))
    problem = unfit(path)
    if problem:
        raise SpecError([keys[path].problem(f"{key} {problem[0]}", problem[1])])
    call = FUNCTION.fullmatch(words)
    try:
        if call:
            kind, values, low, high = function(call[1], numbers(call[2]))
            return Knob(path, words, kind, values, low, high, keys, (whole,) * max(1, len(values)))
        return Knob(path, words, "values", checked(items), 0, 0, keys, tuple(places))
    except Refused as refused:
        raise SpecError([whole.problem(f"{key}: {refused.what}", refused.fix)]) from None


class Refused(Exception):  # noqa: N818 - it is turned into a problem with its place at once
    """Words that make no space: `what` is wrong, and how to `fix` it."""

    def __init__(self, what: str, fix: str = FORMS):
        super().__init__(what)
        self.what, self.fix = what, fix


def unfit(path: Path) -> tuple[str, str] | None:
    """Why a setting cannot vary, and what to do."""
    if path == ("seed",):
        return "is not to be chosen: the luckiest would win", "--seeds 3 trains every point with three seeds"
    if path[0] == "data" and (len(path) < 2 or path[1] not in SAME_IMAGES):
        return "changes the validation images, and they choose", f"of data only {', '.join(SAME_IMAGES)} can vary"
    return None


def checked(values: list[Any]) -> tuple[Any, ...]:
    for place, value in enumerate(values):
        if value in values[:place] and type(value) is type(values[values.index(value)]):
            raise Refused(f"{inline(value)} stands here twice", "leave one out")
        if isinstance(value, str) and "(" in value:
            raise Refused(f"{value!r} among values", "a range stands alone: log(1e-4,1e-1)")
    return tuple(values)


def numbers(words: str) -> list[float]:
    """What stands between the brackets of a range."""
    found = [scalar(word.strip()) for word in words.split(",")]
    for number in found:
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise Refused(f"'{number}' is no number" if number is not None else "a number is missing")
    return found


def function(name: str, given: list[float]) -> tuple[str, tuple[float, ...], float, float]:
    """Kind, values, low and high of the knob that `name(given…)` makes."""
    if name == "range":
        return "values", stepped(given), 0, 0
    if name not in RANGES:
        close = nearest(name, [*RANGES, "range"])
        raise Refused(f"there is no {name}(…)" + (f"; did you mean {close[0]}(…)?" if close else ""))
    if not 2 <= len(given) <= (2 if name == "int" else 3):
        raise Refused(f"{name} takes two numbers", FORMS)
    low, high, *count = given
    check_ends(name, low, high)
    if count:
        return "values", spaced(name, low, high, count[0]), 0, 0
    return name, (), low, high


def check_ends(name: str, low: float, high: float) -> None:
    if low >= high:
        raise Refused(f"from {low:g} to {high:g} there is nothing", "the smaller number stands first")
    if name == "log" and low <= 0:
        raise Refused(f"a logarithm has no place for {low:g}", "take a low end above 0, or uniform(…)")
    if name == "int" and not (isinstance(low, int) and isinstance(high, int)):
        raise Refused("int takes whole numbers", FORMS)


def spaced(name: str, low: float, high: float, count: float) -> tuple[float, ...]:
    """`count` values with the same step, or the same factor, between them."""
    if not isinstance(count, int) or not 2 <= count <= MOST:
        raise Refused(f"{name}(low,high,count): {count:g} values", f"a whole number from 2 to {MOST:,}")
    shares = [step / (count - 1) for step in range(count)]
    values = (low * (high / low) ** share if name == "log" else low + share * (high - low) for share in shares)
    return tuple(float(f"{value:.{DIGITS}g}") for value in values)


def stepped(given: list[float]) -> tuple[float, ...]:
    """range(start, stop, step) as in Python, fractions included."""
    start, stop, step = (*given, 1)[:3] if 2 <= len(given) <= 3 else (0, 0, 0)
    if step == 0:
        raise Refused("range takes start, stop and a step that is not 0", "such as range(16,65,16)")
    count = math.ceil(round((stop - start) / step, 9))
    if not 2 <= count <= MOST:
        raise Refused(f"range({', '.join(f'{one:g}' for one in given)}) has {max(0, count):,} values", "take 2 or more")
    whole = all(isinstance(one, int) for one in (start, step))
    return tuple(start + n * step if whole else float(f"{start + n * step:.12g}") for n in range(count))


def take_sweep_section(tree: Tree) -> Asked:
    """Take the section out of a spec's tree; its mistakes join the tree's."""
    if not isinstance(tree.value, dict) or SECTION not in tree.value:
        return Asked()
    section, place = tree.value.pop(SECTION), tree.values[(SECTION,)]
    if not isinstance(section, dict):
        tree.problems.append(place.problem("sweep holds keys and values", f"its keys: {', '.join(KEYS)}"))
        return Asked()
    tree.problems += [*unknown(section, tree), *wrong_numbers(section, tree)]
    space = section.get("space", {})
    if not isinstance(space, dict):
        where = tree.values[(SECTION, "space")]
        tree.problems.append(where.problem("sweep.space holds settings", "optimizer.learning_rate: log(1e-4,1e-1)"))
        space = {}
    search, trials, seeds = (section.get(key) for key in KEYS[:3])
    sizes = {key: section[key] for key in ("cpus", "gpus") if key in section}
    return Asked(search, trials, seeds, tuple(knobs(space, tree)), **sizes)


def unknown(section: dict[str, Any], tree: Tree) -> Iterator[Problem]:
    for key in [key for key in section if key not in KEYS]:
        hint = did_you_mean(key, KEYS) or ("; did you mean it under space?" if "." in key else "")
        place = tree.keys.get((SECTION, key)) or tree.values[(SECTION,)]
        yield place.problem(f"there is no '{key}' here{hint}", f"sweep knows: {', '.join(KEYS)}")


def wrong_numbers(section: dict[str, Any], tree: Tree) -> Iterator[Problem]:
    if "search" in section and section["search"] not in SEARCHES:
        fix = f"known: {', '.join(SEARCHES)}"
        yield tree.values[(SECTION, "search")].problem(f"sweep.search cannot be '{section['search']}'", fix)
    for key in ("trials", "seeds"):
        value = section.get(key, 1)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
            place = tree.values[(SECTION, key)]
            yield place.problem(f"sweep.{key} is a whole number, this is {inline(value)}", f"from 1 to {MOST:,}")
    for key in ("cpus", "gpus"):
        value = section.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST:
            place = tree.values[(SECTION, key)]
            fix = "what one trial takes of a node, such as 2 or 0.5"
            yield place.problem(f"sweep.{key} cannot be {inline(value)}", fix)


def knobs(space: dict[str, Any], tree: Tree) -> Iterator[Knob]:
    for key, value in space.items():
        place, at = tree.values[(SECTION, "space", key)], tree.keys[(SECTION, "space", key)]
        path = path_of(key)
        words = value if isinstance(value, str) else inline(value)[1:-1] if isinstance(value, list) else ""
        items = value if isinstance(value, list) else split(words, "", 0)[0]
        try:
            if not path or (len(items) < 2 and not FUNCTION.fullmatch(words)):
                raise SpecError([place.problem(f"{key or 'a key'} has nothing to vary", FORMS)])
            keys = {path[:depth]: at for depth in range(1, len(path) + 1)}
            yield made(path, words, items, keys, place, [place] * len(items))
        except SpecError as error:
            tree.problems += error.problems
