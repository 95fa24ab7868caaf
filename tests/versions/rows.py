"""The versions of TensorFlow that are tried as writers, each with the Kerases that come with it."""

from dataclasses import dataclass
from typing import List, Tuple

OLD_PROTOBUF = "protobuf<3.21"
GRAPH, EAGER = "graph", "eager"


@dataclass(frozen=True)
class Row:
    """A minor version of TensorFlow.

    Attributes:
        tensorflow: str, "2.10".
        python: str, the Python that runs it.
        requirements: list of str, what is installed.
        ways: list of pairs, a module of Keras and how it runs.
    """

    tensorflow: str
    python: str
    requirements: List[str]
    ways: List[Tuple[str, str]]

    def names(self):
        """One name for each way."""
        return [f"{self.tensorflow}-{keras}-{mode}" for keras, mode in self.ways]


_TF1 = [("tf.keras", GRAPH)]
_TF2 = [("tf.keras", EAGER), ("tf.keras", GRAPH)]
_KERAS_3 = [("keras", EAGER), ("tf_keras", EAGER), ("tf_keras", GRAPH)]


def _cpu(version, *more):
    return ["tensorflow-cpu==" + version, *more]


ROWS = [
    Row("1.14", "3.7", ["tensorflow==1.14.0", OLD_PROTOBUF, "numpy<1.17", "h5py<3"], _TF1),
    Row("1.15", "3.7", ["tensorflow==1.15.5", OLD_PROTOBUF, "numpy<1.19", "h5py<3"], _TF1),
    Row("2.0", "3.7", ["tensorflow==2.0.4", OLD_PROTOBUF, "numpy<1.19", "h5py<3"], _TF2),
    Row("2.1", "3.7", _cpu("2.1.4", OLD_PROTOBUF, "numpy<1.19", "h5py<3"), _TF2),
    Row("2.2", "3.7", _cpu("2.2.3", OLD_PROTOBUF, "h5py<3"), _TF2),
    Row("2.3", "3.7", _cpu("2.3.4", OLD_PROTOBUF), _TF2),
    Row("2.4", "3.8", _cpu("2.4.4", OLD_PROTOBUF), _TF2),
    Row("2.5", "3.8", _cpu("2.5.3", OLD_PROTOBUF), _TF2),
    Row("2.6", "3.8", _cpu("2.6.5", OLD_PROTOBUF, "keras<2.7"), _TF2),
    Row("2.7", "3.9", _cpu("2.7.4", OLD_PROTOBUF, "numpy<2"), _TF2),
    Row("2.8", "3.9", _cpu("2.8.4", OLD_PROTOBUF, "numpy<2"), _TF2),
    Row("2.9", "3.9", _cpu("2.9.3", "numpy<2"), _TF2),
    Row("2.10", "3.9", _cpu("2.10.1", "numpy<2"), _TF2),
    Row("2.11", "3.9", _cpu("2.11.1", "numpy<2"), _TF2),
    Row("2.12", "3.11", _cpu("2.12.1"), _TF2),
    Row("2.13", "3.11", _cpu("2.13.1"), _TF2),
    Row("2.14", "3.11", _cpu("2.14.1"), _TF2),
    Row("2.15", "3.11", _cpu("2.15.1"), _TF2),
    Row("2.16", "3.11", _cpu("2.16.2", "keras==3.0.5", "tf_keras==2.16.*"), _KERAS_3),
    # Before 2.19 tf_keras makes no layer in Python 3.12.
    Row("2.17", "3.11", _cpu("2.17.1", "keras==3.4.1", "tf_keras==2.17.*"), _KERAS_3),
    Row("2.18", "3.11", _cpu("2.18.1", "keras==3.6.0", "tf_keras==2.18.*"), _KERAS_3),
    Row("2.19", "3.12", _cpu("2.19.1", "keras==3.9.2", "tf_keras==2.19.*"), _KERAS_3),
    Row("2.20", "3.13", _cpu("2.20.0", "keras==3.11.3", "tf_keras==2.20.*"), _KERAS_3),
    Row("2.21", "3.13", _cpu("2.21.0", "keras", "tf_keras==2.21.*"), _KERAS_3),
]
