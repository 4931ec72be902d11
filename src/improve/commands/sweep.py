"""The command that tries many settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from improve.commands.options import RUNS, Json, NoCode, Quiet, Runs, SpecFile, print_json
from improve.errors import UsageError

if TYPE_CHECKING:
    from improve.experiments.sweep.plan import Plan
    from improve.experiments.sweep.result import SweepVerdict
    from improve.experiments.sweep.trials import SweepWatcher, Trials

Space = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUES]...",
        help="what varies: a,b,c; range(16,65,16); int(8,64); uniform(0,0.5); log(1e-4,1e-1); one value fixes it",
    ),
]
Search = Annotated[
    str | None,
    typer.Option(
        "--search", metavar="SEARCH", help="grid, random, tpe or hyperband; a grid where all values can be counted"
    ),
]
Count = Annotated[int | None, typer.Option("--trials", min=1, max=10_000, help="points to try; 20 unless given")]
Seeds = Annotated[int | None, typer.Option("--seeds", min=1, max=100, metavar="N", help="runs for each point")]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="auto|ADDRESS",
        help="train on the nodes of a Ray cluster: auto finds it, or host:port, ray://host:port",
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=64, metavar="N", help="trials side by side on this machine")
]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="of the folder; SPEC_sweep unless given")]


def sweep(
    spec: SpecFile,
    space: Space = None,
    trials: Count = None,
    search: Search = None,
    seeds: Seeds = None,
    runs: Runs = RUNS,
    name: Name = None,
    workers: Workers = None,
    ray: Ray = None,
    no_code: NoCode = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Try many settings: a folder of runs, the best of them, and how sure that is."""
    from improve.experiments.sweep.plan import check, plan
    from improve.experiments.sweep.search import check_installed
    from improve.runs.begin import checked_name

    planned = plan(spec, space or [], not no_code, search, trials, seeds)
    folder = runs / checked_name(name or f"{spec.stem}_sweep")
    check_installed(planned.search)
    trains = trainer(planned, workers, ray)
    check(planned)
    from improve.experiments.sweep.result import sweep_verdict
    from improve.experiments.sweep.sweep import sweep as sweep_plan
    from improve.views.terminal.sweep import TerminalSweepWatcher

    watcher = TerminalSweepWatcher(quiet)
    try:
        results = sweep_plan(planned, folder, watcher, trains)
    finally:
        watcher.close()
    show_result(sweep_verdict(planned, folder, results), folder, as_json)


def trainer(planned: Plan, workers: int | None, address: str | None) -> Callable[[Path, SweepWatcher], Trials]:
    """What trains the points: processes on this machine, or a cluster."""
    if address is None:
        from improve.experiments.sweep.local_trials import LocalTrials

        return partial(LocalTrials, workers=workers or 1)
    if workers is not None:
        fix = "one of the two; of a cluster, sweep: {cpus: 2} in the spec says what one trial takes"
        raise UsageError("--workers is for this machine, --ray for a cluster", fix=fix)
    from improve.experiments.ray.cluster import Cluster, check_installed
    from improve.experiments.ray.trials import RayTrials

    check_installed()
    return partial(RayTrials, cluster=Cluster(address, planned.cpus, planned.gpus))


def show_result(verdict: SweepVerdict, folder: Path, as_json: bool) -> None:
    from improve.diagnosis.comparison.compare import compare
    from improve.views.figures.sweep import draw_sweep
    from improve.views.terminal.sweep import show_sweep

    picture = folder / "sweep.png"
    draw_sweep(picture, verdict)
    comparison = compare([made.folder for one in verdict.results for made in one.runs])
    if as_json:
        print_json({"folder": str(folder), **verdict.as_json(), "comparison": comparison.as_json(False)})
    else:
        show_sweep(verdict, comparison, folder, picture)
