"""curves.png of a run, as it grows."""

from __future__ import annotations

import time
from pathlib import Path

from improve import figure
from improve.engine.training.checkpoint import Checkpoints
from improve.engine.training.history import History

FIRST = 2.0  # seconds before the first one, and after it: it loads matplotlib, so what it took says nothing
SHARE = 20.0  # times what a drawing took pass before the next one: a tenth of a second is long for a short epoch


class Curves:
    """Drawn after every epoch, or as often as takes a twentieth of the time; the end of a run is always drawn."""

    def __init__(self, folder: Path, history: History, checkpoints: Checkpoints):
        self.file, self.history, self.checkpoints = folder / "curves.png", history, checkpoints
        self.epoch, self.next = 0, time.monotonic() + FIRST  # the last that is drawn; monotonic seconds

    def epoch_ended(self) -> None:
        if time.monotonic() >= self.next:
            self.draw()

    def ended(self) -> None:
        if self.history.rows and self.history.epoch != self.epoch:
            self.draw()

    def draw(self) -> None:
        began, history = time.monotonic(), self.history
        human_error = history.spec.diagnosis.human_error
        figure.draw_curves(self.file, history.rows, history.best, human_error, self.checkpoints.changes)
        now = time.monotonic()
        self.next = now + (SHARE * (now - began) if self.epoch else FIRST)
        self.epoch = history.epoch
