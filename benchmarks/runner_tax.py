"""The runner tax: `improve train` against a Keras script and a PyTorch loop that do the same work.

    python benchmarks/runner_tax.py [--rounds 5] [--epochs 3] [--images 20000] [--cifar FOLDER] [--quick]

The ways (benchmarks/ways/) train LeNet on the same images: improve; keras+onednn, the script with
TF_ENABLE_ONEDNN_OPTS=1; keras, the same script with the flag at 0, which is TensorFlow's default on CPUs without
AVX-512 VNNI; pytorch, an eager loop. They take turns, each time in a fresh process, and every ratio is taken within a
round. The first epoch (tracing, warm-up) is left out.

Prints a section of Markdown and puts it into benchmarks/RESULTS.md (--quick only prints). About 12 minutes on two
cores that have nothing else to do. Linux only: the load beside the benchmark is read from /proc.

PyTorch is no dependency of improve: it is installed into benchmarks/.venv-torch, unless --torch-python names an
interpreter that has it. To get PyTorch's smaller CPU build, set pip's index before the first run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import IO, NamedTuple

import runner_tax_report as report

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "ways"
QUICKSTART = HERE.parent / "configs" / "quickstart.yaml"
TORCH = "torch==2.13.0"
DATA_SETS = {"fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
LIGHT = (
    "--help", "list", "check quickstart.yaml", "show quickstart.yaml", "compare runs/a runs/b", "diagnose runs/a",
)  # fmt: skip
SPEC = """\
data: {{source: {{name: npz, path: {images}, classes: 10}}, split: {{validation: 10%}}, normalize: rescale}}
model: {{name: lenet}}
optimizer: {{name: sgd, learning_rate: 0.01, momentum: 0.9}}
training: {{epochs: {epochs}, batch_size: 128}}
"""


Command = tuple[list[object], dict[str, str]]  # words, and what is added to the environment


class Options(NamedTuple):
    rounds: int
    epochs: int
    images: int
    repeats: int  # of each light command
    cifar: Path | None
    torch_python: Path


class Usage(NamedTuple):
    """What a whole process took; `others` is the CPU that other processes used meanwhile, in cores."""

    wall: float  # seconds
    cpu: float  # seconds, user and system
    memory: float  # peak resident set, MB
    others: float


def main() -> None:
    arguments = parse()
    options = chosen(arguments)
    with tempfile.TemporaryDirectory(prefix="runner-tax-") as name:
        work = Path(name)
        tables = [measure(data_set, options, work) for data_set in DATA_SETS]
        commands = light_commands(work, options.repeats)
    section = report.section(vars(arguments), tables, commands)
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
    parser.add_argument("--output", type=Path, metavar="FILE", help="benchmarks/RESULTS.md unless --quick")
    return parser


def chosen(arguments: argparse.Namespace) -> Options:
    torch_python = arguments.torch_python.absolute() if arguments.torch_python else installed_torch()
    cifar = arguments.cifar.resolve() if arguments.cifar else None
    repeats = 3 if arguments.quick else 7
    return Options(arguments.rounds, arguments.epochs, arguments.images, repeats, cifar, torch_python)


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


def measure(data_set: str, options: Options, work: Path) -> report.Table:
    """All rounds on one data set; an empty table with the reason where its images cannot be had."""
    images = work / f"{data_set}.npz"
    export = [sys.executable, SCRIPTS / "export.py", data_set, options.images, images]
    found = {"IMPROVE_DATA": str(options.cifar)} if options.cifar else {}
    try:
        run(export, found, work)
    except ChildError as error:
        return report.Table(DATA_SETS[data_set], {}, f"not measured: {error}")
    spec = work / f"{data_set}.yaml"
    spec.write_text(SPEC.format(images=json.dumps(str(images)), epochs=options.epochs), encoding="utf-8")
    return report.Table(DATA_SETS[data_set], rounds(ways(images, spec, options), options, work))


def ways(images: Path, spec: Path, options: Options) -> dict[str, Command]:
    """How each way is started; the file for its figures is still to be added."""
    script = [sys.executable, SCRIPTS / "keras_script.py", images, options.epochs]
    return {
        "improve": ([sys.executable, SCRIPTS / "improve_driver.py", spec, spec.with_suffix("")], {}),
        "keras+onednn": (script, {"TF_ENABLE_ONEDNN_OPTS": "1"}),
        "keras": (script, {"TF_ENABLE_ONEDNN_OPTS": "0"}),
        "pytorch": ([options.torch_python, SCRIPTS / "torch_loop.py", images, options.epochs], {}),
    }


def rounds(compared: dict[str, Command], options: Options, work: Path) -> dict[str, list[report.Figures]]:
    """Every way once per round; each round starts with another one, so that none is always the first."""
    results: dict[str, list[report.Figures]] = {way: [] for way in compared}
    names = list(compared)
    for number in range(options.rounds):
        first = number % len(names)
        for way in names[first:] + names[:first]:
            command, environment = compared[way]
            results[way].append(once(command, environment, work))
            say(f"round {number + 1}/{options.rounds}: {way}: {results[way][-1]['training']:.2f} s per epoch")
    check_same_work(results)
    return results


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
    found = shutil.which("improve", path=str(Path(sys.executable).parent))
    improve: list[object] = [found] if found else [sys.executable, "-m", "improve"]
    tiny_runs(improve, work)
    commands = {report.BASELINE: [sys.executable, "-c", "pass"]}
    commands |= {f"improve {words}": [*improve, *words.split()] for words in LIGHT}
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


class ChildError(Exception):
    """A process failed; the message ends in the last line that it printed."""


def run(command: list[object], environment: dict[str, str], work: Path) -> Usage:
    """Run to the end in `work`."""
    words = [str(word) for word in command]
    with tempfile.TemporaryFile() as log:
        usage, code = waited_for(words, clean_environment() | environment, work, log)
        if code:
            log.seek(0)
            raise ChildError(last_line(log.read()) or f"{' '.join(words)} failed with exit code {code}")
    return usage


def waited_for(words: list[str], environment: dict[str, str], work: Path, log: IO[bytes]) -> tuple[Usage, int]:
    """What it took, and its exit code. This process must stay small: a child's peak memory starts from its parent's."""
    busy, began = busy_seconds(), time.perf_counter()
    process = subprocess.Popen(words, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _, status, used = os.wait4(process.pid, 0)
    wall, busy = time.perf_counter() - began, busy_seconds() - busy
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    return Usage(wall, cpu, used.ru_maxrss * 1024 / 1e6, max(0.0, busy - cpu) / wall), process.returncode


def last_line(printed: bytes) -> str:
    return printed.decode(errors="replace").strip().rpartition("\n")[2]


def clean_environment() -> dict[str, str]:
    """As people have it: TensorFlow with its flags not set (its notes kept short), and Python keeping its bytecode."""
    unset = ("TF_ENABLE_ONEDNN_OPTS", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if key not in unset}
    return kept | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "2"}


def busy_seconds() -> float:
    """CPU-seconds of the whole machine since it started, time stolen by its host included."""
    user, nice, system, _, _, *interrupts_and_stolen = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = sum(map(int, (user, nice, system, *interrupts_and_stolen)))
    return ticks / os.sysconf("SC_CLK_TCK")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
