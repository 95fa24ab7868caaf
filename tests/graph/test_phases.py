"""What a layer does otherwise in training, TensorFlow 1.15 does where `keras_learning_phase` is fed with True."""

import numpy as np
import phase_models
import pytest
import tensorflow as tf
from kerases import KERASES, keras_of

from keras_gensynth_callback import GenSynthExportCallback, build_graph

REPLAY = """
    import json, os, sys
    import numpy as np
    import tensorflow as tf

    for name in sorted(os.listdir(sys.argv[1])):
        prefix = os.path.join(sys.argv[1], name, "net")
        meta = tf.compat.v1.MetaGraphDef.FromString(open(prefix + ".meta", "rb").read())
        found = {}
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            saver = tf.compat.v1.train.import_meta_graph(meta)
            saver.restore(session, prefix)
            train = meta.signature_def["train"]
            outputs = [train.outputs[key].name for key in sorted(train.outputs) if key.startswith("predictions/")]
            feed = {"x:0": np.load(os.path.join(sys.argv[1], name, "x.npy"))}
            phase = dict(feed, **{"keras_learning_phase:0": True})
            for key, fed in (("inference", feed), ("again", feed), ("first", phase), ("second", phase)):
                for number, value in enumerate(session.run(outputs, fed)):
                    found["%s/%d" % (key, number)] = value
        np.savez(os.path.join(sys.argv[1], name, "said.npz"), **found)
"""


@pytest.fixture(scope="module", params=KERASES)
def exports(request, reader, tmp_path_factory):
    """Every model with one Keras: dict, name -> (what Keras says, what TensorFlow 1.15 says, the graph)."""
    root, facts = tmp_path_factory.mktemp("phases"), {}
    for make in phase_models.ALL:
        keras, folder = keras_of(request.param, seed=1), root / make.__name__
        model, x, y = make(keras)
        model.fit(x, y, batch_size=16, verbose=0, callbacks=[GenSynthExportCallback(folder / "net")])
        np.save(folder / "x.npy", x)
        facts[make.__name__] = {
            f"{key}/{number}": tensor.numpy()
            for key, training in (("inference", False), ("training", True))
            for number, tensor in enumerate(_by_name(model, model(x, training=training)))
        }
    reader.run(REPLAY, root)
    return {
        name: (keras, dict(np.load(root / name / "said.npz")), _graph(root / name / "net"))
        for name, keras in facts.items()
    }


def _by_name(model, outputs):
    outputs = tf.nest.flatten(outputs)
    names = getattr(model, "output_names", None) or [""] * len(outputs)
    return [tensor for _, tensor in sorted(zip(names, outputs), key=lambda pair: pair[0])]


def _graph(prefix):
    return tf.compat.v1.MetaGraphDef.FromString(prefix.with_suffix(".meta").read_bytes()).graph_def


def _names(models):
    return [make.__name__ for make in models]


@pytest.mark.parametrize("name", _names(phase_models.ALL))
def test_inference_is_that_of_keras_and_never_random(exports, name):
    keras, said, _ = exports[name]
    for key in [key for key in keras if key.startswith("inference")]:
        np.testing.assert_allclose(said[key], keras[key], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(said[key], said[key.replace("inference", "again")])


@pytest.mark.parametrize("name", sorted(phase_models.EXACT))
def test_predictions_in_training_are_those_of_keras(exports, name):
    keras, said, _ = exports[name]
    for number in range(len(keras) // 2):
        assert np.abs(keras[f"training/{number}"] - keras[f"inference/{number}"]).max() > 1e-2
        np.testing.assert_allclose(said[f"first/{number}"], keras[f"training/{number}"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", sorted(set(_names(phase_models.ALL)) - phase_models.EXACT))
def test_each_run_draws_anew_in_training(exports, name):
    _, said, graph = exports[name]
    assert not np.array_equal(said["first/0"], said["inference/0"])
    assert not np.array_equal(said["first/0"], said["second/0"])
    random = {node.op for node in graph.node if "Random" in node.op}
    assert random and random <= {"RandomUniform", "RandomStandardNormal"}


@pytest.mark.parametrize("name", _names(phase_models.LOOPS))
def test_a_recurrent_layer_with_dropout_is_one_loop(exports, name):
    _, _, graph = exports[name]
    loops = [node.name for node in graph.node if node.op == "LoopCond" and not node.name.startswith("training/")]
    assert len(loops) == 1


def test_dropout_needs_no_update(keras):
    layers = keras.layers
    model = keras.Sequential([keras.Input((5, 4)), layers.LSTM(3, dropout=0.3), layers.Dropout(0.5), layers.Dense(1)])
    model.compile("sgd", "mse")
    updates = build_graph(model).get_collection("update_ops")
    assert all(op.name.startswith(("metrics/", "loss/")) for op in updates)


def test_inference_needs_no_mask(keras3):
    layers = keras3.layers
    model = keras3.Sequential([keras3.Input((5, 4)), layers.LSTM(3, dropout=0.3), layers.Dense(1)])
    inference = build_graph(model, graph="inference")
    assert not [op for op in inference.get_operations() if op.type == "OnesLike"]


def test_a_seed_of_the_users_own_stays(keras3):
    class Fixed(keras3.layers.Layer):
        def call(self, inputs):
            return inputs + tf.random.stateless_uniform(tf.shape(inputs), seed=[1, 2])

    model = keras3.Sequential([keras3.Input((3,)), Fixed(), keras3.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert "StatelessRandomUniform" in {op.type for op in build_graph(model).get_operations()}


def test_two_draws_from_one_seed_are_one(keras3):
    class Twice(keras3.layers.Layer):
        def build(self, _):
            self.seeds = keras3.random.SeedGenerator(1)

        def call(self, inputs, training=False):
            if not training:
                return inputs
            shape, seed = tf.shape(inputs), self.seeds.next()
            one, same = (tf.random.stateless_normal(shape, seed) for _ in range(2))
            return inputs + one - same + tf.random.stateless_normal(shape, self.seeds.next())

    model = keras3.Sequential([keras3.Input((3,)), Twice(), keras3.layers.Dense(1)])
    model.compile("sgd", "mse")
    draws = [op for op in build_graph(model).get_operations() if op.type == "RandomStandardNormal"]
    assert len(draws) == 2
