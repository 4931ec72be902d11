"""What every suite of worlds has: a spec that is edited, and a folder with its data, its nets.py and its runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from improve.runs import files

NETS = Path(__file__).parent / "nets.py"

Parts = dict[str, Any]


def merged(old: Any, new: Any) -> Any:
    """Mappings deep; a part with another name, or one that is only named, starts afresh."""
    if not isinstance(old, dict) or not isinstance(new, dict) or new.get("name", old.get("name")) != old.get("name"):
        return new
    return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}


class Workplace:
    """A world in which faults are put in. Its runs lie in `runs`."""

    @property
    def base(self) -> dict[str, Any]:
        """The sound spec, as plain data."""
        raise NotImplementedError

    @property
    def runs(self) -> Path:
        raise NotImplementedError

    @property
    def rate(self) -> float:
        return float(self.base["optimizer"]["learning_rate"])

    @property
    def epochs(self) -> int:
        return int(self.base["training"]["epochs"])

    @property
    def work(self) -> Path:
        """The data files, nets.py and the specs that are trained; no run."""
        return self.runs / ".work"

    def put(self, name: str, parts: Parts) -> None:
        """Write a data file, and nets.py beside it."""
        self.work.mkdir(parents=True, exist_ok=True)
        files.write_arrays(self.work / f"{name}.npz", parts)
        (self.work / NETS.name).write_bytes(NETS.read_bytes())
