"""The runner tax: `improve train` against a Keras script and a PyTorch loop that do the same work.

    python benchmarks/runner_tax.py [--rounds 5] [--epochs 3] [--images 20000] [--cifar FOLDER] [--quick]

The ways (benchmarks/ways/) train a network on the same images: improve; keras+onednn, the script with
TF_ENABLE_ONEDNN_OPTS=1; of LeNet also keras, the same script with the flag at 0, which is TensorFlow's default on CPUs
without AVX-512 VNNI, and pytorch, an eager loop. They take turns, each time in a fresh process, and every ratio is
taken within a round. The first epoch (tracing, warm-up) is left out. Then quickstart.yaml as a whole process against
scripts that train the same network on the same digits, and the commands that do not train.

Prints a section of Markdown and puts it into benchmarks/RESULTS.md (--quick only prints). About 20 minutes on two
cores that have nothing else to do. Linux only: the load beside the benchmark is read from /proc.

PyTorch is no dependency of improve: it is installed into benchmarks/.venv-torch, unless --torch-python names an
interpreter that has it (none: leave it out). To get PyTorch's smaller CPU build, set pip's index before the first run.
With --jax-python quickstart.yaml is trained on JAX as well, with its programs compiled before.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import runner_tax_report as report
from child import ChildError, run

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "ways"
QUICKSTART = HERE.parent / "configs" / "quickstart.yaml"
TORCH = "torch==2.13.0"


class Case(NamedTuple):
    """A network on a data set. `goal`: of improve's CPU time for training, against that of the Keras script."""

    title: str
    data_set: str
    goal: float
    model: str = "lenet"
    batch: int = 128
    images: int = 1_000_000  # at most


CASES = (
    Case("LeNet on Fashion-MNIST", "fashion_mnist", 1.02),
    Case("LeNet on CIFAR-10", "cifar10", 1.02),
    Case("MiniVGGNet on CIFAR-10", "cifar10", 1.0, "minivggnet", images=4000),
    Case("ResNet (3, 3, 3) on CIFAR-10", "cifar10", 1.0, "{name: resnet, stages: [3, 3, 3]}", images=2000),
    Case("mlp on Fashion-MNIST", "fashion_mnist", 0.4, "{name: mlp, hidden: [64]}", batch=32),
)
LIGHT = (
    "--help", "list", "check quickstart.yaml", "show quickstart.yaml", "compare runs/a runs/b", "diagnose runs/a",
    "report runs/a",
)  # fmt: skip
SPEC = """\
data: {{source: {{name: npz, path: {images}, classes: 10}}, split: {{validation: 10%}}, normalize: rescale}}
model: {model}
optimizer: {{name: sgd, learning_rate: 0.01, momentum: 0.9}}
training: {{epochs: {epochs}, batch_size: {batch}}}
"""


Command = tuple[list[object], dict[str, str]]  # words, and what is added to the environment


class Options(NamedTuple):
    rounds: int
    epochs: int
    images: int
    repeats: int  # of each light command
    cifar: Path | None
    torch_python: Path | None
    jax_python: Path | None


def main() -> None:
    arguments = parse()
    options = chosen(arguments)
    with tempfile.TemporaryDirectory(prefix="runner-tax-") as name:
        work = Path(name)
        tables = [measure(case, options, work) for case in CASES]
        whole = quickstart(options, work)
        commands = light_commands(work, options.repeats)
    section = report.section(vars(arguments), tables, whole, commands)
    print(section)
    if arguments.output is not None:
        report.put(arguments.output, section)


def parse() -> argparse.Namespace:
    parser = argument_parser()
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.epochs, arguments.images = 2, 2, 2000
    elif arguments.output is None:
        arguments.output = HERE / "RESULTS.md"
    if arguments.rounds < 1 or arguments.epochs < 2 or arguments.images < 200:
        parser.error("at least 1 round, 2 epochs and 200 images are needed")
    return arguments


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3, help="2 at least; the first is not counted")
    parser.add_argument("--images", type=int, default=20_000, help="use the first so many training images")
    parser.add_argument("--quick", action="store_true", help="2 rounds, 2 epochs, 2,000 images: does it run at all?")
    parser.add_argument("--cifar", type=Path, metavar="FOLDER", help="where cifar10.npz is, as in $IMPROVE_DATA")
    parser.add_argument("--torch-python", type=Path, metavar="PATH", help="a Python that has torch")
    parser.add_argument("--jax-python", type=Path, metavar="PATH", help="a Python that has JAX and improve's packages")
    parser.add_argument("--output", type=Path, metavar="FILE", help="benchmarks/RESULTS.md unless --quick")
    return parser


def chosen(arguments: argparse.Namespace) -> Options:
    torch_python = arguments.torch_python.absolute() if arguments.torch_python else installed_torch()
    if torch_python.name == "none":
        torch_python = None
    cifar = arguments.cifar.resolve() if arguments.cifar else None
    repeats = 3 if arguments.quick else 7
    jax_python = arguments.jax_python.absolute() if arguments.jax_python else None
    return Options(arguments.rounds, arguments.epochs, arguments.images, repeats, cifar, torch_python, jax_python)


def installed_torch() -> Path:
    """A virtual environment of its own, made once and kept."""
    folder = HERE / ".venv-torch"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", TORCH, "numpy"], check=True)
        ready.touch()
    return python


def measure(case: Case, options: Options, work: Path) -> report.Table:
    """All rounds of one case; an empty table with the reason where its images cannot be had."""
    images = work / f"{case.data_set}.npz"
    export = [sys.executable, SCRIPTS / "export.py", case.data_set, min(options.images, case.images), images]
    found = {"IMPROVE_DATA": str(options.cifar)} if options.cifar else {}
    try:
        run(export, found, work)
    except ChildError as error:
        return report.Table(case.title, case.goal, {}, f"not measured: {error}")
    spec = work / "case.yaml"
    told = {"images": json.dumps(str(images)), "epochs": options.epochs, "model": case.model, "batch": case.batch}
    spec.write_text(SPEC.format(**told), encoding="utf-8")
    found = rounds(ways(case, images, spec, options), options, work)
    check_same_work(found)
    return report.Table(case.title, case.goal, found)


def ways(case: Case, images: Path, spec: Path, options: Options) -> dict[str, Command]:
    """How each way is started; the file for its figures is still to be added."""
    script = [sys.executable, SCRIPTS / "keras_script.py", images, options.epochs, case.model, case.batch]
    found: dict[str, Command] = {
        "improve": ([sys.executable, SCRIPTS / "improve_driver.py", spec, spec.with_suffix("")], {}),
        "keras+onednn": (script, {"TF_ENABLE_ONEDNN_OPTS": "1"}),
    }
    if case.model == "lenet":
        found["keras"] = script, {"TF_ENABLE_ONEDNN_OPTS": "0"}
        if options.torch_python:
            found["pytorch"] = [options.torch_python, SCRIPTS / "torch_loop.py", images, options.epochs], {}
    return found


def quickstart(options: Options, work: Path) -> dict[str, list[report.Figures]]:
    """The whole process of quickstart.yaml, and of scripts that train its network on its digits."""
    digits = work / "digits.npz"
    run([sys.executable, SCRIPTS / "export.py", "digits", 1_000_000, digits], {}, work)
    compared: dict[str, Command] = {
        "improve": ([*improve(), "train", QUICKSTART, "--runs", work / "quick", "--quiet"], {}),
        "keras": ([sys.executable, SCRIPTS / "quickstart_keras.py", digits], {}),
    }
    if options.torch_python:
        compared["pytorch"] = [options.torch_python, SCRIPTS / "quickstart_torch.py", digits], {}
    if options.jax_python:
        words = ["-m", "improve", "train", QUICKSTART, "--runs", work / "quick_jax", "--quiet"]
        on_jax = {"KERAS_BACKEND": "jax", "PYTHONPATH": str(HERE.parent / "src")}
        compared[report.ON_JAX] = [options.jax_python, *words], on_jax
        run(*compared[report.ON_JAX], work)  # its programs are compiled once for all runs that follow
    turns = in_turns(list(compared), options.rounds)
    results: dict[str, list[report.Figures]] = {way: [] for way in compared}
    for way in turns:
        results[way].append(run(*compared[way], work)._asdict())
    return results


def improve() -> list[object]:
    found = shutil.which("improve", path=str(Path(sys.executable).parent))
    return [found] if found else [sys.executable, "-m", "improve"]


def rounds(compared: dict[str, Command], options: Options, work: Path) -> dict[str, list[report.Figures]]:
    """Every way once per round."""
    results: dict[str, list[report.Figures]] = {way: [] for way in compared}
    for way in in_turns(list(compared), options.rounds):
        command, environment = compared[way]
        results[way].append(once(command, environment, work))
        say(f"round {len(results[way])}/{options.rounds}: {way}: {results[way][-1]['training']:.2f} s per epoch")
    return results


def in_turns(names: list[str], rounds: int) -> Iterator[str]:
    """Each name once per round; each round starts with another one, so that none is always the first."""
    for number in range(rounds):
        first = number % len(names)
        yield from names[first:] + names[:first]


def once(command: list[object], environment: dict[str, str], work: Path) -> report.Figures:
    """One process: medians over its epochs but the first, and what the whole of it took."""
    out = work / "figures.json"
    usage = run([*command, out], environment, work)
    found = json.loads(out.read_text(encoding="utf-8"))
    out.unlink()
    epochs = found.pop("epochs")[1:]
    figures = {name: statistics.median(epoch[name] for epoch in epochs) for name in epochs[0]}
    figures["beside"] = (figures["epoch"] - figures["training"]) / figures["epoch"]
    return figures | found | usage._asdict()


def check_same_work(results: dict[str, list[report.Figures]]) -> None:
    work = {way: (figures["images"], figures["steps"]) for way, (figures, *_) in results.items()}
    if len(set(work.values())) != 1:
        sys.exit(f"the ways do not train on equally many images in equally many steps: {work}")


def light_commands(work: Path, repeats: int) -> dict[str, list[report.Figures]]:
    """The commands that should answer at once, in turns, after one warm-up each; empty Python is the measure."""
    tiny_runs(improve(), work)
    commands: dict[str, list[object]] = {report.BASELINE: [sys.executable, "-c", "pass"]}
    commands |= {f"improve {words}": [*improve(), *words.split()] for words in LIGHT}
    results: dict[str, list[report.Figures]] = {name: [] for name in commands}
    for number in range(repeats + 1):
        for name, command in commands.items():
            usage = run(command, {}, work)
            if number:
                results[name].append(usage._asdict())
    return results


def tiny_runs(improve: list[object], work: Path) -> None:
    """A spec and two run folders for the light commands to read."""
    shutil.copy(QUICKSTART, work)
    run([*improve, "train", QUICKSTART.name, "training.epochs=2", "--name", "a", "--quiet"], {}, work)
    shutil.copytree(work / "runs" / "a", work / "runs" / "b")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
