"""Whether the TensorFlow that is imported has what the package needs of it."""

from keras_gensynth_callback.errors import UnsupportedBackendError


def check_tensorflow():
    """Imports TensorFlow.

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
