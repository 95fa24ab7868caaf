"""The first export: one callback, and what a TensorFlow 1.x program finds in the files.

    pip install scikit-learn
    python tutorials/first_export.py

It trains a small classifier of wines in some seconds, and writes to `gensynth_exports/wine`.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from sklearn.datasets import load_wine

from keras_gensynth_callback import GenSynthExportCallback

# --- 1. Train as ever, with one more callback -------------------------------------------------------------------
#
# `filepath` is a checkpoint prefix. Here the best of the epochs so far is exported, judged by the validation loss.

x, y = load_wine(return_X_y=True)
x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype("float32")
y = y.astype("int32")

keras.utils.set_random_seed(0)
wine = keras.Input((13,), name="wine")
h = keras.layers.Dense(16, use_bias=False)(wine)
h = keras.layers.BatchNormalization()(h)
h = keras.layers.ReLU()(h)
h = keras.layers.Dropout(0.2)(h)
cultivar = keras.layers.Dense(3, activation="softmax", name="cultivar")(h)
model = keras.Model(wine, cultivar)
model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])

export = GenSynthExportCallback("gensynth_exports/wine/net", monitor="loss", save_best_only=True)
model.fit(x, y, epochs=10, verbose=0, callbacks=[export])
print("exported:", export.latest_checkpoint)
print("files:   ", ", ".join(sorted(os.listdir("gensynth_exports/wine"))))

# --- 2. Read it as a TensorFlow 1.x program does ----------------------------------------------------------------
#
# From here on there is no Keras. In TensorFlow 1.15 the same lines work with `import tensorflow as tf`.

tf1 = tf.compat.v1
prefix = tf1.train.latest_checkpoint("gensynth_exports/wine")

with tf1.Graph().as_default() as graph, tf1.Session() as session:
    saver = tf1.train.import_meta_graph(prefix + ".meta")
    saver.restore(session, prefix)

    # The tensors that a program needs stand in the signatures, under the names of the model's inputs and outputs.
    meta = tf1.MetaGraphDef()
    with open(prefix + ".meta", "rb") as f:
        meta.ParseFromString(f.read())
    serving = meta.signature_def["serving_default"]
    feed = {serving.inputs["wine"].name: x}
    probabilities = session.run(serving.outputs["cultivar"].name, feed)
    print(f"right:    {(probabilities.argmax(axis=1) == y).mean():.0%} of the wines")

    # --- 3. What is in the collections ---
    #
    # Without UPDATE_OPS a TensorFlow 1.x program would train with batch statistics that stand still.
    for key in (tf1.GraphKeys.TRAINABLE_VARIABLES, tf1.GraphKeys.UPDATE_OPS, tf1.GraphKeys.METRIC_VARIABLES):
        print(f"{key}: {len(tf1.get_collection(key))}")

    # --- 4. Train on, with an optimizer of TensorFlow 1.x ---
    #
    # Dropout is on, and the batch statistics move, where `keras_learning_phase` is fed True. It is False by default.
    targets = meta.signature_def["train"].inputs["cultivar_target"].name
    feed = {serving.inputs["wine"].name: x, targets: y}
    loss = tf1.losses.get_total_loss()
    with tf1.control_dependencies(tf1.get_collection(tf1.GraphKeys.UPDATE_OPS)):
        step = tf1.train.GradientDescentOptimizer(0.1).minimize(loss)
    before = session.run(loss, feed)
    for _ in range(20):
        session.run(step, dict(feed, **{"keras_learning_phase:0": True}))
    print(f"loss:     {before:.3f}, after 20 steps there {session.run(loss, feed):.3f}")
