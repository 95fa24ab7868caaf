"""The exceptions of the package.

    GenSynthExportError
     ├── InvalidArgumentError (ValueError)        an argument that no export could use
     ├── UnknownTemplateKeyError (KeyError)       `filepath` names a key that `logs` does not have
     ├── UnsupportedBackendError (RuntimeError)   the model runs on a backend of which no export can be made
     ├── UnsupportedStrategyError (RuntimeError)  the model trains under a tf.distribute strategy that is not known
     ├── CompanionError (RuntimeError)            the process that exports models of JAX and Torch has ended
     ├── NotBuiltError (ValueError)               the shapes of the model's inputs are not known yet
     ├── UnsupportedModelError (ValueError)       the model holds what no TensorFlow 1.x graph can hold
     │    └── UnsupportedOpError                  ... one op, in one layer, for one target
     ├── DefectError (RuntimeError)               something went wrong in this package
     ├── CheckpointMismatchError (ValueError)     a checkpoint and a model do not fit each other
     ├── CheckpointFormatError (ValueError)       a file is missing, truncated or of another kind
     ├── VerificationError (ValueError)           a checkpoint, reloaded, is not what it should be
     ├── CheckpointWriteError (OSError)           the files could not be written
     │    └── FolderInUseError                    ... since another process writes the same exports
     ├── ModelFileError (ValueError)              a model file is missing, truncated or of another kind
     │    ├── MissingCustomObjectError            ... needs classes or functions that are not there
     │    └── UnsafeModelFileError                ... holds code, which is run only where that is asked for
     ├── MissingKerasError (ImportError)          the Keras that wrote a model file is not installed
     └── MissingExtraError (ImportError)          what an optional feature needs is not installed

Every message says what was received, what was expected and how to mend it.
"""

import contextlib


class GenSynthExportError(Exception):
    """Root of the package's exceptions."""


class InvalidArgumentError(GenSynthExportError, ValueError):
    """An argument has a value that no export could use."""


class UnknownTemplateKeyError(GenSynthExportError, KeyError):
    """`filepath` holds a template key that is neither `epoch`, `batch` nor in `logs`."""

    def __str__(self):
        # KeyError shows the repr of its argument, which would hide line breaks and quotes.
        return str(self.args[0]) if self.args else ""


class UnsupportedBackendError(GenSynthExportError, RuntimeError):
    """The model runs on a backend of which no export can be made."""


class UnsupportedStrategyError(GenSynthExportError, RuntimeError):
    """The model trains under a `tf.distribute` strategy whose values cannot be exported."""


class CompanionError(GenSynthExportError, RuntimeError):
    """The process that exports models of Keras on JAX or Torch could not be started, or has ended."""


class NotBuiltError(GenSynthExportError, ValueError):
    """The model has never been built or called, so the shapes of its inputs are unknown."""


class UnsupportedModelError(GenSynthExportError, ValueError):
    """The model holds something that a TensorFlow 1.x graph cannot hold."""


class UnsupportedOpError(UnsupportedModelError):
    """An op of the model does not exist, or not in this form, in the target."""


class DefectError(GenSynthExportError, RuntimeError):
    """Something went wrong in keras-gensynth-callback itself; the message asks to report it."""

    def __init__(self, what):
        super().__init__(f"{what} This is a defect of keras-gensynth-callback; please report it with the model.")


@contextlib.contextmanager
def named_as_defects(what):
    """What is raised inside and is no error of this package becomes a DefectError, of which it is the cause.

    Args:
        what: str, what failed.
    """
    try:
        yield
    except GenSynthExportError:
        raise
    except Exception as error:
        raise DefectError(f"{what}: {type(error).__name__}: {error}.") from error


class CheckpointMismatchError(GenSynthExportError, ValueError):
    """The variables of a checkpoint and of a model differ in name or shape."""


class CheckpointFormatError(GenSynthExportError, ValueError):
    """A checkpoint file is missing, truncated or of another kind."""


class VerificationError(GenSynthExportError, ValueError):
    """A checkpoint does not load in a clean interpreter, or is not what it should be."""


class CheckpointWriteError(GenSynthExportError, OSError):
    """A checkpoint could not be written."""


class FolderInUseError(CheckpointWriteError):
    """Another process writes exports of the same name to the same folder."""


class ModelFileError(GenSynthExportError, ValueError):
    """A model file is missing, truncated, of another kind, or has weights alone."""


class MissingCustomObjectError(ModelFileError):
    """The model in a file needs classes or functions that are neither Keras's nor given."""


class UnsafeModelFileError(ModelFileError):
    """A model file holds code, which is run only where that is asked for."""


class MissingKerasError(GenSynthExportError, ImportError):
    """The Keras that wrote a model file is not installed."""


class MissingExtraError(GenSynthExportError, ImportError):
    """What an optional feature of the package needs is not installed."""
