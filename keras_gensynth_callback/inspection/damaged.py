"""What goes wrong while somebody else's checkpoint is read is told as an error of the checkpoint."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Iterator

import tensorflow as tf
from google.protobuf.message import EncodeError

from keras_gensynth_callback.errors import CheckpointFormatError, GenSynthExportError

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Path

_FOR_A_REASON_OF_THE_INPUT = (
    ArithmeticError,
    AttributeError,
    EncodeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    tf.errors.OpError,
)


@contextlib.contextmanager
def told_if_damaged(*prefixes: Path) -> Iterator[None]:
    """Raises CheckpointFormatError for what no check foresaw.

    What is known to be wrong is found by `graph_checks` and `checkpoint.index_file`, which say it better. The first
    error stays its cause.

    Args:
        *prefixes: what is read, str or PathLike.
    """
    try:
        yield
    except GenSynthExportError:
        raise
    except _FOR_A_REASON_OF_THE_INPUT as error:
        read = " or ".join(repr(os.fspath(prefix)) for prefix in prefixes)
        raise CheckpointFormatError(
            f"The checkpoint {read} cannot be read: {type(error).__name__}: {str(error)[:300].rstrip('.')}. Its files "
            "are damaged, or hold what is not known here. Take another copy of them; if TensorFlow loads it, please "
            "report this."
        ) from error
