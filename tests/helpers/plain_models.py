"""Models of what every Keras has, on any backend: see `carried_models`, which has more."""

import numpy as np

SAMPLES = 40


def numbers(*shape, seed=0):
    return np.random.RandomState(seed).standard_normal((SAMPLES, *shape)).astype("float32")


def classes(count, seed=0):
    return np.random.RandomState(seed).randint(0, count, SAMPLES).astype("int32")


def sequential_convnet(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2), name="image"),
            layers.Conv2D(4, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return {"model": model, "x": numbers(8, 8, 2), "y": classes(3)}


def nested_and_shared(keras):
    layers = keras.layers
    inner_input = keras.Input((5,))
    inner = keras.Model(
        inner_input, layers.BatchNormalization()(layers.Dense(4, use_bias=False)(inner_input)), name="inner"
    )
    tower = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="tanh")], name="tower")
    left, right = keras.Input((5,), name="left"), keras.Input((5,), name="right")
    both = layers.Concatenate()([tower(inner(left)), tower(inner(right))])
    model = keras.Model([left, right], layers.Dense(1, name="score")(both))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True), "mae")
    return {
        "model": model,
        "x": [numbers(5), numbers(5, seed=1)],
        "y": numbers(1),
        "twice": ["dense", "inner", "tower"],
    }


def never_built_before_fit(keras):
    model = keras.Sequential([keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return {"model": model, "x": numbers(3), "y": numbers(1)}


def frozen_layers_and_regularizers(keras):
    layers = keras.layers
    inputs = keras.Input((6,))
    hidden = layers.Dense(5, kernel_regularizer="l1", bias_regularizer="l2", name="regular")(inputs)
    frozen = layers.BatchNormalization(trainable=False, name="frozen")
    hidden = layers.Activation("elu", name="elu")(frozen(hidden))
    hidden = layers.ActivityRegularization(l2=0.02)(layers.Dense(4, activity_regularizer="l2", trainable=False)(hidden))
    model = keras.Model(inputs, layers.Dense(1, kernel_constraint="non_neg")(hidden))
    model.compile(keras.optimizers.SGD(0.05, clipnorm=1.0), "huber", metrics=["mse"])
    return {"model": model, "x": numbers(6), "y": numbers(1)}


def dicts_of_inputs_and_outputs(keras):
    layers = keras.layers
    inputs = {"width": keras.Input((3,), name="width"), "height": keras.Input((2,), name="height")}
    both = layers.Concatenate()([inputs["width"], inputs["height"]])
    outputs = {
        "area": layers.Dense(1, name="area")(both),
        "kind": layers.Dense(3, activation="softmax", name="kind")(both),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        "adam",
        loss={"area": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"area": 0.3, "kind": 2.0},
        metrics={"area": ["mae"], "kind": ["accuracy"]},
    )
    x = {"width": numbers(3), "height": numbers(2, seed=1)}
    return {"model": model, "x": x, "y": {"area": numbers(1), "kind": classes(3)}}


def weighted_samples(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], weighted_metrics=["mse"])
    weights = np.random.RandomState(3).uniform(0.2, 3, SAMPLES).astype("float32")
    return {"model": model, "x": numbers(4), "y": classes(2)[:, None], "fit": {"sample_weight": weights}}


def masked_embedding_and_lstm(keras):
    layers = keras.layers
    inputs = keras.Input((7,), dtype="int32", name="words")
    hidden = layers.Embedding(11, 4, mask_zero=True)(inputs)
    hidden = layers.LSTM(3, return_sequences=True)(hidden)
    model = keras.Model(inputs, layers.Dense(1, name="mood")(layers.GRU(3)(hidden)))
    model.compile(keras.optimizers.Adam(0.01, clipvalue=0.5), "mse")
    x = np.random.RandomState(0).randint(0, 11, (SAMPLES, 7)).astype("int32")
    x[:, 0], x[::3, 4:] = 1, 0
    return {"model": model, "x": x, "y": numbers(1)}


def attention(keras):
    layers = keras.layers
    inputs = keras.Input((5, 8))
    hidden = layers.LayerNormalization()(inputs + layers.MultiHeadAttention(2, 4, use_bias=False)(inputs, inputs))
    model = keras.Model(inputs, layers.Dense(1)(layers.GlobalMaxPooling1D()(hidden)))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return {"model": model, "x": numbers(5, 8), "y": numbers(1)}


def uncompiled(keras):
    inputs = keras.Input((4,))
    hidden = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(inputs))
    return {"model": keras.Model(inputs, keras.layers.Dense(2, name="out")(hidden)), "x": numbers(4), "y": None}


MODELS = (
    sequential_convnet,
    nested_and_shared,
    never_built_before_fit,
    frozen_layers_and_regularizers,
    dicts_of_inputs_and_outputs,
    weighted_samples,
    masked_embedding_and_lstm,
    attention,
    uncompiled,
)
