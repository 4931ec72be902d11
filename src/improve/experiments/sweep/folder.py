"""The folder of a sweep: what was asked stands in sweep.yaml, itself a spec; what came of it lies beside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from improve.errors import ImproveError, UsageError
from improve.experiments.sweep.plan import Plan
from improve.runs import begin, files
from improve.spec.reading import yaml
from improve.spec.reading.flatten import differences
from improve.spec.reading.search_space_syntax import SECTION

FILE = "sweep.yaml"
GROWS = {"grid": ("space", "seeds"), "random": ("trials", "seeds"), "tpe": ("trials",), "hyperband": ("trials",)}


def write_plan(plan: Plan, folder: Path) -> None:
    """Write down what is asked. Raises UsageError where the folder holds something else, or another sweep.

    A grid may get other values, and more seeds: its points are known by their specs. A search may go on with more
    trials; another space would make those before others.
    """
    if (folder / "summary.json").exists():
        raise UsageError(f"{folder} is a run", fix="give the sweep another name with --name")
    asked = written(plan)
    before = read(folder / FILE)
    if before:
        check_same(before, asked, folder)
    if plan.base.model.code:
        begin.bring_code(plan.base.model.code, folder)
    head = f"# what `improve sweep` was asked, {plan.file.name} under it; it can be swept again as it is\n"
    files.write_text(folder / FILE, head + yaml.write(asked))


def written(plan: Plan) -> dict[str, Any]:
    """The complete spec with the section that says how it varies."""
    return {**plan.base.complete(), SECTION: plan.section()}


def read(file: Path) -> dict[str, Any]:
    """What was asked before; nothing where this is the first time. Raises ImproveError where it is damaged."""
    if not file.exists():
        return {}
    try:
        value = yaml.parse(file.read_text(encoding="utf-8"), str(file)).value
    except (OSError, ValueError) as error:
        raise ImproveError(f"{file} cannot be read: {error}", fix="give the sweep another name with --name") from error
    section = value.get(SECTION) if isinstance(value, dict) else None
    if not isinstance(section, dict) or not isinstance(section.get("space"), dict):
        raise ImproveError(f"{file} is damaged", fix="give the sweep another name with --name")
    return dict(value)


def check_same(before: dict[str, Any], asked: dict[str, Any], folder: Path) -> None:
    """Raises UsageError where this is not the sweep that the folder holds."""
    old, new = before[SECTION], asked[SECTION]
    varied = {*old["space"], *new["space"]}
    changed = differences(but_for_section(before), but_for_section(asked))
    others = [setting.path for setting in changed if not covered(setting.path, varied)]
    grows = GROWS[new["search"]]
    fixed = [key for key in ("search", "space", "seeds") if key not in grows]
    others += [f"{SECTION}.{key}" for key in fixed if old.get(key) != new[key]]
    if others:
        fix = "what it began with goes on; give this one another name with --name"
        raise UsageError(f"{folder} holds another sweep: {', '.join(others[:4])} was not the same", fix=fix)


def but_for_section(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec without the section that says how it varies."""
    return {key: value for key, value in spec.items() if key != SECTION}


def covered(path: str, varied: set[str]) -> bool:
    return any(path == key or path.startswith(f"{key}.") or key.startswith(f"{path}.") for key in varied)
