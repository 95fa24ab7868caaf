"""What a model was compiled with: of a training config, as HDF5 files and SavedModels have it."""

import warnings

# Metrics that `compile` chooses by the shapes of outputs.
CHOSEN_BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")


def compile_model(model, config, keras):
    """Compiles a model as a training config says, with an optimizer whose variables exist.

    Args:
        model: a Keras model.
        config: dict.
        keras: the module of the model's Keras. The custom objects are in its scope.
    """
    model.compile(
        optimizer=keras.optimizers.deserialize(config["optimizer_config"]),
        loss=_deserialized(keras.losses.deserialize, config.get("loss")),
        metrics=_deserialized(keras.metrics.deserialize, config.get("metrics")),
        weighted_metrics=_deserialized(keras.metrics.deserialize, config.get("weighted_metrics")),
        loss_weights=config.get("loss_weights"),
    )
    # Those of tf.keras up to TensorFlow 2.10 make their variables when they need them.
    if hasattr(model.optimizer, "build") and model.built:
        model.optimizer.build(model.trainable_variables)


def choose_metrics_again(model, config, keras):
    """Compiles a model of an HDF5 file anew where Keras 2 has chosen, while it loaded the file, what "accuracy" is.

    It takes outputs for targets then, and chooses `categorical_accuracy` where targets are sparse; once it is compiled
    anew, it chooses by the data.

    Args:
        model: a compiled Keras model.
        config: dict, the training config of the file.
        keras: the module of the model's Keras. The custom objects are in its scope.
    """
    metrics, weighted = config.get("metrics"), config.get("weighted_metrics")
    if hasattr(model, "compiled_metrics") and _names(metrics) + _names(weighted):
        model.compile(
            optimizer=model.optimizer,
            loss=model.loss,
            metrics=_deserialized(keras.metrics.deserialize, metrics),
            weighted_metrics=_deserialized(keras.metrics.deserialize, weighted),
            loss_weights=config.get("loss_weights"),
        )


def _names(config):
    """The metrics in a nest of configs that are chosen by shape."""
    if isinstance(config, str):
        return [config] if config in CHOSEN_BY_SHAPE else []
    if isinstance(config, dict):
        config = () if "class_name" in config else config.values()
    return [name for part in config or () for name in _names(part)]


def _deserialized(deserialize, config):
    """Losses or metrics as `compile` takes them, of a nest of configs."""
    if config is None or config in CHOSEN_BY_SHAPE:
        return config
    if isinstance(config, str):
        return _of_name(deserialize, config)
    if isinstance(config, dict) and "class_name" in config:
        return deserialize(config)
    if isinstance(config, dict):
        return {name: _deserialized(deserialize, value) for name, value in config.items()}
    return [_deserialized(deserialize, value) for value in config]


def _of_name(deserialize, name):
    """What a name stands for, where it is none of Keras's own: of those, `compile` makes metrics of that very name."""
    try:
        found = deserialize(name)
    # Short names, such as "mse", are known to `compile` of Keras 3, and not to its `deserialize`.
    except ValueError:
        return name
    roots = [getattr(value, "__module__", None) or "" for value in (found, deserialize)]
    return name if len({root.split(".")[0] for root in roots}) == 1 else found


def load_hdf5_of_keras_3(file, keras, custom_objects, training, **options):
    """The model of an HDF5 file of Keras 3, with its optimizer's state.

    Keras's own loader builds the optimizer for the variables of the model without those of its layers, and loses the
    state; such an optimizer makes no step.
    """
    model = keras.models.load_model(file.path, custom_objects=custom_objects, compile=False, **options)
    if training and file.training:
        with keras.utils.custom_object_scope(custom_objects):
            compile_model(model, file.training, keras)
        values = optimizer_values(file.path)
        if values:
            model.optimizer.load_own_variables({str(i): value for i, value in enumerate(values)})
    return model


def optimizer_values(path):
    """The values of the optimizer's variables in an HDF5 file, a list of arrays in the optimizer's order."""
    import h5py
    import tensorflow as tf

    with tf.io.gfile.GFile(path, "rb") as stored, h5py.File(stored, "r") as file:
        if "optimizer_weights" not in file:
            return []
        group = file["optimizer_weights"]
        return [group[name][()] for name in _weight_names(group)]


def _weight_names(group):
    # Long lists are stored in parts: weight_names0, weight_names1, ...
    parts = [key for key in group.attrs if key.startswith("weight_names")]
    for key in sorted(parts, key=lambda key: int(key[len("weight_names") :] or 0)):
        for name in group.attrs[key]:
            yield name.decode("utf-8") if isinstance(name, bytes) else name


def warn_of_lost_state(model, file, keras):
    """Warns where Keras left the optimizer's state in the HDF5 file, of which it only writes a line to its log."""
    values, steps = optimizer_values(file.path), getattr(getattr(model, "optimizer", None), "iterations", None)
    if not values or steps is None:
        return
    stored = {int(value) for value in values if value.shape == () and value.dtype.kind in "iu"}
    if stored and int(keras.backend.get_value(steps)) not in stored:
        warnings.warn(
            f"The optimizer's state in {file.path!r} does not fit the optimizer that this Keras makes of it; the "
            "export begins with a new state. To keep it, convert the file beside the TensorFlow that wrote it.",
            stacklevel=2,
        )
