"""What an export was: told to `on_export`, returned by `export_checkpoint`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional


@dataclass(frozen=True, eq=False, repr=False)
class ExportRecord:
    """One committed export.

    Attributes:
        prefix: str, the checkpoint prefix, as `tf.compat.v1.train.Saver.restore` takes it.
        epoch, batch: int counted from 1, or None outside of `fit`.
        logs: dict, the logs of the moment: floats, and lists of floats for metrics that give a vector.
        files: list of str, the paths of the files.
        size: int, their bytes.
        seconds: float, how long training waited.
        seconds_to_disk: float, how long it took until the files were complete; more than `seconds` where they were
            written while training went on.
        target: str, the oldest TensorFlow that reads it.
    """

    prefix: str
    epoch: Optional[int]
    batch: Optional[int]
    logs: Dict[str, Any]
    files: List[str]
    size: int
    seconds: float
    seconds_to_disk: float
    target: str

    def __repr__(self) -> str:
        when = f", epoch {self.epoch}" if self.epoch is not None else ""
        cost = f"{self.size / 1e6:.2f} MB in {self.seconds_to_disk:.2f} s"
        return f"<ExportRecord {self.prefix}{when}: {cost}, for TensorFlow {self.target}>"
