"""Models as they are written for tf.keras of TensorFlow 1.15, where eager execution is off: one function a kind.

Each returns a dict, as those of `carried_models` do, and where they are not the default: `generator` (it is trained by
`fit_generator`), `local` (how many
variables metrics made for themselves), `targets` (what the export is fed for `y`, where that has other shapes).
"""

import numpy as np
import tensorflow as tf
from plain_models import SAMPLES, classes, numbers


def convolution_swish_and_regularizer(keras):
    layers = keras.layers
    image = keras.Input((9, 9, 3), name="image")
    hidden = layers.Conv2D(6, 3, use_bias=False)(image)
    hidden = layers.BatchNormalization()(hidden)
    hidden = layers.GlobalAveragePooling2D()(layers.Activation(tf.nn.swish)(hidden))
    label = layers.Dense(4, activation="softmax", kernel_regularizer=keras.regularizers.l2(0.01), name="label")(hidden)
    model = keras.Model(image, label)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": numbers(9, 9, 3), "y": classes(4)}


def noise_and_dropout(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.GaussianNoise(0.1, input_shape=(9, 9, 3)),
            layers.Conv2D(6, 3, strides=2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.SpatialDropout2D(0.2),
            layers.Flatten(),
            layers.GaussianDropout(0.1),
            layers.AlphaDropout(0.1),
            layers.Dropout(0.5),
            layers.Dense(4),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["sparse_categorical_accuracy"])
    return {"model": model, "x": numbers(9, 9, 3), "y": classes(4), "random": True}


def recurrent_with_attention(keras):
    layers = keras.layers
    steps = keras.Input((7, 5), name="steps")
    hidden = layers.Bidirectional(layers.GRU(4, return_sequences=True))(steps)
    hidden = layers.LayerNormalization()(layers.Attention(use_scale=True)([hidden, hidden]))
    model = keras.Model(steps, layers.Dense(1, name="level")(layers.LSTM(5)(hidden)))
    model.compile(keras.optimizers.RMSprop(1e-3), "mse", metrics=["mae"])
    return {"model": model, "x": numbers(7, 5), "y": numbers(1)}


def custom_layer_loss_and_metric(keras):
    layers = keras.layers

    class Gate(layers.Layer):
        """Holds layers of its own, branches on `training` in Python and adds a loss."""

        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.dense = layers.Dense(units, use_bias=False)
            self.norm = layers.BatchNormalization()

        def call(self, inputs, training=None):
            hidden = self.norm(self.dense(inputs), training=training)
            self.add_loss(0.01 * tf.reduce_mean(hidden**2), inputs=inputs)
            training = keras.backend.learning_phase() if training is None else training
            if isinstance(training, (int, bool)):
                return hidden * 1.5 if training else hidden
            return tf.cond(tf.cast(training, tf.bool), lambda: hidden * 1.5, lambda: hidden)

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.gate = Gate(6)
            self.frozen = layers.Dense(6, trainable=False)
            self.head = layers.Dense(1)

        def call(self, inputs, training=None):
            return self.head(self.frozen(self.gate(inputs, training=training)))

    class Bias(keras.metrics.Metric):
        def __init__(self, name="bias", **kwargs):
            super().__init__(name=name, **kwargs)
            self.total = self.add_weight(name="total", initializer="zeros")
            self.count = self.add_weight(name="count", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total.assign_add(tf.reduce_sum(y_pred - tf.cast(y_true, y_pred.dtype)))
            self.count.assign_add(tf.cast(tf.size(y_pred), tf.float32))

        def result(self):
            return self.total / self.count

    def pinball(y_true, y_pred):
        error = y_true - y_pred
        return 0.7 * error**2 + 0.3 * tf.abs(error)

    model = Net()
    model.compile(keras.optimizers.Adam(1e-2), pinball, metrics=[Bias()])
    return {"model": model, "x": numbers(6), "y": numbers(1), "twice": ["gate"]}


def two_weighted_heads_on_a_shared_layer(keras):
    layers = keras.layers
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    shared = layers.Dense(5, activation="relu", name="shared")
    both = layers.Concatenate()([shared(left), shared(right)])
    kind = layers.Dense(3, activation="softmax", name="kind")(both)
    model = keras.Model([left, right], [kind, layers.Dense(1, name="size")(both)])
    model.compile(
        "adam",
        loss={"kind": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 1.0, "size": 0.5},
        metrics={"kind": ["accuracy"], "size": ["mae"]},
    )
    weights = [np.random.RandomState(seed).uniform(0.2, 2, SAMPLES).astype("float32") for seed in (3, 4)]
    x, y = [numbers(6), numbers(6, seed=1)], [classes(3), numbers(1)]
    return {"model": model, "x": x, "y": y, "fit": {"sample_weight": weights}, "twice": ["shared"]}


def named_inputs(keras):
    layers = keras.layers
    width, height = keras.Input((3,), name="width"), keras.Input((2,), name="height")
    hidden = layers.Dropout(0.3)(layers.Concatenate()([width, height]))
    model = keras.Model([width, height], layers.Dense(1, name="area")(hidden))
    model.compile("sgd", "mse", metrics=["mae"])
    x = {"width": numbers(3), "height": numbers(2, seed=1)}
    return {"model": model, "x": x, "y": {"area": numbers(1)}, "random": True}


def masked_sequences(keras):
    layers = keras.layers
    steps = keras.Input((None, 4), name="steps")
    hidden = layers.LSTM(5, return_sequences=True)(layers.Masking()(steps))
    model = keras.Model(steps, layers.TimeDistributed(layers.Dense(2), name="tags")(hidden))
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    x = numbers(6, 4)
    x[::3, 4:] = 0
    return {"model": model, "x": x, "y": numbers(6, 2)}


def masked_words(keras):
    layers = keras.layers
    words = keras.Input((7,), dtype="int32", name="words")
    hidden = layers.Embedding(11, 4, mask_zero=True)(words)
    hidden = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(hidden)
    model = keras.Model(words, layers.Dense(1, name="mood")(layers.GRU(3, reset_after=True)(hidden)))
    model.compile(keras.optimizers.Adam(0.01, clipvalue=0.5), "mse")
    x = np.random.RandomState(0).randint(1, 11, (SAMPLES, 7)).astype("int32")
    x[::3, 4:] = 0
    return {"model": model, "x": x, "y": numbers(1)}


def states_that_go_on(keras):
    layers = keras.layers
    first = layers.GRU(3, stateful=True, return_sequences=True, batch_input_shape=(8, 5, 2))
    model = keras.Sequential([first, layers.LSTM(4, stateful=True)])
    model.add(layers.Dense(1))
    model.compile("sgd", "mse")
    return {"model": model, "x": numbers(5, 2)[:8], "y": numbers(1)[:8], "batch": 8}


def trained_by_a_generator(keras):
    layers = keras.layers
    model = keras.Sequential([layers.Dense(4, activation="tanh", input_shape=(5,)), layers.Dense(1)])
    model.compile("adagrad", "mae", metrics=["mse"])
    return {"model": model, "x": numbers(5), "y": numbers(1), "generator": True}


def rare_classes_weighted(keras):
    model = keras.Sequential([keras.layers.Dense(2, activation="softmax", input_shape=(4,))])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": numbers(4), "y": classes(2), "fit": {"class_weight": {0: 1.0, 1: 5.0}}}


def images_of_any_size(keras):
    layers = keras.layers
    image = keras.Input((None, None, 2), name="image")
    hidden = layers.SeparableConv2D(4, 3, padding="same", activation="relu")(image)
    hidden = layers.Conv2DTranspose(3, 3, strides=2)(layers.BatchNormalization(scale=False)(hidden))
    model = keras.Model(image, layers.Dense(2, activation="sigmoid")(layers.GlobalMaxPooling2D()(hidden)))
    model.compile("nadam", "binary_crossentropy", metrics=[keras.metrics.Precision(name="precision")])
    return {"model": model, "x": numbers(6, 7, 2), "y": np.stack([classes(2), classes(2, seed=1)], 1)}


def areas_and_confusions(keras):
    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid", name="yes", input_shape=(4,))])
    metrics = keras.metrics
    model.compile(
        "sgd",
        keras.losses.BinaryCrossentropy(label_smoothing=0.1),
        metrics=[metrics.AUC(name="auc", num_thresholds=20), metrics.TruePositives(name="hits")],
        weighted_metrics=[metrics.MeanSquaredError(name="error")],
    )
    weights = np.random.RandomState(3).uniform(0.2, 2, SAMPLES).astype("float32")
    return {"model": model, "x": numbers(4), "y": classes(2)[:, None], "fit": {"sample_weight": weights}}


def metrics_of_tensorflow_1(keras):
    metrics = tf.compat.v1.metrics
    backend = keras.backend

    def area(y_true, y_pred):
        return metrics.auc(y_true, y_pred, num_thresholds=20)[1]

    def share(y_true, y_pred):
        return metrics.accuracy(y_true, tf.round(y_pred))[1]

    def started(y_true, y_pred):
        update = metrics.mean_squared_error(y_true, y_pred)[1]
        session = getattr(backend, "get_session", None)
        if session is not None:  # it is in tf.keras of TensorFlow 1.x alone
            session().run(tf.compat.v1.local_variables_initializer())
        with tf.control_dependencies([update]):
            return tf.identity(update)

    optimizer = _optimizers(keras).SGD(0.1)

    def rate(y_true, y_pred):
        return optimizer.lr

    model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid", name="yes", input_shape=(4,))])
    model.compile(optimizer, "binary_crossentropy", metrics=[area, share, started, rate])
    return {"model": model, "x": numbers(4), "y": classes(2)[:, None], "local": 8}


def variables_that_a_call_makes(keras):
    layers = keras.layers

    class Scaled(layers.Layer):
        def call(self, inputs):
            return inputs * tf.compat.v1.get_variable("scale", [4])

    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(1)(Scaled(name="scaled")(inputs)))
    model.compile("sgd", "mse", metrics=["mae"])
    return {"model": model, "x": numbers(4), "y": numbers(1)}


def places_weighted(keras):
    model = keras.Sequential([keras.layers.SimpleRNN(4, return_sequences=True, input_shape=(6, 3))])
    model.add(keras.layers.Dense(3, activation="softmax", name="tag"))
    loss, metrics = "sparse_categorical_crossentropy", ["sparse_categorical_accuracy"]
    model.compile("adam", loss, metrics=metrics, sample_weight_mode="temporal")
    draw = np.random.RandomState(0)
    tags = draw.randint(0, 3, (SAMPLES, 6, 1)).astype("int32")
    weights = draw.uniform(0.2, 2, (SAMPLES, 6)).astype("float32")
    fit = {"sample_weight": weights}
    return {"model": model, "x": numbers(6, 3), "y": tags, "targets": tags[..., 0], "fit": fit}


def frozen_clipped_and_constrained(keras):
    layers = keras.layers
    inputs = keras.Input((6,))
    hidden = layers.Dense(5, kernel_regularizer="l1", use_bias=False, name="regular")(inputs)
    frozen = layers.BatchNormalization(trainable=False, name="frozen")
    hidden = layers.ActivityRegularization(l2=0.02)(layers.Activation("elu")(frozen(hidden)))
    hidden = layers.Dense(4, activity_regularizer="l2", trainable=False)(layers.Dense(4, bias_regularizer="l2")(hidden))
    model = keras.Model(inputs, layers.Dense(1, kernel_constraint="non_neg")(hidden))
    model.compile(keras.optimizers.SGD(0.05, clipnorm=1.0), keras.losses.Huber(), metrics=["mse"])
    return {"model": model, "x": numbers(6), "y": numbers(1)}


def gensynth_subclass(keras):
    from keras_gensynth_callback.training.model import gensynth_model_class

    class Net(gensynth_model_class(keras.Model)):
        def __init__(self):
            super().__init__(name="net")
            self.norm = keras.layers.BatchNormalization()
            self.head = keras.layers.Dense(2, activation="softmax")

        def call(self, inputs, training=None):
            return self.head(self.norm(inputs, training=training))

    model = Net()
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": numbers(5), "y": np.eye(2, dtype="float32")[classes(2)]}


def _optimized(keras, optimizer):
    model = keras.Sequential([keras.layers.Embedding(6, 3, input_length=4), keras.layers.Flatten()])
    model.add(keras.layers.Dense(1))
    model.compile(optimizer, "mse")
    return {"model": model, "x": np.random.RandomState(0).randint(0, 6, (SAMPLES, 4)), "y": numbers(1)}


def optimizer_adadelta(keras):
    return _optimized(keras, _optimizers(keras).Adadelta(0.5))


def optimizer_adagrad(keras):
    return _optimized(keras, _optimizers(keras).Adagrad(0.05))


def optimizer_adam_with_amsgrad_and_a_schedule(keras):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 4, 0.5)
    return _optimized(keras, _optimizers(keras).Adam(schedule, amsgrad=True))


def optimizer_adamax(keras):
    return _optimized(keras, _optimizers(keras).Adamax(0.01))


def optimizer_ftrl(keras):
    return _optimized(keras, _optimizers(keras).Ftrl(0.05, l1_regularization_strength=0.01))


def optimizer_nadam(keras):
    return _optimized(keras, _optimizers(keras).Nadam(0.01))


def optimizer_rmsprop_centered_with_momentum(keras):
    return _optimized(keras, _optimizers(keras).RMSprop(0.01, momentum=0.5, centered=True))


def optimizer_sgd_with_nesterov_and_decay(keras):
    return _optimized(keras, _optimizers(keras).SGD(0.05, momentum=0.9, nesterov=True, decay=0.1))


def optimizer_of_tf_train(keras):
    return _optimized(keras, tf.compat.v1.train.AdamOptimizer(0.01))


def _optimizers(keras):
    """Graph mode of newer Kerases trains with the optimizers of tf.keras up to TensorFlow 2.10 alone."""
    return getattr(keras.optimizers, "legacy", keras.optimizers)
