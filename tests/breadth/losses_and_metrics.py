"""How each class of `keras.losses` and `keras.metrics` gets into a model."""

import numpy as np
import tensorflow as tf

from .models import VECTOR, compiled, floats, integers, needs_arguments, one_hot, portions, scale

YES_OR_NO = integers(2, 1).astype("float32")
CLASSES = integers(3, 1)
ONE_HOT = one_hot(3)


def _model(keras, units=3, activation=None, x=VECTOR):
    # The first scale is there so that the gradient of the loss reaches more than one layer.
    inputs = keras.Input(x.shape[1:])
    return keras.Model(inputs, keras.layers.Dense(units, activation=activation, name="out")(scale(keras)(inputs)))


# Which output and which targets a class by that name expects; for all others: three numbers each.
_FORMS = (
    # (parts of names, units, activation, targets)
    (("SparseCategorical", "SparseTopK", "Generalized"), 3, "softmax", CLASSES[:, 0]),
    (("Categorical", "TopK", "KLDivergence"), 3, "softmax", ONE_HOT),
    (("Binary", "AUC", "Precision", "Recall", "Sensitivity", "Specificity", "False", "True"), 1, "sigmoid", YES_OR_NO),
    (("Poisson", "Logarithmic", "Percentage"), 3, "softplus", portions(3) + 0.5),
    (("FBeta", "F1", "OneHot", "Tversky"), 3, "softmax", ONE_HOT),
    (("Dice",), 3, "sigmoid", ONE_HOT),
)


def _form(name):
    return next((rest for parts, *rest in _FORMS if any(part in name for part in parts)), (3, None, floats(3, seed=4)))


# -- losses


def loss_recipe(row):
    """The recipe for a loss: from the table, or the default one if it needs no arguments; or None."""
    return LOSSES.get(row.name) or (None if needs_arguments(row.object) else _loss())


def _loss(**kwargs):
    def recipe(keras, cls):
        units, activation, y = _form(cls.__name__)
        return compiled(keras, _model(keras, units, activation), VECTOR, y, loss=cls(**kwargs))

    return recipe


def _own_loss(keras, cls):
    class Quartic(cls):
        def call(self, y_true, y_pred):
            return tf.reduce_mean((y_true - y_pred) ** 4, axis=-1)

    return compiled(keras, _model(keras), VECTOR, floats(3, seed=4), loss=Quartic(name="quartic"))


def _ctc(keras, cls):
    """Alignments: outputs of 6 steps over 4 classes, labels of 3; class 0 is the blank."""
    inputs = keras.Input((6, 4))
    model = keras.Model(inputs, keras.layers.Dense(4, name="out")(scale(keras)(inputs)))
    return compiled(keras, model, floats(6, 4), 1 + integers(3, 3), loss=cls())


def _circle(keras, cls):
    unit = lambda x: x / tf.sqrt(tf.reduce_sum(x**2, axis=-1, keepdims=True))  # noqa: E731
    inputs = keras.Input((5,))
    hidden = keras.layers.Dense(4)(scale(keras)(inputs))
    model = keras.Model(inputs, keras.layers.Lambda(unit, output_shape=(4,))(hidden))
    # With the default gamma the loss multiplies rounding by 80.
    return compiled(keras, model, VECTOR, CLASSES[:, 0], loss=cls(gamma=4.0))


def _reduction(keras, cls):
    loss = keras.losses.MeanSquaredError(reduction=cls.SUM)
    return compiled(keras, _model(keras), VECTOR, floats(3, seed=4), loss=loss, optimizer=keras.optimizers.SGD(1e-3))


LOSSES = {
    "BinaryCrossentropy": _loss(label_smoothing=0.1),
    "CTC": _ctc,
    "CategoricalCrossentropy": _loss(label_smoothing=0.1),
    "Circle": _circle,
    "Huber": _loss(delta=0.5),
    "Loss": _own_loss,
    "Reduction": _reduction,
}


# -- metrics


def metric_recipe(row):
    """The recipe for a metric: from the table, or the default one if it needs no arguments; or None."""
    return METRICS.get(row.name) or (None if needs_arguments(row.object) else _metric())


def _metric(*args, **kwargs):
    def recipe(keras, cls):
        units, activation, y = _form(cls.__name__)
        loss = "sparse_categorical_crossentropy" if "Sparse" in cls.__name__ else "mse"
        return compiled(keras, _model(keras, units, activation), VECTOR, y, loss, metrics=[cls(*args, **kwargs)])

    return recipe


def _accuracy(keras, cls):
    """Equal numbers are counted, so the model rounds; a second output carries the gradient."""
    inputs = keras.Input((5,))
    hidden = keras.layers.Dense(3, name="hidden")(scale(keras)(inputs))
    rounded = keras.layers.Lambda(lambda x: x + tf.stop_gradient(tf.round(x) - x), output_shape=(3,))(hidden)
    return compiled(keras, keras.Model(inputs, rounded), VECTOR, np.round(floats(3, seed=4)), metrics=[cls()])


def _classes_as_numbers(*args, **kwargs):
    """Outputs between 0 and 3, read as the number of a class."""

    def recipe(keras, cls):
        inputs = keras.Input((5,))
        hidden = keras.layers.Dense(1, activation="sigmoid")(scale(keras)(inputs))
        model = keras.Model(inputs, keras.layers.Rescaling(2.99)(hidden))
        return compiled(keras, model, VECTOR, CLASSES, metrics=[cls(*args, **kwargs)])

    return recipe


def _own_metric(keras, cls):
    class Largest(cls):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.largest = self.add_weight(name="largest", shape=(), initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest.assign(tf.maximum(self.largest, tf.reduce_max(tf.abs(y_pred))))

        def result(self):
            return self.largest * 1.0

    return compiled(keras, _model(keras), VECTOR, floats(3, seed=4), metrics=[Largest(name="largest")])


def _of_values(make):
    """A metric of plain values, updated by the model's own train and test step."""

    def recipe(keras, cls):
        class Watched(keras.Model):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.watch = make(keras, cls)

            @property
            def metrics(self):
                return [*super().metrics, self.watch]

            def train_step(self, data):
                logs = super().train_step(data)
                return {**logs, **self._watched(data)}

            def test_step(self, data):
                logs = super().test_step(data)
                return {**logs, **self._watched(data)}

            def _watched(self, data):
                self.watch.update_state(tf.reduce_mean(tf.abs(data[1]), axis=0))
                return {"watch": self.watch.result()}

        plain = _model(keras)
        return compiled(keras, Watched(plain.inputs, plain.outputs), VECTOR, floats(3, seed=4))

    return recipe


def _named(keras, cls):
    return cls(name="watch")


def _wrapper(keras, cls):
    metric = cls(lambda y_true, y_pred: tf.reduce_max(tf.abs(y_true - y_pred), axis=-1), name="farthest")
    return compiled(keras, _model(keras), VECTOR, floats(3, seed=4), metrics=[metric])


METRICS = {
    "AUC": _metric(num_thresholds=20),
    "Accuracy": _accuracy,
    "BinaryIoU": _metric(target_class_ids=(0, 1)),
    "IoU": _classes_as_numbers(3, [0, 2]),
    "Mean": _of_values(_named),
    "MeanIoU": _classes_as_numbers(3),
    "MeanMetricWrapper": _wrapper,
    "MeanRelativeError": _metric(normalizer=[1.0, 2.0, 3.0]),
    "MeanTensor": _of_values(lambda keras, cls: cls(name="watch", shape=(3,))),
    "Metric": _own_metric,
    "OneHotIoU": _metric(3, [0, 2]),
    "OneHotMeanIoU": _metric(3),
    "PrecisionAtRecall": _metric(0.6, num_thresholds=20),
    "RecallAtPrecision": _metric(0.6, num_thresholds=20),
    "SensitivityAtSpecificity": _metric(0.6, num_thresholds=20),
    "SparseTopKCategoricalAccuracy": _metric(k=2),
    "SpecificityAtSensitivity": _metric(0.6, num_thresholds=20),
    "Sum": _of_values(_named),
    "TopKCategoricalAccuracy": _metric(k=2),
}
