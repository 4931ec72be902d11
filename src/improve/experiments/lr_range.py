"""Which learning rates work? The range test (Smith, 2015): the rate rises from batch to batch, and the loss tells.

What it suggests depends on the seed and on how the curve is read, so it is done for several seeds, read in three ways,
and told as a range. A hint, no more.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from improve.engine.data.prepare import prepare, training_size
from improve.engine.model.build import assemble
from improve.engine.model.timeline import timeline
from improve.engine.training.batches import steps_per_epoch, training_batches
from improve.engine.training.watcher import Watcher
from improve.interrupt import goes_on
from improve.lazy import np
from improve.runs import begin, files
from improve.spec.identity import identity
from improve.spec.schedules import Constant
from improve.spec.spec import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST, HIGHEST = 1e-6, 10.0
BATCHES = (100, 200)  # an epoch, but at least and at most so many
LIMIT = 4.0  # the test ends where the smoothed loss is this many times its lowest
MOMENTUM = 0.9  # of the running mean that is watched for it
SKIPPED = (10, 5)  # batches at the start and at the end that are not read
WIDTH = 3.0  # batches, standard deviation of the Gaussian that smooths a finished curve
FALLS = 0.05  # a loss that does not get this share below where it began has not fallen
CLEAR = 2.0  # a rate within this factor of the range is at its edge: the test tells no more
METHODS = ("valley", "steepest", "minimum")


@dataclass(frozen=True)
class RateSweep:
    """One seed's test: the loss of each batch, and the rate it was made with."""

    seed: int
    rates: tuple[float, ...]
    losses: tuple[float, ...]

    def smooth(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The rates that are read, and the smoothed losses there."""
        rates, losses = np.array(self.rates), smoothed(self.losses)
        first, last = SKIPPED
        return (rates[first:-last], losses[first:-last]) if len(rates) > first + last + 3 else (rates, losses)

    def suggestions(self) -> dict[str, float]:
        """A rate by each method; none where the loss never falls."""
        rates, losses = self.smooth()
        if not falls(losses, noise(self.losses)):
            return {}
        lowest = rates[losses.argmin()] / 10  # Smith's and fastai's rule of thumb
        found = (rates[valley(losses)], rates[steepest(losses)], lowest)
        return {method: float(rate) for method, rate in zip(METHODS, found, strict=True)}


@dataclass(frozen=True)
class RateRange:
    """What all seeds and methods together suggest; low and high are None where no loss fell. `own` is the highest rate
    of the spec's schedule."""

    digest: str
    sweeps: tuple[RateSweep, ...]
    low: float | None
    high: float | None
    own: float
    sentence: str

    def as_json(self) -> dict[str, Any]:
        seeds = [
            {"seed": sweep.seed, "batches": len(sweep.rates), "suggestions": sweep.suggestions()}
            for sweep in self.sweeps
        ]
        value = {"digest": self.digest, "low": self.low, "high": self.high, "own": self.own}
        return {**value, "sentence": self.sentence, "seeds": seeds}


class RateWatcher(Watcher):
    """Told of each seed of a range test as well."""

    def sweep(self, done: int, total: int, sweep: RateSweep) -> None:
        """`done` of `total` seeds are, with this one."""


NOBODY = RateWatcher()  # watches


def rate_range(spec: Spec, folder: Path, seeds: int, watcher: RateWatcher = NOBODY) -> RateRange:
    """Test each seed that is not tested yet in `folder`, and write lr_range.json there."""
    folder = begin.writable(folder)
    sweeps = tuple(rate_sweeps(spec, folder, seeds, watcher))
    found = conclude(sweeps, spec)
    files.write_json(folder / "lr_range.json", found.as_json())
    return found


def rate_sweeps(spec: Spec, folder: Path, seeds: int, watcher: RateWatcher) -> Iterator[RateSweep]:
    """Each seed's test, from its file where it was done before."""
    for number in range(seeds):
        member = spec.model_copy(update={"seed": spec.seed + number})
        file = folder / f"seed{member.seed}.json"
        sweep = earlier_sweep(file, digest(member))
        if sweep is None:
            with goes_on(f"{number} of {seeds} seeds are done; the same command goes on"):
                sweep = range_test(member, watcher)
            files.write_json(file, {"digest": digest(member), **asdict(sweep)})
        watcher.sweep(number + 1, seeds, sweep)
        yield sweep


def digest(spec: Spec) -> str:
    """One hash of the complete spec, and of the user's own model where there is one."""
    code = spec.model.code.read_bytes() if spec.model.code else b""
    return identity(spec.complete(), code=code)


def earlier_sweep(file: Path, wanted: str) -> RateSweep | None:
    """The test in `file`, if it is one of exactly this spec."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        if value["digest"] != wanted:
            return None
        return RateSweep(int(value["seed"]), tuple(value["rates"]), tuple(value["losses"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def range_test(spec: Spec, watcher: Watcher) -> RateSweep:
    """Train with a rate that rises, until the loss leaves."""
    data = prepare(spec, watcher.reading)
    steps = steps_per_epoch(len(data.parts["train"]), spec.training.batch_size)
    flat = spec.on_one_device().model_copy(update={"schedule": Constant()})
    model = assemble(flat, data.shape, len(data.class_names), data.normalization, timeline(flat, steps))
    batches, whole = training_batches(spec, data), len(data.parts["train"]) // spec.training.batch_size
    rates, losses = rising(steps), list[float]()
    for number, rate in enumerate(rates):
        batches.epoch, index = divmod(number, whole)  # whole batches only: another shape would compile anew
        model.optimizer.rate_scale.assign(rate / spec.optimizer.learning_rate)
        losses.append(float(model.train_on_batch(*batches[index], return_dict=True)["loss"]))
        if left(losses):
            break
    losses = losses if math.isfinite(losses[-1]) else losses[:-1]
    return RateSweep(spec.seed, tuple(rates[: len(losses)]), tuple(losses))


def rising(steps: int) -> list[float]:
    count = min(max(steps, BATCHES[0]), BATCHES[1])
    return [float(rate) for rate in np.geomspace(LOWEST, HIGHEST, count)]


def left(losses: Sequence[float]) -> bool:
    """Whether the last loss is none, or the running mean has risen to four times its lowest."""
    if not math.isfinite(losses[-1]):
        return True
    means, mean = [], 0.0
    for number, loss in enumerate(losses, start=1):
        mean = MOMENTUM * mean + (1 - MOMENTUM) * loss
        means.append(mean / (1 - MOMENTUM**number))
    return means[-1] > LIMIT * min(means)


def smoothed(losses: Sequence[float]) -> NDArray[Any]:
    """A Gaussian over the batches, narrower at the ends; the curve is finished, so it need not lag behind."""
    place = np.arange(len(losses))
    weights = np.exp(-0.5 * ((place[:, None] - place) / WIDTH) ** 2)
    return np.asarray(weights @ np.asarray(losses, float) / weights.sum(axis=1))


def noise(losses: Sequence[float]) -> float:
    """Standard deviation of a smoothed loss: that of the batches, over √(2 √π · WIDTH) as a Gaussian leaves of it.

    From the differences of neighbours, and by their median, so that neither the slope nor a loss that leaves counts.
    """
    if len(losses) < 3:
        return 0.0
    one = float(np.median(np.abs(np.diff(losses)))) / (0.6745 * math.sqrt(2))
    return one / math.sqrt(2 * math.sqrt(math.pi) * WIDTH)


def falls(losses: NDArray[Any], sigma: float) -> bool:
    """Whether the loss gets below its beginning by a clear share, and by more than chance would make it."""
    if len(losses) == 0:
        return False
    began = float(losses[: max(1, len(losses) // 5)].min())
    return began - float(losses.min()) > max(FALLS * began, 3 * sigma)


def valley(losses: NDArray[Any]) -> int:
    """Half the way down the longest decreasing subsequence: fastai's default (fastai/callback/schedule.py)."""
    length = np.ones(len(losses), int)
    for number in range(1, len(losses)):
        above = length[:number][losses[:number] > losses[number]]
        length[number] = 1 + (above.max() if len(above) else 0)
    end = int(length.argmax())
    start = max(0, end - int(length[end]))
    section = (end - start) / 3
    return start + int(section) + int(section / 2)


def steepest(losses: NDArray[Any]) -> int:
    """Where the loss falls fastest over log rate, on the way down to its lowest."""
    down = np.gradient(losses)[: max(2, int(losses.argmin()) + 1)]
    return int(down.argmin())


def conclude(sweeps: tuple[RateSweep, ...], spec: Spec) -> RateRange:
    own = highest_rate(spec)
    found = [rate for sweep in sweeps for rate in sweep.suggestions().values()]
    low, high = (min(found), max(found)) if found else (None, None)
    return RateRange(digest(spec), sweeps, low, high, own, say(low, high, own, begins(sweeps)))


def highest_rate(spec: Spec) -> float:
    steps = steps_per_epoch(training_size(spec), spec.training.batch_size)
    return float(spec.rates(steps).max())


def begins(sweeps: Sequence[RateSweep]) -> float:
    return statistics.fmean(sweep.losses[0] for sweep in sweeps if sweep.losses) if sweeps else math.nan


def say(low: float | None, high: float | None, own: float, loss: float = math.nan) -> str:
    """The result in one sentence."""
    if low is None or high is None:
        tried = f"from {rate_text(LOWEST)} to {HIGHEST:g} (it begins at {loss:.3g})"
        return f"the loss never falls, at no rate {tried}: the rate is not what is wrong; improve diagnose tells more"
    work = f"rates between {rate_text(low)} and {rate_text(high)} work"
    if low <= own <= high:
        return f"{work}; the spec's {own:g} is one of them"
    factor, side = (own / high, "high") if own > high else (low / own, "low")
    if factor < CLEAR:
        return f"{work}; the spec's {own:g} is at their edge"
    return f"{work}; the spec's {own:g} is {float(f'{factor:.2g}'):g} times too {side}"


def rate_text(rate: float) -> str:
    """One digit: more would be more than the test can tell."""
    mantissa, exponent = f"{rate:.0e}".split("e")
    return f"{mantissa}e{int(exponent)}" if rate < 0.01 else f"{float(f'{rate:.1g}'):g}"
