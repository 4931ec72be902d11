"""The house: what may import what, what stays light, what is documented."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import CONFIGS
from improve.spec import PARTS, SHELVES

ROOT = CONFIGS.parent
PACKAGE = ROOT / "src" / "improve"

# From the ground up: a module imports only from shelves below its own.
FLOORS = [
    ["errors", "__init__"],
    ["lazy", "yamlfile", "interrupt", "usercode", "ledger", "selftest", "lock", "recorded", "chart", "tables",
     "worker"],
    ["parts", "store", "randomness", "statistics", "losses", "npzfile", "images", "imagefile", "imagefolder",
     "parallel", "layers", "parcels"],
    ["regularization", "splits", "schedules.part", "augmentations.part", "normalizations", "fileindex", "paired",
     "criteria", "cost", "strokes", "students", "labellers", "power_law", "census", "evidence", "replicas"],
    ["devices", "imagearray", "skies", "pairs", "recipes"],
    ["imagecache"],
    ["optimizers", "schedules.drops", "schedules.descents", "augmentations.geometry", "augmentations.pixels",
     "augmentations.randaugment", "datasets.source", "models.architecture"],
    ["schedules", "augmentations.mixing", "datasets.arrays", "datasets.folder", "datasets.peacetopia", "models.cnn",
     "models.lenet", "models.lenet5", "models.minigooglenet", "models.minivggnet", "models.mlp", "models.python",
     "models.resnet"],
    ["augmentations", "datasets.known", "models"],
    ["datasets"],
    ["spec"],
    ["division", "timeline", "shortage", "settings", "dotted"],
    ["sense", "vocabulary"],
    ["merge", "mistakes"],
    ["space"],
    ["space_words"],
    ["specfile"],
    ["run", "prepare", "points"],
    ["recipe", "batches", "record", "plots", "weights", "template", "search_optuna", "importance", "sweep_folder",
     "trials"],
    ["assemble", "environment", "ensemble", "measure", "findings.rule", "search"],
    ["findings.signs", "findings.comparison", "probes", "preview", "history", "standing"],
    ["keeping"],
    ["snapshots", "curves"],
    ["findings.changes", "findings.world"],
    ["findings.restraint", "findings.validation"],
    ["findings.mismatch"],
    ["findings.capacity", "findings.finishing", "findings.gradients", "findings.labels", "findings.optimization",
     "findings.readable", "findings.variance", "findings.wiring"],
    ["findings.testing"],
    ["findings"],
    ["train", "advice", "predictor", "shift"],
    ["photos", "formats"],
    ["predict", "foreign", "field", "export"],
    ["trust"],
    ["story"],
    ["track_mlflow", "track_tensorboard"],
    ["learning_curve", "lr_range", "resume"],
    ["members", "walk"],
    ["weigh", "race", "rate_probe"],
    ["tracking"],
    ["diagnose", "compare", "glossary", "sweep", "trials_worker"],
    ["sweep_result", "ray_worker"],
    ["ray_cluster"],
    ["ray_trials"],
    ["revise", "show", "show_curve", "evaluate", "suspicion"],
    ["proposals"],
    ["explore"],
    ["auto"],
    ["ending"],
    ["show_diagnosis", "show_comparison", "show_ensemble", "show_selftest", "progress", "show_auto"],
    ["plot_experiments", "plot_sweep", "show_experiments", "show_handover", "portrait", "answers", "pictures",
     "plot_svg"],
    ["plot_report", "show_sweep", "told"],
    ["sections", "plot_story"],
    ["chapters"],
    ["report"],
    ["commands"],
    ["commands.options"],
    ["commands.experiments", "commands.judging", "commands.specs", "commands.shelves", "commands.sweeping"],
    ["commands.reporting", "commands.ensembles", "commands.handover"],
    ["commands.training", "commands.looping"],
    ["cli"],
    ["__main__"],
]  # fmt: skip
FLOOR = {module: number for number, floor in enumerate(FLOORS) for module in floor}


def modules():
    for file in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        yield file, name.removesuffix(".__init__") if name != "__init__" else name


def imports_of(file, everywhere=True):
    """Module names that a file imports; with everywhere=False only those at import time."""
    tree = ast.parse(file.read_text())
    nodes = ast.walk(tree) if everywhere else tree.body
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize(("file", "name"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_point_downwards(file, name):
    assert name in FLOOR, f"{name} has no floor yet"
    for imported in imports_of(file):
        below = imported.removeprefix("improve.")
        if imported.startswith("improve.") and below in FLOOR:
            assert FLOOR[below] < FLOOR[name], f"{name} imports {below}"


@pytest.mark.parametrize(("file", "name"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_heavy_modules_are_named_in_one_place_only(file, name):
    at_import = {module.split(".")[0] for module in imports_of(file, everywhere=False)}
    heavy = {"keras", "tensorflow", "jax", "numpy", "scipy", "pandas", "matplotlib", "sklearn",
             "tensorboard", "mlflow", "optuna", "ray"}  # fmt: skip
    assert not at_import & heavy, f"{name} imports {at_import & heavy} when it is imported"
    ever = {module.split(".")[0] for module in imports_of(file)}
    if not name.startswith("plot"):
        assert "matplotlib" not in ever
    if not name.startswith(("show", "progress", "commands", "cli")):
        assert not ever & {"rich", "typer"}


@pytest.mark.parametrize(("file", "name"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_no_file_grows_past_a_few_screens(file, name):
    assert len(file.read_text().splitlines()) <= 300


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
    assert len(PARTS) == sum(len(parts) for parts in SHELVES.values())


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
