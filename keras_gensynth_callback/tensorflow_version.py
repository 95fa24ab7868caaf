"""Whether the TensorFlow that is imported has what the package needs of it."""

import functools
import warnings

from keras_gensynth_callback.errors import UnsupportedBackendError

# The versions that docs/kerases.md has results of; written by `scripts/versions --write`.
TRIED = (
    "1.14",
    "1.15",
    "2.0",
    "2.1",
    "2.2",
    "2.3",
    "2.4",
    "2.5",
    "2.6",
    "2.7",
    "2.8",
    "2.9",
    "2.10",
    "2.11",
    "2.12",
    "2.13",
    "2.14",
    "2.15",
    "2.16",
    "2.17",
    "2.18",
    "2.19",
    "2.20",
    "2.21",
)


def check_tensorflow():
    """Imports TensorFlow, and warns once of a version that was not tried.

    Raises:
        UnsupportedBackendError: it is older than 1.14, the first with `tf.nest`.
    """
    import tensorflow as tf

    if not hasattr(tf, "nest"):
        raise UnsupportedBackendError(
            f"keras_gensynth_callback exports from TensorFlow 1.14 and later. Received: TensorFlow {tf.__version__}. "
            'Install TensorFlow 1.14 or 1.15, whose tf.keras runs the same programs; or save the model (`model.save("'
            'net.h5")`), and convert the file beside a newer TensorFlow: `convert_model_file("net.h5", "exports/net", '
            'target="1.13")`. TensorFlow 1.13 reads what is exported for that target without this package.'
        )
    warn_of_other_versions(".".join(tf.__version__.split(".")[:2]), tf.__version__)


@functools.lru_cache(maxsize=None)
def warn_of_other_versions(minor, version):
    """Warns, once, of a TensorFlow that the table of versions does not have."""
    if minor not in TRIED:
        warnings.warn(
            f"keras_gensynth_callback was not tried beside TensorFlow {version}, but beside {TRIED[0]} to {TRIED[-1]}. "
            "Compare an export with the model before you rely on it (`verify=True`), or install one of these versions.",
            stacklevel=4,
        )
