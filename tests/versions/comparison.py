"""What a writer wrote, replayed in TensorFlow 1.15 and held to the bounds of the contract."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
from find_reader import clean_environ, find_reader

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
REPLAY = REPOSITORY / "tests" / "helpers" / "replay_in_tf1.py"
BOUNDS = {"predict": 1e-5, "evaluate": 1e-5, "average loss": 1e-5, "loss": 1e-5, "after": 1e-5, "trained": 1e-4}
# The columns of the table, and the models that each stands for, eagerly and in graph mode.
MODELS = {
    "CNN": ("sequential_convnet",),
    "masked RNN": ("masked_embedding_and_lstm", "masked_words"),
    "subclassed, own metric": ("subclassed_with_everything_custom", "custom_layer_loss_and_metric"),
}
CHECKS = {"load_checkpoint": "load_checkpoint_of", "refused in time": "refused_in_time", "convert": "model_file_of"}
YES = "yes"

_CONVERT = """
import sys
from keras_gensynth_callback import convert_model_file
convert_model_file(sys.argv[1] + "/net.h5", sys.argv[1] + "/export")
"""
_REPLAY_CONVERTED = """
import os, sys
import numpy as np
import tensorflow as tf
v1 = tf.compat.v1
load = lambda name: np.load(os.path.join(sys.argv[1], name + ".npy"))
prefix = os.path.join(sys.argv[1], "export")
meta = v1.MetaGraphDef()
with open(prefix + ".meta", "rb") as file:
    meta.ParseFromString(file.read())
session = v1.Session()
v1.train.import_meta_graph(meta).restore(session, prefix)
serving, train = meta.signature_def["serving_default"], meta.signature_def["train"]
(source,), (result,) = serving.inputs.values(), serving.outputs.values()
(target,) = [tensor.name for key, tensor in train.inputs.items() if key.endswith("_target")]
found = [session.run(result.name, {source.name: load("x")})]
feeds = {source.name: load("x"), target: load("y"), "keras_learning_phase:0": True}
session.run(v1.get_collection("train_op")[0], feeds)
found.append(session.run(result.name, {source.name: load("x")}))
for name, bound, value in zip(("predictions", "stepped"), (1e-5, 1e-4), found):
    np.testing.assert_allclose(value, load(name), rtol=bound, atol=bound, err_msg=name)
"""


def compared(folder):
    """dict, a column of the table -> "yes", "refused: ..." or what is wrong, of a folder that a writer has written."""
    folder = pathlib.Path(folder)
    _run([find_reader(), "-I", "-W", "ignore", str(REPLAY), str(folder)])
    errors = json.loads((folder / "said.json").read_text())["errors"]
    found = {}
    for column, names in MODELS.items():
        found[column] = next(_model(folder, name) for name in names if _was_tried(folder, name))
    for column, check in CHECKS.items():
        found[column] = _last_line(errors[check]) if check in errors else YES
    if found["convert"] == YES:
        found["convert"] = _converted(folder / "h5")
    return found


def _was_tried(folder, name):
    return (folder / name).exists() or (folder / (name + ".error")).exists()


def _model(folder, name):
    error = folder / (name + ".error")
    if error.exists():
        return _last_line(error.read_text())
    facts = json.loads((folder / name / "replay.json").read_text())
    if "error" in facts:
        return _last_line(facts["error"])
    want, got = (dict(np.load(folder / name / file)) for file in ("keras.npz", "replay.npz"))
    wrong = [line for kind, bound in BOUNDS.items() for line in _differences(kind, bound, want, got)]
    wrong += [f"no gradient of {variable}" for variable in facts["without gradient"]]
    missing = {"predict", "evaluate", "trained"} - {key.split("/")[0] for key in want}
    wrong += [f"Keras said nothing of {kind}" for kind in sorted(missing)] if "accuracy" in str(want) else []
    return "; ".join(wrong) or YES


def _differences(kind, bound, want, got):
    for key in [key for key in want if key.split("/")[0] == kind]:
        if key not in got:
            yield f"{key} is missing"
        elif got[key].shape != want[key].shape:
            yield f"{key} has the shape {got[key].shape} instead of {want[key].shape}"
        else:
            error = np.abs(got[key].astype("f8") - want[key]).max() / max(np.abs(want[key]).max(), 1e-6)
            if not error <= bound:
                yield f"{key} differs by {error:.1e}"


def _converted(folder):
    environ = dict(clean_environ(), PYTHONPATH=str(REPOSITORY))
    for command in ([sys.executable, "-W", "ignore", "-c", _CONVERT], [find_reader(), "-c", _REPLAY_CONVERTED]):
        try:
            _run([*command, str(folder)], environ)
        except RuntimeError as error:
            return str(error)
        environ = None
    return YES


def _run(command, environ=None):
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ or clean_environ(),
        encoding="utf-8",
        cwd=os.path.expanduser("~"),
    )
    if done.returncode:
        raise RuntimeError(_last_line(done.stderr))


def _last_line(text):
    """The line of a traceback that says what it is."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    tells = [line for line in lines if "Error" in line.split(" ")[0]]
    return (tells or lines or ["nothing was said"])[-1][:300]
