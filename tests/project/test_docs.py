"""What the documentation says is so: its programs run, its messages are raised, its schema fits, and it is complete."""

import copy
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import jsonschema
import numpy as np
import pytest
import told_errors
from needs import outside_matrix

import keras_gensynth_callback as package
from keras_gensynth_callback import GenSynthExportCallback, errors, export_checkpoint

pytestmark = outside_matrix(reason="runs the programs in the documentation")

DOCS = pathlib.Path(__file__).parents[2] / "docs"
CLASSES = [name for name, value in vars(errors).items() if isinstance(value, type) and name != "GenSynthExportError"]


def blocks(page, language):
    """The blocks of a page in a language, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [code for its_language, code in found if its_language == language]


def test_the_reference_has_all_public_names():
    named = re.findall(r"^::: keras_gensynth_callback\.(\w+)$", (DOCS / "reference.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(package.__all__)


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "tutorials/README.md",
        *(path.relative_to(DOCS.parent) for path in sorted(DOCS.rglob("*.md"))),
    ],
    ids=str,
)
def test_links_lead_to_files(page):
    """On GitHub; those of the site are checked by `scripts/docs`."""
    page = DOCS.parent / page
    links = re.findall(r"\]\(([^)#:\s]+)[)#]", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


# --- errors ---


def of_error(name):
    """What docs/errors.md says of a class: its section."""
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    (found,) = re.findall(rf"^### {name}\n(.*?)(?=^### |\Z)", text, re.MULTILINE | re.DOTALL)
    return found


@pytest.mark.parametrize("name", CLASSES)
def test_each_error_is_explained(name):
    said = of_error(name)
    (base,) = [base for base in getattr(errors, name).__bases__ if base is not errors.GenSynthExportError]
    assert f"`{base.__name__}`." in said
    assert "**Why.**" in said and "**What to do.**" in said


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", CLASSES)
def test_its_message_is_the_one_that_is_raised(name, keras3, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras3.backend.clear_session()
    with pytest.raises(getattr(errors, name)) as caught:
        told_errors.CASES[name](keras3)
    (said,) = re.findall(r"^```text\n(.*?)^```$", of_error(name), re.MULTILINE | re.DOTALL)
    assert plain(said) == plain(str(caught.value))


def plain(message):
    """A message on one line, without what differs from machine to machine."""
    message = re.sub(r"process \d+", "process 4711", message.replace(os.getcwd() + os.sep, ""))
    return re.sub(r"\d+\.\d+\.\d+", "2.21.0", " ".join(message.split()))


# --- the manifest ---


@pytest.fixture(scope="module")
def schema():
    found = json.loads((DOCS / "manifest.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def model(keras, compiled=True):
    layers = [keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dropout(0.1), keras.layers.Dense(1)]
    made = keras.Sequential(layers)
    if compiled:
        made.compile("adam", "mse", metrics=["mae"])
    return made


def manifest_of(prefix):
    return json.loads(pathlib.Path(f"{prefix}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("options", [{}, {"graph": "inference"}, {"include_optimizer": False}, {"target": "current"}])
def test_manifests_fit_the_schema(keras, schema, tmp_path, options):
    for compiled in (True, False):
        export_checkpoint(model(keras, compiled), tmp_path / "net", **options)
        schema.validate(manifest_of(tmp_path / "net"))


def test_those_of_the_callback_fit_it_and_no_key_can_be_added_or_taken_away(keras, schema, tmp_path):
    data, export = np.ones((8, 3), "float32"), GenSynthExportCallback(tmp_path / "net")
    model(keras).fit(data, np.full((8, 1), np.inf, "float32"), verbose=0, callbacks=[export])
    manifest = manifest_of(export.latest_checkpoint)
    assert manifest["logs"]["loss"] in ("NaN", "Infinity")
    schema.validate(manifest)
    for path in ([], ["writer"], ["model"], ["tensors"], ["parameters"], ["retention"], ["files", "net.meta"]):
        for changed in changes_of(manifest, path):
            assert not schema.is_valid(changed), path


def changes_of(manifest, path):
    """A manifest with a key more, and without each of its keys, in the object at a path."""
    keys = at(manifest, path).keys() - {"retention"}  # which exports outside of `fit` do not have
    for key in [*keys, None]:
        changed = copy.deepcopy(manifest)
        if key is None:
            at(changed, path)["surplus"] = 1
        else:
            del at(changed, path)[key]
        yield changed


def at(value, path):
    for key in path:
        value = value[key]
    return value


# --- programs ---


@pytest.fixture(scope="module")
def quick_start(tmp_path_factory):
    """A folder in which the first program of the quick start has run."""
    folder = tmp_path_factory.mktemp("quick_start")
    (folder / "train.py").write_text(blocks("index.md", "python")[0], encoding="utf-8")
    subprocess.run([sys.executable, "-W", "ignore", "train.py"], cwd=folder, check=True, capture_output=True)
    return folder


def in_folder(code, folder):
    return f"import os\nos.chdir({str(folder)!r})\n{code}"


def test_the_quick_start_goes_there_and_back(quick_start, reader, run_command, monkeypatch, keras3):
    monkeypatch.chdir(quick_start)
    _, read = blocks("index.md", "python")
    assert reader.run(in_folder(read, quick_start)).startswith("[[")
    assert run_command(*blocks("index.md", "")[0].split()[1:]).exit_code == 0
    program = {}
    keras3.backend.clear_session()  # layers are named anew
    before_training = blocks("index.md", "python")[0].split("model.fit(")[0]
    exec(before_training, program)
    assert "conv2d/kernel" in package.load_checkpoint(program["model"], "exports/tuned")


@pytest.mark.slow
def test_tf_slim_trains_and_evaluates_an_export(quick_start, reader):
    train, evaluate = blocks("how-to/tf_slim.md", "python")
    reader.run(in_folder(train, quick_start))
    assert re.search(r"accuracy 0\.\d{4}", reader.run(in_folder(evaluate, quick_start)))
    values = """
        import sys, tensorflow as tf
        folder = sys.argv[1]
        for prefix in (folder + "/exports/net", tf.train.latest_checkpoint(folder + "/slim/train")):
            checkpoint = tf.train.load_checkpoint(prefix)
            names = ["training/Adam/iter", "batch_normalization/moving_mean", "conv2d/kernel"]
            print(*[abs(checkpoint.get_tensor(name)).sum() for name in names])
    """
    before, after = [line.split() for line in reader.run(values, quick_start).splitlines()]
    assert (before[0], after[0]) == ("16", "50")
    # UPDATE_OPS ran, and the optimizer.
    assert before[1] != after[1] and before[2] != after[2]


VARIABLES = """
    import sys, numpy as np, tensorflow as tf
    for folder in sys.argv[1:]:
        checkpoint = tf.train.load_checkpoint(tf.train.latest_checkpoint(folder))
        shapes = checkpoint.get_variable_to_shape_map()
        np.savez(folder + "/read.npz", **{name: checkpoint.get_tensor(name) for name in shapes})
"""


def variables_of(reader, *folders):
    """What is in the newest checkpoint of each folder: dicts, name -> value."""
    reader.run(VARIABLES, *folders)
    return [dict(np.load(folder / "read.npz")) for folder in folders]


def test_a_monitored_session_that_is_started_again_goes_on_with_all_slots(quick_start, reader):
    program, _ = blocks("how-to/training_loops.md", "python")
    at_once = program.replace('"monitored"', '"at_once"').replace("num_steps=10", "num_steps=20")
    for code in (program, program, at_once):
        reader.run(in_folder(code, quick_start))
    twice, once = variables_of(reader, quick_start / "monitored", quick_start / "at_once")
    assert twice["training/Adam/iter"] == once["training/Adam/iter"] == 36  # 16 of Keras's own
    assert set(twice) == set(once) and np.abs(once["conv2d/kernel/Momentum"]).max() > 0
    for name in ("conv2d/kernel/Momentum", "conv2d/kernel", "batch_normalization/moving_mean"):
        np.testing.assert_allclose(twice[name], once[name], rtol=1e-4, atol=1e-6)


def test_an_estimator_trains_evaluates_and_predicts_with_an_export(quick_start, reader):
    _, program = blocks("how-to/training_loops.md", "python")
    for steps in (10, 20):
        said = reader.run(in_folder(program, quick_start))
        assert re.search(rf"accuracy 0\.\d{{4}} of {steps} steps", said) and "predictions (10,)" in said, said
    (after,) = variables_of(reader, quick_start / "estimator")
    assert np.abs(after["conv2d/kernel/Momentum"]).max() > 0 and after["training/Adam/iter"] == 16


@pytest.mark.slow
def test_the_commands_of_the_page_run(quick_start, monkeypatch, reader):
    monkeypatch.chdir(quick_start)
    monkeypatch.setenv("KERAS_GENSYNTH_READER", reader.python)
    # A program without the package, as `run` takes it; it leaves the files that other commands want.
    program = blocks("index.md", "python")[0].split("np.savez(")[0]
    program = program.replace('callbacks=[GenSynthExportCallback("exports/net")]', "verbose=0")
    pathlib.Path("train.py").write_text(program + "model.save('net.h5')\nmodel.save('net.keras')\n")
    for name in ("exports/tuned", "saved/net"):
        copy_checkpoint("exports/net", name)
    (page,) = [code for code in blocks("command-line.md", "") if "keras-gensynth run" in code]
    status = {}
    for line in page.splitlines():
        command = line.split("#")[0].split()[1:]
        status[command[0]] = run_in_shell(command)
    done = dict.fromkeys(("run", "inspect", "report", "verify", "convert", "freeze", "downgrade", "doctor"), 0)
    assert status == dict(done, diff=1)  # the two differ: one was trained again


def copy_checkpoint(prefix, to):
    pathlib.Path(to).parent.mkdir(exist_ok=True)
    for path in pathlib.Path(prefix).parent.glob(pathlib.Path(prefix).name + ".*"):
        if path.suffix != ".json":
            shutil.copy(path, to + path.name[len(pathlib.Path(prefix).name) :])


def run_in_shell(command):
    """The exit status of `keras-gensynth` in a process of its own."""
    program = [sys.executable, "-W", "ignore", "-m", "keras_gensynth_callback", *command]
    return subprocess.run(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
