"""tensorflow_recommenders: a model of ratings, a retrieval, crossed features."""

import importlib

from .cases import case, classes, floats, regressed

LIBRARY, ENVIRONMENT = "tensorflow-recommenders", "tf.keras"


def _library():
    return importlib.import_module("tensorflow_recommenders")


def _users_and_items():
    return {"user": classes(high=10, seed=4), "item": classes(high=10, seed=5)}


def _ranking(keras):
    tfrs = _library()

    class Ratings(tfrs.Model):
        def __init__(self):
            super().__init__()
            self.users, self.items = keras.layers.Embedding(10, 4), keras.layers.Embedding(10, 4)
            self.head = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
            self.task = tfrs.tasks.Ranking(keras.losses.MeanSquaredError(), [keras.metrics.RootMeanSquaredError()])

        def call(self, inputs):
            both = keras.layers.Concatenate()([self.users(inputs["user"]), self.items(inputs["item"])])
            return self.head(both)

        def compute_loss(self, inputs, training=False):
            features, ratings = inputs[0], inputs[1]
            return self.task(labels=ratings, predictions=self(features))

    return _own_steps(keras, Ratings(), floats(1))


def _retrieval(keras):
    tfrs = _library()

    class Retrieval(tfrs.Model):
        def __init__(self):
            super().__init__()
            self.users, self.items = keras.layers.Embedding(10, 4), keras.layers.Embedding(10, 4)
            self.task = tfrs.tasks.Retrieval()

        def call(self, inputs):
            return self.users(inputs["user"]), self.items(inputs["item"])

        def compute_loss(self, inputs, training=False):
            return self.task(*self(inputs[0]), compute_metrics=not training)

    return _own_steps(keras, Retrieval(), floats(1))


def _own_steps(keras, model, y):
    model.compile(keras.optimizers.SGD(1e-2))
    own = model.compute_loss

    def compute_loss(x, y=None, y_pred=None, sample_weight=None, training=False):
        """By Keras's arguments, or by those of the library."""
        return own(x if y is None else (x, y), training=training)

    model.compute_loss = compute_loss
    return case(model, _users_and_items(), y)


def _crossed(keras):
    tfrs = _library()
    inputs = keras.Input((6,))
    tensor = tfrs.layers.dcn.Cross(projection_dim=3)(inputs, tfrs.layers.dcn.Cross()(inputs, inputs))
    return regressed(keras, keras.Model(inputs, keras.layers.Dense(1)(tensor)), floats(6))


def _products(keras):
    inputs = [keras.Input((4,)) for _ in range(3)]
    tensor = _library().layers.feature_interaction.DotInteraction()([keras.layers.Dense(4)(one) for one in inputs])
    model = keras.Model(inputs, keras.layers.Dense(1)(tensor))
    return regressed(keras, model, [floats(4, seed=seed) for seed in (1, 2, 3)])


MODELS = {"Cross": _crossed, "DotInteraction": _products, "Ranking": _ranking, "Retrieval": _retrieval}
