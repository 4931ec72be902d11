"""Signs: numbers that say something of a cause, without a scale of one data set. `SIGNS` holds all of them."""

from improve.diagnosis.signs import classes, generalization, labels, network, restraint, settings, start, steps
from improve.diagnosis.signs.sign import SIGNS, Sign, signs_of

__all__ = [
    "SIGNS",
    "Sign",
    "classes",
    "generalization",
    "labels",
    "network",
    "restraint",
    "settings",
    "signs_of",
    "start",
    "steps",
]
