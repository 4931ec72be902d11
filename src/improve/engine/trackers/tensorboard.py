"""A run as TensorBoard's event files, in TensorBoard's own records; TensorFlow is not needed for them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from improve.runs.run import Run
from improve.spec.reading import yaml
from improve.spec.reading.flatten import scalar_settings

PARTS = ("train", "validation", "train_dev")
FOLDER, SUFFIX = "tensorboard", ".improve"  # the end of the name of each file


class TensorBoard:
    """Event files in the run folder's tensorboard/: in its root what the optimizer saw, one folder below for each part
    that is measured, so that TensorBoard draws `clean/error` of all of them in one figure."""

    name, package, install = "TensorBoard", "tensorboard", "tensorboard"

    def __init__(self) -> None:
        self.files: dict[str, EventFile] = {}

    def begin(self, run: Run) -> None:
        """What an earlier session wrote goes, and the whole history is written anew: of settings and of a status
        readers keep the first that they find, and not all of them drop steps that are written again."""
        self.folder = run.folder / FOLDER
        self.close()
        for part in ("", *PARTS):
            for file in (self.folder / part).glob(f"events.out.tfevents.*{SUFFIX}"):
                file.unlink()
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.plugins.text.summary_v2 import text_pb

        spec = "".join(f"    {line}\n" for line in yaml.write(run.spec).splitlines())  # Markdown's code
        self.write("", text_pb("spec", spec), 0)
        self.write("", hparams_pb(scalar_settings(run.spec), trial_id=run.name), 0)

    def log(self, rows: Sequence[dict[str, float]], times: Sequence[float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        for row, at in zip(rows, times, strict=True):
            for column, value in row.items():
                if column != "epoch":
                    part, tag = place(column)
                    scalar = Summary.Value(tag=tag, simple_value=value)
                    self.write(part, Summary(value=[scalar]), int(row["epoch"]), at)

    def end(self, run: Run) -> None:
        if (run.folder / "curves.png").is_file():
            self.write("", picture("curves", run.folder / "curves.png"), len(run.history))
        self.write("", session_end(run.status == "finished"), 0)
        self.close()

    def write(self, part: str, summary: Any, step: int, at: float | None = None) -> None:
        if part not in self.files:
            self.files[part] = EventFile(self.folder / part)
        self.files[part].add(step, at, summary=summary)

    def close(self) -> None:
        for file in self.files.values():
            file.stream.close()
        self.files = {}


class EventFile:
    """One more event file in `folder`. Not TensorBoard's EventFileWriter: its thread ends in a traceback where the disk
    is full, it brings TensorFlow along where there is one, and the names that it gives follow the clock."""

    def __init__(self, folder: Path):
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        self.stream = (folder / f"events.out.tfevents.{time.time_ns()}{SUFFIX}").open("xb", buffering=0)
        self.records = RecordWriter(self.stream)
        self.add(0, file_version="brain.Event:2")
        self.add(0, session_log=SessionLog(status=SessionLog.START))  # who looks on drops what was there

    def add(self, step: int, at: float | None = None, **what: Any) -> None:
        """`at`: seconds since 1970; now unless given."""
        from tensorboard.compat.proto.event_pb2 import Event

        self.records.write(Event(wall_time=at or time.time(), step=step, **what).SerializeToString())


def place(column: str) -> tuple[str, str]:
    """The folder and the tag of a column of metrics.csv: those of the parts share their tags."""
    for part in PARTS:
        for measure in ("error", "cross_entropy"):
            if column == f"{part}_{measure}":
                return part, f"clean/{measure}"
    return "", column


def picture(tag: str, file: Path) -> Any:
    """A PNG file as TensorBoard's image plugin has it: width, height and bytes in one tensor."""
    from PIL import Image
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.image.metadata import create_summary_metadata
    from tensorboard.util.tensor_util import make_tensor_proto

    with Image.open(file) as image:
        sizes = [str(length).encode() for length in image.size]
    about = create_summary_metadata(display_name=None, description=None)
    value = Summary.Value(tag=tag, metadata=about, tensor=make_tensor_proto([*sizes, file.read_bytes()]))
    return Summary(value=[value])


def session_end(finished: bool) -> Any:
    """The summary that ends a run in TensorBoard's table; the package's own function for it imports TensorFlow."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = api_pb2.STATUS_SUCCESS if finished else api_pb2.STATUS_FAILURE
    ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=ended))
    value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
    return Summary(value=[value])
