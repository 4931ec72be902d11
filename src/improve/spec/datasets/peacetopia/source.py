"""Skies over a city that wants to know where its birds are: drawn by a program."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, Strict, model_validator

from improve.images.array import Tick
from improve.lazy import np
from improve.spec.component import Fraction, ProperFraction, refusal
from improve.spec.datasets.base import Counts, Facts, Source, SourceComponent, no_tick
from improve.spec.datasets.peacetopia.labellers import bayes_error
from improve.spec.datasets.peacetopia.skies import skies

MOST_BYTES = 1 << 32  # drawn into memory

drawn = lru_cache(maxsize=6)(skies)  # several runs of one process look at the same skies

Some = Annotated[int, Strict(), Field(ge=0, le=10_000_000)]


class Peacetopia(SourceComponent):
    """Skies drawn by a program, with a bird or without: no_bird, bird. For experiments whose truth is known.

    camera: security cameras, what counts: haze, pale colours, coarse, small birds anywhere, a roof in view. citizen:
    photos that people send: sharper, in colour, larger things nearer to the middle. Planes, kites, leaves and balloons
    fly in both, half of them as dark as birds. Known birds are dark and beat bent wings; the new species is pale and
    glides on straight ones.

    Nobody can be perfect: a share `hidden` of the birds is behind a cloud, and such an image is drawn exactly as one
    without a bird. So the Bayes error is min(birds · hidden, 1 − birds), 0.2 % as it stands; haze and noise can only
    add to it. People's error rates, simulated (nobody was asked): team of experts 0.3 %, expert 0.5 %, resident 1.0 %,
    resident in a hurry 1.2 %. The best of them stands for the Bayes error: `diagnosis: {human_error: 0.3%}`.

    `images` are divided by data.split; with `validation` and `test` there are sets of their own beside them, which
    stay the same whatever `images` is (split: own). 10,000 images take about three seconds.
    """

    name: Literal["peacetopia"] = "peacetopia"
    title: ClassVar[str] = "peacetopia"
    mirrored_is_the_same = True
    human_level = 0.003, "a simulated team of experts"
    class_names: ClassVar[tuple[str, str]] = ("no_bird", "bird")

    domain: Literal["camera", "citizen"] = Field("camera", description="security cameras, or citizens' photos")
    images: Annotated[Some, Field(ge=1)] = Field(4000, description="how many, beside validation and test")
    validation: Some = Field(0, description="that many more as its own validation set")
    test: Some = Field(0, description="that many more as its own test set")
    birds: Annotated[ProperFraction, Field(gt=0)] = Field(0.5, description="share of images with a bird")
    new_species: Fraction = Field(0.0, description="share of the birds that are of the new species")
    hidden: Fraction = Field(0.004, description="share of the birds that are behind a cloud")
    size: Annotated[int, Strict(), Field(ge=16, le=256)] = Field(32, description="pixels, height and width")
    seed: Annotated[int, Strict(), Field(ge=0, lt=2**31)] = Field(0, description="other images for another number")

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Peacetopia:
        if self.counts.total * 3 * self.size**2 > MOST_BYTES:
            raise refusal(
                f"{self.counts.total:,} images of {self.size}×{self.size} pixels are more than 4 GB",
                "take fewer or smaller ones",
            )
        return self

    @property
    def label(self) -> str:
        return f"{self.title} {self.domain}"

    @property
    def own_split(self) -> Any:
        return "own" if self.validation else super().own_split

    @property
    def counts(self) -> Counts:
        return Counts(self.images, self.validation, self.test)

    @property
    def bayes_error(self) -> float:
        return bayes_error(self.birds, self.hidden)

    def facts(self) -> Facts:
        return Facts(self.counts, (self.size, self.size, 3), len(self.class_names))

    def load(self, tick: Tick = no_tick) -> Source:
        settings = (self.domain, self.birds, self.hidden, self.new_species, self.size, self.seed)
        parts = [drawn(count, *settings, part) for part, count in enumerate(self.counts) if count]
        labels = [part.labels for part in parts]
        found = f"drawn ({self.domain}, seed {self.seed})"
        return Source(
            tuple(part.images for part in parts), np.concatenate(labels), self.counts, self.class_names, found
        )
