"""The house: what may import what, what stays light, what is documented."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import CONFIGS
from improve.spec.spec import COMPONENTS, SHELVES

ROOT = CONFIGS.parent
PACKAGE = ROOT / "src" / "improve"

# from the ground up: a wing imports only what stands before it
WINGS = ("images", "statistics", "spec", "runs", "diagnosis", "engine", "experiments", "views", "commands", "cli")
HEAVY = {"keras", "tensorflow", "jax", "numpy", "scipy", "pandas", "matplotlib", "sklearn", "pillow_heif",
         "tensorboard", "mlflow", "optuna", "ray"}  # fmt: skip
NAMED_ONLY_IN = {
    "keras": ("engine", "spec", "lazy"),
    "matplotlib": ("figure", "engine.training.curves", "views.figures"),
    "rich": ("views.terminal", "commands", "cli"),
    "typer": ("commands", "cli"),
}


def modules():
    """Dotted name below `improve`, and syntax tree, of every module."""
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), ast.parse(file.read_text())


def imported(nodes):
    """The dotted names that these nodes import."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def wing_of(name):
    wing = name.removeprefix("improve.").partition(".")[0]
    return WINGS.index(wing) if name.startswith("improve.") and wing in WINGS else -1


def test_a_wing_imports_only_what_stands_before_it(subtests):
    for module, tree in modules():
        with subtests.test(module):
            above = [name for name in imported(ast.walk(tree)) if wing_of(name) > wing_of(f"improve.{module}")]
            assert not above or module == "__main__"


def test_heavy_packages_are_named_where_they_belong_and_never_at_import(subtests):
    for module, tree in modules():
        with subtests.test(module):
            assert not {name.partition(".")[0] for name in imported(tree.body)} & HEAVY
            named = {name.removeprefix("improve.lazy.").partition(".")[0] for name in imported(ast.walk(tree))}
            for package in named & NAMED_ONLY_IN.keys():
                assert f"{module}.".startswith(tuple(f"{place}." for place in NAMED_ONLY_IN[package])), package


def test_no_file_grows_past_a_few_screens_and_no_folder_past_thirty_files(subtests):
    for folder in (PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())):
        with subtests.test(str(folder.relative_to(ROOT))):
            files = {file.name: len(file.read_text().splitlines()) for file in folder.glob("*.py")}
            assert len(files) <= (10 if folder == PACKAGE else 30)
            assert max(files.values(), default=0) <= 300


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
