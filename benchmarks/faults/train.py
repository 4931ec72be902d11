"""Trains the open suite of faults, diagnoses every run, trains what the diagnosis proposes, and scores it.

    python benchmarks/faults/train.py [--world digits] [--seeds 3] [--jobs 2] [--only NAME …] [--kinds healthy …]

What lies in runs/ and was trained from the same spec is not trained again; after a change in variants.py, worlds.py
or nets.py say --again. Ends with score.py, which is run alone when only the diagnosis has changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from patches import wanted
from running import Job, train_all
from suite import Case, cases, spec_of
from worlds import WORLDS, World

KINDS = ("healthy", "harmless", "small", "fault")
SEEDS_OF_BASE = 10  # what every case is measured against: with three of it no test of Mann and Whitney reaches 0.05


def main() -> None:
    arguments = parsed()
    chosen = {world: picked(world, arguments.only, arguments.kinds) for world in worlds(arguments.world)}
    for world, mine in chosen.items():
        world.write(case.data for case in mine)
        train_all(jobs(world, mine, arguments.seeds), arguments.jobs, arguments.again)
        if arguments.patches:
            train_all(wanted(world, mine), arguments.jobs)
    if arguments.score:
        import score

        score.write(list(chosen))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--world", choices=[*WORLDS, "both"], default="both")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="processes; each uses one thread")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these cases")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--again", action="store_true", help="also what is there")
    parser.add_argument("--no-patches", dest="patches", action="store_false", help="do not try what is proposed")
    parser.add_argument("--no-score", dest="score", action="store_false")
    return parser.parse_args()


def worlds(name: str) -> list[World]:
    return list(WORLDS.values()) if name == "both" else [WORLDS[name]]


def picked(world: World, only: list[str] | None, kinds: list[str]) -> list[Case]:
    all_cases = cases(world)
    unknown = set(only or ()) - {case.name for case in all_cases}
    if unknown:
        raise SystemExit(f"no case is named {', '.join(sorted(unknown))}")
    return [case for case in all_cases if case.kind in kinds and (not only or case.name in only)]


def jobs(world: World, chosen: list[Case], seeds: int) -> Iterator[Job]:
    """Seed by seed, so that an unfinished suite holds some of every case."""
    for seed in range(max(seeds, SEEDS_OF_BASE)):
        for case in chosen:
            if seed < seeds or case.name == "base":
                yield Job(world.runs / case.name / f"seed{seed}", spec_of(world, case, seed), world.work)


if __name__ == "__main__":
    main()
