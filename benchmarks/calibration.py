"""Are our own statistics honest? Equal models and recipes, and differences of just the size that is called detectable.

    python benchmarks/calibration.py [--pairs 2000] [--seed 0]

Models are simulated: each image has a difficulty (Beta-distributed), each trained model errs on it with that chance,
shifted a little for every seed. No network is trained. Writes a section into RESULTS.md.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from improve.diagnosis.comparison.candidate import Candidate
from improve.diagnosis.comparison.configurations import Configuration, configuration_difference
from improve.diagnosis.comparison.pairwise import families
from improve.statistics.intervals import Rate
from improve.statistics.paired import POWER, paired_comparison
from runner_tax_report import put

HEADING = "## Calibration of the comparison"
SEED_NOISE = 0.15  # standard deviation of a seed's shift, in logits: about 1 point at 10 % errors


def difficulties(random, n, error=0.1):
    """Errors pile up on few images: Beta(0.2 · error, 0.2 · (1 − error))."""
    return random.beta(0.2 * error, 0.2 * (1 - error), n)


def trained(random, difficulty, harder=0.0):
    """Which images (n,) one seed of a recipe gets wrong."""
    clipped = np.clip(difficulty, 1e-9, 1 - 1e-9)
    logit = np.log(clipped / (1 - clipped)) + harder + random.normal(0, SEED_NOISE)
    return random.random(len(difficulty)) < 1 / (1 + np.exp(-logit))


def equal_models(random, n, pairs):
    """Two models that err with the same probability on every image."""
    told = 0
    for _ in range(pairs):
        difficulty = difficulties(random, n)
        told += paired_comparison(random.random(n) < difficulty, random.random(n) < difficulty).told_apart
    return told


def detectable(random, n, disagreement, pairs):
    """A true difference of 2.8 · √(d / n), and a disagreement of d."""
    difference = POWER * math.sqrt(disagreement / n)
    first, second = (disagreement + difference) / 2, (disagreement - difference) / 2
    told = 0
    for _ in range(pairs):
        kind = random.choice(3, n, p=[first, second, 1 - disagreement])
        told += paired_comparison(kind == 0, kind == 1).told_apart
    return told


def many_equals(random, n, models, rounds):
    """How often any of all pairs of equal models is called different, after Holm's adjustment."""
    told = 0
    for _ in range(rounds):
        difficulty = difficulties(random, n)
        wrong = [random.random(n) < difficulty for _ in range(models)]
        runs = [Candidate(str(k), {}, float(one.mean()), n, "a", one) for k, one in enumerate(wrong)]
        told += any(pair.seen.told_apart for pair in families(runs)[0].pairs())
    return told


def recipe(random, name, sets, harder=0.0):
    """One run per entry of `sets`: (fingerprint, difficulty)."""
    runs = []
    for seed, (fingerprint, difficulty) in enumerate(sets):
        wrong = trained(random, difficulty, harder)
        runs.append(Candidate(f"{name}{seed}", {"seed": seed}, float(wrong.mean()), len(wrong), fingerprint, wrong))
    return Configuration(tuple(runs))


def equal_recipes(random, n, seeds, own_splits, pairs, harder=0.0):
    """Recipes of several seeds; each seed on its own validation images, or all on the same."""
    told = 0
    for _ in range(pairs):
        one = difficulties(random, n)
        sets = [(str(k), difficulties(random, n)) if own_splits else ("a", one) for k in range(seeds)]
        seen = configuration_difference(recipe(random, "a", sets), recipe(random, "b", sets, harder))
        told += seen.verdict != "not distinguishable"
    return told


def share(told, of):
    low, high = Rate(told / of, of).interval()
    return f"{100 * told / of:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def rows(random, pairs):
    small = 200
    yield (
        "two equal models, 200 pairs, n = 1,000: called different",
        share(equal_models(random, 1000, 200), 200),
        "≤ 5 %",
    )
    for n in (300, 1000, 5000):
        told = equal_models(random, n, pairs)
        yield f"the same, {pairs:,} pairs, n = {n:,}", share(told, pairs), "≤ 5 %"
    for models in (5, 20):
        told = many_equals(random, 1000, models, small)
        yield (
            f"{models} equal models, any of their pairs called different (Holm), 200 rounds",
            share(told, small),
            "≤ 5 %",
        )
    for n, disagreement in ((300, 0.1), (1000, 0.05), (1000, 0.2), (5000, 0.1)):
        told = detectable(random, n, disagreement, pairs)
        what = f"the printed detectable difference, n = {n:,}, models disagree on {100 * disagreement:.0f} %: found"
        yield what, share(told, pairs), "≈ 80 %"
    for seeds in (2, 3, 5):
        for own in (True, False):
            told = equal_recipes(random, 500, seeds, own, 2 * small)
            where = "their own splits" if own else "the same images"
            what = f"two equal recipes, {seeds} seeds each on {where}, n = 500: called different"
            yield what, share(told, 2 * small), "≤ 5 %"
    told = equal_recipes(random, 500, 3, True, 2 * small, harder=1.0)
    yield (
        "two recipes 5 points apart, 3 seeds each on their own splits, n = 500: called different",
        share(told, 2 * small),
        "",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = ["| simulated | share | goal |", "|---|---|---|"]
    for row in rows(np.random.default_rng(arguments.seed), arguments.pairs):
        table.append(f"| {' | '.join(row)} |")
        print(table[-1], flush=True)
    intro = "By `python benchmarks/calibration.py`: no network, simulated models whose errors pile up on hard images."
    put(Path(__file__).with_name("RESULTS.md"), f"{HEADING}\n\n{intro}\n\n" + "\n".join(table) + "\n")


if __name__ == "__main__":
    main()
