"""How far the errors of equal specs differ by their seed alone, on the sound runs of the random worlds.

    python benchmarks/random_worlds/seed_noise.py

`improve diagnose --confirm` holds a difference against it (SEEDS in experiments/confirmation/judgement.py). Standard
deviations are told as parts of √(e(1−e)), so that they carry over to other errors; of the reserve, whose many images
add little of their own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
from scored import packed_runs

from improve.experiments.confirmation.plan import EARLY


def main() -> None:
    seeds = defaultdict(list)
    for known, found, _ in packed_runs(None):
        if known.group == "base":
            seeds[known.world].append(found)
    for title, error in (("training error after a quarter", early_error), ("error on the reserve", reserve_error)):
        parts = np.array([spread([error(one) for one in runs]) for runs in seeds.values()])
        low, high = np.quantile(parts, [0.1, 0.9])
        print(f"{title}: {math.sqrt(np.mean(parts**2)):.3f} of √(e(1−e)), {low:.3f} to {high:.3f} in eight of ten "
              f"of {len(parts)} worlds")  # fmt: skip


def early_error(found: Any) -> float:
    return float(found.history[math.ceil(len(found.history) / EARLY) - 1]["train_error"])


def reserve_error(found: Any) -> float:
    return float(found.sealed_test.error)


def spread(errors: list[float]) -> float:
    mean = max(float(np.mean(errors)), 1e-4)
    return float(np.std(errors, ddof=1)) / math.sqrt(mean * (1 - min(mean, 0.999)))


if __name__ == "__main__":
    main()
