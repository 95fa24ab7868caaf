"""SavedModels that Keras 2 wrote: the configs in them."""

import os

import tensorflow as tf
from google.protobuf.message import DecodeError

from keras_gensynth_callback.checkpoint import list_tensors, read_tensors
from keras_gensynth_callback.errors import CheckpointFormatError, ModelFileError

from .bounds import check_content
from .configs import decoded

_KERAS_METADATA = "keras_metadata.pb"
_OF_TF_1 = os.path.join("assets", "saved_model.json")
# Numbers of fields in Keras's SavedMetadata and SavedObject.
_NODES, _NODE_METADATA = 1, 5


def read_saved_model(path):
    """What a SavedModel says: `(version, model, training, inputs)`, as ModelFile takes it.

    Raises:
        ModelFileError: it is truncated, or Keras did not write it.
    """
    written_by_tf_1 = os.path.join(path, _OF_TF_1)
    if tf.io.gfile.exists(written_by_tf_1):
        config = _json(path, _bytes(written_by_tf_1))
        return config.get("keras_version", "2"), config, None, None
    root = _json(path, _root_metadata(path))
    inputs = _spec(root.get("save_spec"))
    return root.get("keras_version", "2"), root.get("model_config"), root.get("training_config"), inputs


def stored_values(path):
    """How many bytes of numbers the checkpoint of a SavedModel holds.

    Raises:
        ModelFileError: it says that it holds more than its files.
    """
    prefix = os.path.join(path, "variables", "variables")
    if not tf.io.gfile.exists(prefix + ".index"):
        return 0
    # TensorFlow's own reader, which Keras uses, ends the process where an entry or the length of a text is damaged.
    try:
        tensors = list_tensors(prefix)
        read_tensors(prefix, [name for name, tensor in tensors.items() if tensor.dtype == tf.string])
    except CheckpointFormatError as error:
        raise _truncated(path, str(error).rstrip(".")) from error
    content = sum(_size(tensor.shape) * tensor.dtype.size for tensor in tensors.values())
    check_content(path, content, sum(tf.io.gfile.stat(file).length for file in tf.io.gfile.glob(prefix + ".*")))
    return content


def _size(shape):
    result = 1
    for size in shape:
        result *= int(size)
    return result


def _spec(config):
    """The nest of tf.TensorSpec in a config of TypeSpecs, or None where there are others in it."""
    if isinstance(config, list):
        return [_spec(part) for part in config]
    if not isinstance(config, dict):
        return None
    if config.get("class_name") == "__tuple__":
        return tuple(_spec(config["items"]))
    if "class_name" not in config:
        return {name: _spec(part) for name, part in config.items()}
    if config.get("type_spec") != "tf.TensorSpec":
        return None
    parts = config["serialized"]  # a list up to TensorFlow 2.15, a tuple since
    shape, dtype = (parts["items"] if isinstance(parts, dict) else parts)[:2]
    return tf.TensorSpec(shape["items"], dtype)


def _root_metadata(path):
    """The JSON that Keras keeps of the model itself."""
    if tf.io.gfile.exists(os.path.join(path, _KERAS_METADATA)):
        return _first_metadata(path, _bytes(os.path.join(path, _KERAS_METADATA)))
    # Up to TensorFlow 2.4 it stands in the SavedModel.
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        graphs = saved_model_pb2.SavedModel.FromString(_bytes(os.path.join(path, "saved_model.pb"))).meta_graphs
    except DecodeError as error:
        raise _truncated(path, error) from error
    nodes = [node for graph in graphs for node in graph.object_graph_def.nodes[:1]]
    if not nodes or not nodes[0].user_object.identifier.startswith("_tf_keras_"):
        raise ModelFileError(
            f"The SavedModel {path!r} holds functions and weights, but not Keras's model: `model.export` of Keras 3 "
            "and `tf.saved_model.save` write such. Expected: a SavedModel that `model.save` of Keras 2 wrote. Where "
            "the model is still there, export it itself with `export_checkpoint(model, filepath)`, or save it with "
            "`model.save('net.keras')`; otherwise put a `keras.layers.TFSMLayer` of the folder into a model and export "
            "that."
        )
    return nodes[0].user_object.metadata


def _first_metadata(path, serialized):
    """The metadata of the root, which is the first node of the SavedMetadata."""
    # Read by hand, since each Keras 2 has the proto elsewhere, and none is imported yet.
    try:
        root = next(value for number, value in _fields(serialized) if number == _NODES)
        return next(value for number, value in _fields(root) if number == _NODE_METADATA)
    except (IndexError, StopIteration, ValueError) as error:
        raise _truncated(path, f"{_KERAS_METADATA} cannot be parsed") from error


def _fields(message):
    """The fields of a serialized proto, each as `(number, value)`."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            value, at = _varint(message, at)
        elif tag & 7 == 2:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(f"wire type {tag & 7}")
        if at > len(message):
            raise IndexError(at)
        yield tag >> 3, value


def _varint(message, at):
    value = 0
    for shift in range(0, 70, 7):
        value |= (message[at] & 0x7F) << shift
        at += 1
        if not message[at - 1] & 0x80:
            return value, at
    raise ValueError("a number of more than 10 bytes")


def _bytes(path):
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def _json(path, serialized):
    try:
        return decoded(serialized)
    except ValueError as error:
        raise _truncated(path, error) from error


def _truncated(path, error):
    return ModelFileError(f"The SavedModel {path!r} is truncated or damaged: {error}. Take another copy of it.")
