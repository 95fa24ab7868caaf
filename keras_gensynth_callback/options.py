"""What an export is to be, and the moment that it is of: each checked once, and handed on as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Optional

from keras_gensynth_callback.arguments import (
    check_bool,
    check_compute_dtype,
    check_data_format,
    check_graph,
    check_input_signature,
    check_optional_count,
    check_target,
)

if TYPE_CHECKING:
    from keras_gensynth_callback._types import ComputeDtype, DataFormat, Graph, Nest, Target


@dataclass(frozen=True, eq=False)
class ExportOptions:
    """What an export is to be. `export_checkpoint` says what each of them means.

    Raises:
        InvalidArgumentError: for a value that no export could use.
    """

    target: Target = "1.15"
    graph: Graph = "trainable"
    include_optimizer: bool = True
    input_signature: Nest = None
    compute_dtype: ComputeDtype = None
    data_format: DataFormat = "channels_last"
    verify: bool = False

    def __post_init__(self) -> None:
        check_target(self.target)
        check_graph(self.graph)
        check_bool("include_optimizer", self.include_optimizer)
        check_input_signature(self.input_signature)
        check_compute_dtype(self.compute_dtype)
        check_data_format(self.data_format)
        check_bool("verify", self.verify)

    @property
    def is_trainable(self) -> bool:
        """Whether the graph is for training, too."""
        return self.graph == "trainable"


@dataclass(frozen=True, eq=False)
class Moment:
    """When an export is due.

    Attributes:
        epoch, batch: int counted from 1, or None outside of `fit`.
        logs: dict of floats and of lists of floats.
        is_best: bool, whether it is the best export so far.
    """

    epoch: Optional[int] = None
    batch: Optional[int] = None
    logs: Dict[str, Any] = field(default_factory=dict)
    is_best: bool = False

    def __post_init__(self) -> None:
        check_optional_count("epoch", self.epoch)
        check_optional_count("batch", self.batch)
        check_bool("is_best", self.is_best)
