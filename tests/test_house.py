"""The house: what may import what, what stays light, what is documented."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

from conftest import CONFIGS
from improve.spec.spec import COMPONENTS, SHELVES

ROOT = CONFIGS.parent
PACKAGE = ROOT / "src" / "improve"

# from the ground up: a wing imports only what stands before it
WINGS = ("images", "statistics", "spec", "runs", "diagnosis", "engine", "experiments", "views", "commands", "cli")
ROOMS = (  # the same inside a wing
    ("engine.data", "engine.model", "engine.training", "engine.inference"),
    ("engine.data", "engine.model", "engine.training", "engine.trackers"),
    ("experiments.learning_curve", "experiments.sweep", "experiments.ray"),
    ("experiments.lr_range", "experiments.auto"),
    ("views.text", "views.terminal"),
    ("views.figures", "views.report"),
    ("views.text", "views.report"),
    ("spec.component", "spec.datasets", "spec.spec", "spec.partition", "spec.reading"),
)
HEAVY = {"keras", "tensorflow", "jax", "numpy", "scipy", "pandas", "matplotlib", "sklearn", "tensorboard", "mlflow",
         "optuna", "ray"}  # fmt: skip
NAMED_ONLY_IN = {
    "keras": ("engine", "spec", "lazy"),
    "matplotlib": ("figure", "engine.training.curves", "views.figures"),
    "rich": ("views.terminal", "commands", "cli"),
    "typer": ("commands", "cli"),
}


class Module(NamedTuple):
    """Its dotted name below `improve`, and the dotted names that it imports: anywhere, and when it is imported."""

    name: str
    imports: list[str]
    at_import: list[str]


@pytest.fixture(scope="module")
def modules():
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        tree = ast.parse(file.read_text())
        name = ".".join(part for part in parts if part != "__init__")
        found.append(Module(name, list(imported(ast.walk(tree))), list(imported(tree.body))))
    return found


def imported(nodes):
    """The dotted names that these nodes import."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def place(name, order):
    """Where the wing or room of a module stands in `order`; -1 where it is none of them."""
    return next((number for number, one in enumerate(order) if f"{name}.".startswith(f"improve.{one}.")), -1)


@pytest.mark.parametrize("order", [WINGS, *ROOMS], ids=lambda order: order[-1])
def test_imports_point_one_way(modules, order):
    upwards = []
    for module in modules:
        here = place(f"improve.{module.name}", order)
        if module.name != "__main__" and (order == WINGS or here >= 0):  # what lies at the root imports no wing
            upwards += [f"{module.name} imports {name}" for name in module.imports if place(name, order) > here]
    assert upwards == []


def test_no_module_imports_itself_by_a_detour(modules):
    graph = {module.name: {name.removeprefix("improve.") for name in module.imports} for module in modules}
    graph = {module: {name if name in graph else name.rpartition(".")[0] for name in names} & graph.keys()
             for module, names in graph.items()}  # fmt: skip
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_heavy_packages_are_named_where_they_belong_and_never_at_import(modules):
    misplaced = []
    for module in modules:
        loaded = {name.partition(".")[0] for name in module.at_import} & HEAVY
        named = {name.removeprefix("improve.lazy.").partition(".")[0] for name in module.imports}
        astray = [package for package in named & NAMED_ONLY_IN.keys()
                  if place(f"improve.{module.name}", NAMED_ONLY_IN[package]) < 0]  # fmt: skip
        misplaced += [f"{module.name} imports {package}" for package in (*loaded, *astray)]
    assert misplaced == []


def test_no_file_grows_past_a_few_screens_and_no_folder_past_thirty_files():
    for folder in (PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())):
        lengths = {file.name: len(file.read_text().splitlines()) for file in folder.glob("*.py")}
        assert len(lengths) <= (10 if folder == PACKAGE else 30), folder
        assert [name for name, lines in lengths.items() if lines > 300] == []


LIGHT = {
    "--help": [], "list": [], "explain sgd": [], "explain T1": [], "schema": [], "init": [],
    "check {spec}": ["numpy"], "show {spec}": ["numpy"],
    "compare {run}": ["numpy"], "diagnose {run}": ["numpy", "scipy"], "next {run}": ["numpy", "scipy"],
}  # fmt: skip


@pytest.mark.parametrize("command", LIGHT)
def test_a_light_command_stays_light(command, make_run):
    words = command.format(spec=CONFIGS / "quickstart.yaml", run=make_run("x", 0.0, 0.6).folder).split()
    code = (
        "import sys; from improve.cli import main\n"
        f"sys.argv = ['improve', *{words!r}]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "print('LOADED', *{name.split('.')[0] for name in sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split("LOADED")[-1].split())
    heavy = {"keras", "tensorflow", "jax", "numpy", "scipy", "pandas", "matplotlib", "sklearn"}
    assert loaded & heavy <= set(LIGHT[command])


def test_no_two_parts_have_one_name():
    assert len(COMPONENTS) == sum(len(parts) for parts in SHELVES.values())


def test_every_command_is_documented_in_the_readme():
    from improve.cli import app

    readme = (ROOT / "README.md").read_text()
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert len(names) >= 11
    for name in names:
        assert f"improve {name}" in readme, name


def test_every_config_is_in_the_readme_or_reached_from_it():
    readme = (ROOT / "README.md").read_text()
    for file in Path(CONFIGS).glob("*.yaml"):
        assert f"configs/{file.name}" in readme, file.name


def test_the_first_commands_of_the_readme_are_make_run_and_make_test():
    lines = [line.split("#")[0].strip() for line in (ROOT / "README.md").read_text().splitlines()]
    assert [line for line in lines if line.startswith("make ")][:2] == ["make run", "make test"]
