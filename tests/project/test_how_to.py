"""The programs of how-to pages about input pipelines, SavedModels, graph tools and parameter servers run as they stand
there, in TensorFlow 1.15.5, and give the numbers of Keras.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from needs import outside_matrix

from keras_gensynth_callback import load_checkpoint

pytestmark = outside_matrix(reason="runs the programs in the documentation")

DOCS = Path(__file__).parents[2] / "docs"

# Two folders as the pages want them: the quick start's, and that of an inference graph.
MODELS = """
from keras_gensynth_callback import export_checkpoint

keras.backend.clear_session()  # layers are named anew
model = keras.Sequential(
    [
        keras.Input((8, 8, 1), name="image"),
        keras.layers.Conv2D(8, 3, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax", name="digit"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(images, labels, epochs=30, verbose=0)
export_checkpoint(model, "inference/exports/net", graph="inference")
export_checkpoint(model, "inference/exports/trainable")
export_checkpoint(model, "inference/exports/no_optimizer", include_optimizer=False)
np.savez("inference/data.npz", images=images, labels=labels)
np.save("inference/expected.npy", model.predict(images, verbose=0))
"""
# What the pages leave to the environment that is activated, and the folder.
BEFORE = """
import os, sys
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
os.chdir(%r)
"""


def blocks(page, language="python"):
    """The blocks of a page in a language, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [code for its_language, code in found if its_language == language]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which the quick start ran; below it, in `inference`, one with an inference graph."""
    folder = tmp_path_factory.mktemp("how_to")
    (folder / "train.py").write_text(blocks("index.md")[0] + MODELS, encoding="utf-8")
    subprocess.run([sys.executable, "-W", "ignore", "train.py"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def inference(trained):
    return trained / "inference"


@pytest.fixture
def run(reader):
    """`run(code, folder, *names)` runs a program in TensorFlow 1.15.5, and returns what it prints and, as a dict, what
    its variables of these names hold.
    """

    def run(code, folder, *names):
        kept = f"\nimport numpy\nnumpy.savez('kept.npz', {', '.join(f'{name}={name}' for name in names)})\n"
        said = reader.run(BEFORE % str(folder) + code + (kept if names else ""))
        return said, dict(np.load(folder / "kept.npz")) if names else {}

    return run


def close(found, expected, bound=1e-5):
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound * np.abs(expected).max())


VALUES = """
import tensorflow as tf
checkpoint = tf.train.load_checkpoint({prefix!r} if {prefix!r} else tf.train.latest_checkpoint({folder!r}))
names = ["conv2d/kernel", "digit/bias", "batch_normalization/moving_mean", "training/Adam/iter"]
values = dict((name, checkpoint.get_tensor(name)) for name in names)
kernel, bias, mean, step = [values[name] for name in names]
"""


def checkpoint(run, where, prefix="", folder=""):
    return run(VALUES.format(prefix=prefix, folder=folder), where, "kernel", "bias", "mean", "step")[1]


# --- input pipelines ---

BY_FEEDS = """
import numpy as np
import tensorflow as tf

data = np.load("data.npz")
saver = tf.train.import_meta_graph("exports/net.meta")
with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
    step = tf.train.GradientDescentOptimizer(0.01).minimize(tf.losses.get_total_loss())
with tf.Session() as session:
    saver.restore(session, "exports/net")
    for batch in list(range(0, 256, 32)) * 3:
        feeds = {"image:0": data["images"][batch : batch + 32], "digit_target:0": data["labels"][batch : batch + 32]}
        session.run(step, dict(feeds, **{"keras_learning_phase:0": True}))
    saver.save(session, "exports/fed")
    digit = session.run("digit/Softmax:0", {"image:0": data["images"]})
    accuracy = (digit.argmax(1) == data["labels"]).mean()
"""


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["keras_learning_phase:0", "keras_learning_phase/input:0"])
def test_a_pipeline_in_the_place_of_placeholders_trains_as_feeds_do(trained, run, phase):
    """Whichever tensor of the learning phase is mapped: gradients go through what it chooses."""
    (program,) = blocks("how-to/input_pipelines.md")
    assert ".shuffle(256)" in program and '"keras_learning_phase:0": ' in program
    in_order = program.replace(".shuffle(256)", "").replace('"keras_learning_phase:0": ', f'"{phase}": ')
    said, _ = run(in_order, trained)
    assert len(re.findall(r"epoch \d: accuracy 0\.\d{4}", said)) == 3
    _, fed = run(BY_FEEDS, trained, "accuracy")
    assert said.split()[-1] == f"{fed['accuracy']:.4f}"
    piped, by_feeds = [checkpoint(run, trained, prefix) for prefix in ("exports/piped", "exports/fed")]
    before = checkpoint(run, trained, "exports/net")
    for name in ("kernel", "bias", "mean"):
        assert np.abs(piped[name] - before[name]).max() > 1e-5
        close(piped[name], by_feeds[name])


# --- SavedModels ---


@pytest.mark.slow
def test_a_saved_model_predicts_in_tensorflow_1_and_2(inference, run, monkeypatch):
    written, simple, load, load_in_2 = blocks("how-to/saved_model.md")
    expected = np.load(inference / "expected.npy")
    for program in (written, simple):
        run(program, inference)
    for program in (load, load.replace("saved_model/1", "simple/1")):
        close(run(program, inference, "digit")[1]["digit"], expected)
    monkeypatch.chdir(inference)
    there = {}
    exec(load_in_2, there)
    close(there["digit"], expected)


# --- graph tools ---

PREDICT_FROZEN = """
import numpy as np
import tensorflow as tf

graph = tf.GraphDef()
with open("net_8bit.pb", "rb") as file:
    graph.ParseFromString(file.read())
with tf.Session(graph=tf.Graph()) as session:
    tf.import_graph_def(graph, name="")
    digit = session.run("digit/Softmax:0", {"image:0": np.load("data.npz")["images"]})
ops = [node.op for node in graph.node]
size = graph.ByteSize()
"""


@pytest.mark.slow
def test_transform_graph_makes_it_smaller(inference, run, run_command):
    assert run_command("freeze", inference / "exports/net", inference / "net.pb").exit_code == 0
    program, expected = blocks("how-to/graph_tools.md")[0], np.load(inference / "expected.npy")
    sizes = {}
    for bound, code in ((1e-2, program), (1e-5, program.replace(', "quantize_weights"', ""))):
        said, _ = run(code, inference)
        before, after = re.findall(r": (\d+) nodes", said)
        assert int(after) < int(before)
        _, found = run(PREDICT_FROZEN, inference, "digit", "ops", "size")
        close(found["digit"], expected, bound)
        assert "FusedBatchNormV3" in found["ops"]
        sizes[bound] = found["size"]
    assert sizes[1e-2] < 0.6 * sizes[1e-5]


@pytest.mark.slow
def test_tflite_predicts_what_keras_predicts(inference, run):
    _, program, _ = blocks("how-to/graph_tools.md")
    close(run(program, inference, "predicted")[1]["predicted"], np.load(inference / "expected.npy"))


RUN_UINT8 = """
import numpy as np
import tensorflow as tf

images = np.load("data.npz")["images"]
interpreter = tf.lite.Interpreter(model_path="net_uint8.tflite")
(image,), (digit,) = interpreter.get_input_details(), interpreter.get_output_details()
interpreter.resize_tensor_input(image["index"], images.shape)
interpreter.allocate_tensors()
interpreter.set_tensor(image["index"], np.round(images * 255).astype("uint8"))
interpreter.invoke()
scale, zero = digit["quantization"]
predicted = (interpreter.get_tensor(digit["index"]).astype("float32") - zero) * scale
"""
# The same layers as TensorFlow 1.15's own tf.keras draws them.
FAKE_QUANTS = """
import tensorflow as tf
from tensorflow.contrib import quantize


def quantized():
    with tf.Graph().as_default() as graph:
        draw()
        quantize.create_training_graph(graph)
        return sorted(op.name for op in graph.get_operations() if op.type.startswith("FakeQuant"))


def draw():
    tf.keras.backend.set_learning_phase(0)
    layers = tf.keras.layers
    tf.keras.Sequential(
        [
            layers.Conv2D(8, 3, use_bias=False, input_shape=(8, 8, 1)),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )


native = quantized()
draw = lambda: tf.train.import_meta_graph("exports/net.meta")
exported = quantized()
draw = lambda: tf.train.import_meta_graph("exports/no_optimizer.meta")
of_both_phases = quantized()
draw = lambda: tf.train.import_meta_graph("exports/trainable.meta")
try:
    quantized()
except ValueError as error:
    refused = str(error)
"""


@pytest.mark.slow
def test_contrib_quantize_trains_an_export_that_tflite_runs_in_8_bits(inference, run):
    *_, program = blocks("how-to/graph_tools.md")
    said, found = run(program, inference, "digit")
    labels = np.load(inference / "data.npz")["labels"]
    accuracy = (np.load(inference / "expected.npy").argmax(1) == labels).mean()
    assert float(re.search(r"accuracy ([\d.]+)", said)[1]) > accuracy - 0.05
    _, of_lite = run(RUN_UINT8, inference, "predicted")
    close(of_lite["predicted"], found["digit"], 0.1)
    assert (of_lite["predicted"].argmax(1) == found["digit"].argmax(1)).mean() > 0.95


@pytest.mark.slow
def test_contrib_quantize_finds_in_an_inference_graph_what_it_finds_in_a_native_one(inference, run):
    _, found = run(FAKE_QUANTS, inference, "native", "exported", "of_both_phases", "refused")
    assert list(found["exported"]) == list(found["native"]) and len(found["native"]) == 4
    assert len(found["of_both_phases"]) == 2
    assert "Training op found in graph" in str(found["refused"])


# --- model pruning ---


@pytest.mark.slow
def test_model_pruning_sets_half_of_the_weights_to_zero_and_keras_reads_them(trained, run, keras3):
    (program,) = blocks("how-to/model_pruning.md")
    said, _ = run(program, trained)
    zeros = re.search(r"zeros: \[([\d.]+), ([\d.]+)\]", said)
    assert [round(float(share), 2) for share in zeros.groups()] == [0.5, 0.5]
    keras3.backend.clear_session()
    there = {}
    exec(blocks("index.md")[0].split("model.fit(")[0], there)
    assert "conv2d/kernel" in load_checkpoint(there["model"], trained / "pruned/net")


# --- parameter servers ---


@pytest.mark.slow
def test_parameter_servers_train_as_one_process_does(trained, run):
    (program,) = blocks("how-to/parameter_servers.md")
    said, _ = run(program, trained)
    placed = re.findall(r"^(\S+):0 /job:ps/task:(\d)$", said, re.MULTILINE)
    assert len(placed) == 6 and {task for _, task in placed} == {"0", "1"}
    run(blocks("how-to/training_loops.md")[0], trained)
    together, alone = [checkpoint(run, trained, folder=folder) for folder in ("distributed", "monitored")]
    assert together["step"] == alone["step"] == 26  # 16 of Keras's own
    for name in ("kernel", "bias", "mean"):
        close(together[name], alone[name])


def test_the_pages_are_linked():
    pages = {path.name for path in (DOCS / "how-to").glob("*.md")} - {"README.md"}
    linked = (DOCS / "how-to/README.md").read_text(encoding="utf-8")
    listed = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    assert all(f"({page})" in linked and f"how-to/{page}" in listed for page in pages)
