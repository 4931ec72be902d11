"""What the case study claims, each checked on the numbers of its runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from case_study_numbers import (
    DRAWS,
    birds,
    error,
    labellers,
    optimism,
    percent,
    points,
    rate,
    same_images,
    standard_error,
    trials,
)
from improve.diagnosis.diagnose import diagnose, diagnose_numbers
from improve.runs.run import Run, load_run
from improve.spec.datasets.peacetopia.source import Peacetopia
from improve.statistics.intervals import difference

MOST_BYTES, MOST_SECONDS = 300_000, 0.1  # what the council allows


class Claim(NamedTuple):
    holds: bool
    says: str


def feasible(run: Run) -> bool:
    return run.summary.model_bytes <= MOST_BYTES and run.summary.seconds_per_image <= MOST_SECONDS


def one_number(runs: Path) -> Claim:
    """Feasible first, then the lowest error."""
    candidates = [load_run(runs / name) for name in ("tiny", "both", "large")]
    best = min(candidates, key=error)
    chosen = min(filter(feasible, candidates), key=error, default=best)
    says = (
        f"{best.name} errs least ({percent(error(best))}) but takes {best.summary.model_bytes / 1e6:.1f} MB; of "
        f"those that may be built {chosen.name} errs least ({percent(error(chosen))})"
    )
    return Claim(best.name == "large" and chosen.name == "both", says)


def split(runs: Path) -> Claim:
    """1 % is plenty of ten million images and far too little of six thousand."""
    few, many = standard_error(0.05, 60), standard_error(0.05, 100_000)
    says = f"an error of 5 % is known to ± {196 * few:.1f} points from 60 images, to ± {196 * many:.2f} from 100,000"
    return Claim(1.96 * few > 0.05 and 1.96 * many < 0.002, says)


def may_train(runs: Path) -> Claim:
    """Citizens' photos in the training set lower the error where it counts."""
    alone, both = load_run(runs / "camera"), load_run(runs / "both")
    seen = same_images(both, alone)
    says = (
        f"{percent(error(alone))} with camera images alone, {percent(error(both))} with photos as well: "
        f"{100 * seen.value:+.1f} points {points(seen.low, seen.high)}, McNemar p = {seen.p:.2g}"
    )
    return Claim(seen.told_apart and seen.value < 0, says)


def may_not_test(runs: Path) -> Claim:
    """The error on a mixture with photos is lower than the error on what counts."""
    both = load_run(runs / "both")
    mixed, counts = rate(both, "train_dev"), rate(both)
    low, high = difference(counts, mixed)
    says = (
        f"new images of the mixture: {percent(mixed.value)}; camera images: {percent(counts.value)}. A test set with "
        f"photos in it would promise {100 * (counts.value - mixed.value):.1f} points {points(low, high)} too much"
    )
    return Claim(low > 0, says)


def human_level(runs: Path) -> Claim:
    """The same two errors are too high, or as good as can be, or not to be told."""
    known = "train=4% validation=4.5% n=250000"
    found = [diagnose_numbers(f"{human}{known}").verdict for human in ("", "human=0.3% ", "human=3.8% ")]
    says = f"4.0 and 4.5 %: {found[0]} without a human level, {found[1]} at 0.3 %, {found[2]} at 3.8 %"
    return Claim(found == ["not_enough_evidence", "high_bias", "ok"], says.replace("_", " "))


def bare_numbers(runs: Path) -> Claim:
    """Three rungs of the ladder, each with its own remedy."""
    measured = (
        "train=2% validation=2.1% target=0.5%",
        "train=2% validation=2.1% test=7%",
        "train=0.05% validation=0.05%",
    )
    found = [diagnose_numbers(f"human=0.1% {numbers} n=250000") for numbers in measured]
    verdicts, below = [one.verdict for one in found], any("below the human level" in note for note in found[2].notes)
    says = f"2.0 and 2.1 %: {verdicts[0]}; 7.0 % on the test set: {verdicts[1]}; 0.05 and 0.05 %: {verdicts[2]}"
    right = verdicts == ["high_bias", "validation_overfit", "ok"]
    return Claim(right and below, f"human 0.1 %; {says}, below the human level".replace("_", " "))


def bayes(runs: Path) -> Claim:
    """Nobody is below the Bayes error; the best people come close."""
    source, table = Peacetopia(), labellers()
    best = min(measured.value for _, _, measured in table)
    says = f"the best labeller errs on {100 * best:.2f} %, the Bayes error is {100 * source.bayes_error:.2f} %"
    return Claim(0 < source.bayes_error < min(planted for _, planted, _ in table), says)


def mismatch(runs: Path) -> Claim:
    """Photos alone: what is lost is not variance."""
    photos = load_run(runs / "photos")
    found = diagnose(photos)
    gap, variance = (found.gaps.data_mismatch, found.gaps.variance) if found.gaps else (None, None)
    assert gap is not None
    assert variance is not None
    says = (
        f"verdict {found.verdict.replace('_', ' ')}: {100 * gap.value:.1f} points {points(gap.low, gap.high)} are lost "
        f"from photos to cameras, {100 * variance.value:.1f} from photos to other photos"
    )
    return Claim(found.verdict == "data_mismatch" and gap.low > 0.1 and gap.low > variance.high, says)


def mended(runs: Path) -> Claim:
    """Camera images in the training set close the gap."""
    photos, both = load_run(runs / "photos"), load_run(runs / "both")
    seen = same_images(both, photos)
    says = (
        f"{percent(error(photos))} → {percent(error(both))}: {100 * seen.value:+.1f} points "
        f"{points(seen.low, seen.high)}"
    )
    return Claim(seen.high < -0.1, says)


def variance(runs: Path) -> Claim:
    """Few camera images alone: no mismatch, but variance."""
    found = diagnose(load_run(runs / "camera"))
    gap = found.gaps.variance if found.gaps else None
    assert gap is not None
    says = f"verdict {found.verdict.replace('_', ' ')}: {100 * gap.value:.1f} points {points(gap.low, gap.high)}"
    return Claim(found.verdict == "high_variance", says)


def overfitted(runs: Path) -> Claim:
    """The best of many by few validation images is not as good as they say."""
    tried = trials(runs)
    best = min(tried, key=error)
    mean = [sum(error(run, part) for run in tried) / len(tried) for part in ("validation", "test")]
    promised = optimism(tried, best.summary.validation.n)
    says = (
        f"the best of {len(tried)} errs on {percent(error(best))} of {best.summary.validation.n} validation "
        f"images, on {percent(error(best, 'test'))} of {rate(best, 'test').n:,} test images; all of them on "
        f"{percent(mean[0])} and {percent(mean[1])} on average: how hard these {best.summary.validation.n} "
        f"happen to be. Over {DRAWS:,} draws of so many test images, the best by them promises {100 * promised:.1f} "
        "points too much on average, by the choice among trials alone"
    )
    return Claim(error(best, "test") - error(best) >= 0.05 and promised >= 0.02, says)


def metric(runs: Path) -> Claim:
    """Retuned for the cost: fewer birds are missed, though more skies are wrong."""
    names = ("both", "missed", "retuned")
    by_error, by_cost, retuned = (birds(load_run(runs / name)) for name in names)
    says = (
        f"chosen by the error, it {by_error.says}; the same training chosen by the cost {by_cost.says}; retuned "
        f"{retuned.says}"
    )
    errors = [error(load_run(runs / name)) for name in names]
    cheaper = retuned.cost.cost_high < by_error.cost.cost_low and retuned.cost.cost <= by_cost.cost.cost
    return Claim(retuned.missed < by_error.missed / 2 and errors[2] > errors[0] and cheaper, says)


def species(runs: Path) -> Claim:
    """A new species comes: judged by a validation set that has it, the system fails; images of it mend that."""
    before, after = load_run(runs / "species"), load_run(runs / "species_known")
    seen, verdict = same_images(after, before), diagnose(before).verdict
    says = (
        f"known species {percent(error(before, 'train_dev'))}, with the new one {percent(error(before))} "
        f"({verdict.replace('_', ' ')}); with images of it in training {percent(error(after))}: "
        f"{100 * seen.value:+.1f} points {points(seen.low, seen.high)}"
    )
    return Claim(verdict == "data_mismatch" and seen.high < -0.05, says)


def iteration(runs: Path) -> Claim:
    """A fifth of the images tells the same candidate. The time is told and not judged: machines are noisy."""
    whole, quick = [[load_run(runs / f"{kind}{name}") for name in ("tiny", "both")] for kind in ("", "quick_")]
    same = (error(whole[0]) > error(whole[1])) == (error(quick[0]) > error(quick[1]))
    seconds = [sum(run.summary.seconds for run in pair) for pair in (whole, quick)]
    says = (
        f"all images: {percent(error(whole[0]))} against {percent(error(whole[1]))} in {seconds[0]:.0f} s; a fifth of "
        f"them: {percent(error(quick[0]))} against {percent(error(quick[1]))} in {seconds[1]:.0f} s"
    )
    return Claim(same, says)


CLAIMS: dict[str, Callable[[Path], Claim]] = {
    claim.__name__: claim
    for claim in (
        one_number, split, may_train, may_not_test, human_level, bare_numbers, bayes, mismatch, mended, variance,
        overfitted, metric, species, iteration,
    )
}  # fmt: skip
