"""The packages that Keras has come in. Nothing is imported here."""

KERASES = ("keras", "tf_keras")


def of_framework(base):
    """Whether a class is one of a Keras, or of TensorFlow."""
    return base.__module__.split(".")[0] in (*KERASES, "tensorflow")
