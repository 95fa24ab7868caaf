"""The environments of the libraries, each made once in `.cache/libraries`: those that go together share one."""

from dataclasses import dataclass
from typing import List

from versions.environments import ALSO, python_in
from versions.environments import CACHE as _VERSIONS

CACHE = _VERSIONS.with_name("libraries")


@dataclass(frozen=True)
class Environment:
    """A Python with a TensorFlow and some libraries.

    Attributes:
        name: str, of its folder.
        python: str, "3.11".
        keras: str, the module of Keras that its models are of.
        requirements: list of str, what is installed.
    """

    name: str
    python: str
    keras: str
    requirements: List[str]

    def executable(self):
        """The path of its Python.

        Raises:
            NoEnvironmentError: it could not be made.
        """
        return python_in(CACHE / self.name, self.python, [*self.requirements, *ALSO])


ENVIRONMENTS = {
    environment.name: environment
    for environment in [
        Environment("transformers", "3.11", "tf_keras", ["tensorflow==2.19.1", "tf_keras==2.19.*", "transformers<5"]),
        Environment(
            "tf.keras",
            "3.10",
            "keras",
            [
                "tensorflow==2.15.1",
                "tf_keras<2.16",
                "deepctr==0.9.4",
                "keras-cv-attention-models==1.4.3",
                "keras-tcn==3.5.6",
                "larq==0.14.0",
                "pyparsing",  # which qkeras needs and does not name
                "qkeras==0.9.0",
                "segmentation-models==1.0.1",
                "spektral==1.3.1",
                "tensorflow-addons==0.23.0",
                "tensorflow-hub==0.16.1",
                "tensorflow-model-optimization==0.8.1",
                "tensorflow-probability==0.23.0",
                "tensorflow-ranking==0.5.5",
                "tensorflow-recommenders==0.7.7",
            ],
        ),
        Environment(
            "keras-3",
            "3.11",
            "keras",
            ["tensorflow==2.21.0", "keras-hub==0.32.0", "keras-tcn==3.5.6", "keras-tuner==1.4.8", "scikeras==0.13.0"],
        ),
    ]
}
