"""Programs that convert graphs of TensorFlow 1.x take exports: freeze_graph, tf2onnx, OpenVINO.

Each runs as a program of its own, by the command that stands in its page of docs/how-to, once a model; what it makes
predicts what Keras predicts.
"""

import concurrent.futures
import importlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import converted_models
import numpy as np
import pytest
from find_reader import clean_environ
from needs import outside_matrix
from reader import reader_of

from keras_gensynth_callback import export_checkpoint

# Each of some twenty programs imports a TensorFlow.
pytestmark = [outside_matrix(reason="runs the programs of the dependency group `tools`"), pytest.mark.slow]

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
PACKAGES = {"freeze_graph": [], "tf2onnx": ["tf2onnx", "onnxruntime"], "OpenVINO": ["openvino"]}
MODELS = ["convnet", "masked_lstm_and_gru", "attention", "two_inputs_and_outputs"]
CASES = [(keras, model) for keras in ("keras", "tf_keras") for model in MODELS] + [("keras", "mobilenet")]
# What the pages say of trainable graphs: program, Keras, model, arguments of the export.
TRAINABLE = [
    ("freeze_graph", "keras", "convnet", {}),
    ("freeze_graph", "tf_keras", "masked_lstm_and_gru", {}),
    ("tf2onnx", "keras", "convnet", {}),
    ("tf2onnx", "tf_keras", "masked_lstm_and_gru", {}),
    ("OpenVINO", "keras", "convnet", {}),
    ("OpenVINO", "tf_keras", "masked_lstm_and_gru", {"include_optimizer": False}),
]

# Each reads a list of jobs, [graph, inputs, outputs, file of arrays to feed, file for results], and runs them one by
# one, so that an error is that of its own job.
JOBS = """
    import json, sys, traceback
    import numpy as np

    def main(predict):
        for graph, inputs, outputs, feeds, results in json.load(open(sys.argv[1])):
            try:
                with np.load(feeds) as arrays:
                    found = predict(graph, {name: arrays[name] for name in inputs}, inputs, outputs)
                np.savez(results, **dict(zip(outputs, found)))
            except Exception:
                with open(results + ".error", "w") as file:
                    file.write(traceback.format_exc())
"""
RUN = {
    "freeze_graph": """
    import tensorflow as tf

    def predict(graph, feeds, inputs, outputs):
        graph_def = tf.compat.v1.GraphDef()
        with open(graph, "rb") as file:
            graph_def.ParseFromString(file.read())
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            tf.import_graph_def(graph_def, name="")
            fed = {inputs[name]: array for name, array in feeds.items()}
            return session.run(list(outputs.values()), fed)

    main(predict)
    """,
    "tf2onnx": """
    import onnxruntime

    def predict(graph, feeds, inputs, outputs):
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        return session.run(list(outputs.values()), {inputs[name]: array for name, array in feeds.items()})

    main(predict)
    """,
    "OpenVINO": """
    PAGE = {page!r}

    def predict(graph, feeds, inputs, outputs):
        there = {{"feeds": feeds}}
        exec(PAGE.replace("exports/net.meta", graph), there)
        return [there["results"][name] for name in outputs]

    main(predict)
    """,
}


def blocks(page):
    """The blocks of a page, as a list of (language, code)."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def filled(text, placeholders):
    """`text` with what a page has as examples exchanged; each must stand there."""
    for example, value in placeholders.items():
        assert example in text, f"the page has no {example!r} in {text!r}"
        text = text.replace(example, value)
    return text


def command(program):
    """The command of a program, as its page has it."""
    (found,) = [code for _, code in blocks(f"{program}.md") if code.startswith("python -m ")]
    return found


def openvino_code():
    """The Python of OpenVINO's page, for any model."""
    (found,) = [code for language, code in blocks("openvino.md") if language == "python"]
    return filled(found, {'digit = predict({"image": images})["digit"]': "results = predict(feeds)"})


def missing(program):
    """What stands in the way of a program here, in words, or None."""
    packages = [name for name in PACKAGES[program] if importlib.util.find_spec(name) is None]
    if packages:
        return f"{program} needs {', '.join(packages)}: scripts/set-up tools"
    return None


class Export:
    """An export, with what Keras predicts for some inputs.

    Attributes:
        prefix: str.
        inputs, outputs: dict, Keras's name -> tensor.
        predictions: dict, output -> array.
    """

    def __init__(self, folder, keras_name, model_name, **options):
        keras = importlib.import_module(keras_name)
        model, arrays = converted_models.made(getattr(converted_models, model_name), keras)
        folder.mkdir()
        self.prefix = str(folder / "net")
        export_checkpoint(model, self.prefix, **options)
        tensors = json.loads((folder / "net.json").read_text())["tensors"]
        self.inputs, self.outputs = tensors["inputs"], tensors["outputs"]
        np.savez(f"{self.prefix}-feeds.npz", **dict(zip(self.inputs, arrays)))
        predicted = model(arrays if len(arrays) > 1 else arrays[0], training=False)
        predicted = predicted if isinstance(predicted, (list, tuple)) else [predicted]
        self.predictions = {name: np.array(values) for name, values in zip(self.outputs, predicted)}

    def graph(self, program):
        """Which file the program makes, and what runs is given."""
        suffix = {"freeze_graph": "pb", "tf2onnx": "onnx", "OpenVINO": "meta"}[program]
        return f"{self.prefix}.{suffix}"

    def convert(self, program, python):
        """Runs the page's command for the program; returns what it printed where it failed."""
        outputs, graph = ",".join(self.outputs.values()), self.graph(program)
        if program == "freeze_graph":
            nodes = outputs.replace(":0", "")
            examples = {"exports/net": self.prefix, "digit/Softmax": nodes, "net.pb": graph}
        else:
            inputs = ",".join(self.inputs.values())
            examples = {"exports/net": self.prefix, "image:0": inputs, "digit/Softmax:0": outputs, "net.onnx": graph}
        words = shlex.split(filled(command(program), examples).replace("\\\n", " "))
        done = subprocess.run(
            [python, "-W", "ignore", *words[1:]],
            cwd=os.path.dirname(self.prefix),
            env=clean_environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
        )
        return None if done.returncode == 0 and os.path.exists(graph) else done.stdout

    def job(self, program):
        """What `JOBS` wants to know of this export."""
        return [
            self.graph(program),
            self.inputs,
            self.outputs,
            f"{self.prefix}-feeds.npz",
            f"{self.prefix}-{program}.npz",
        ]


@pytest.fixture(scope="module")
def pythons():
    """dict, program -> the Python that runs it, or, as an exception, why there is none."""
    found = {}
    for program in PACKAGES:
        try:
            found[program] = python_of(program)
        except (pytest.skip.Exception, pytest.fail.Exception) as reason:
            found[program] = reason
    return found


def python_of(program):
    """The Python for a program. Where something is missing the test is skipped, or, in CI, fails."""
    if program == "freeze_graph":
        return reader_of("1.15").python
    reason = missing(program)
    if reason is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return sys.executable


@pytest.fixture(scope="module")
def exports(pythons, tmp_path_factory):
    """All exports, each converted by the programs that are meant for it: dict, (Keras, model, options) -> Export, and
    dict, (program, *key) -> what the program said where it failed.
    """
    root, made, said = tmp_path_factory.mktemp("exports"), {}, {}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for key, programs in wanted(pythons).items():
            keras_name, model_name, options = key
            made[key] = Export(root / str(len(made)), keras_name, model_name, **dict(options))
            for program in set(programs) - {"OpenVINO"}:
                said[(program, *key)] = pool.submit(made[key].convert, program, pythons[program])
    return made, {key: future.result() for key, future in said.items()}


def wanted(pythons):
    """dict, (Keras, model, options) -> the programs for it that are there."""
    found = {}
    for program in PACKAGES:
        if isinstance(pythons[program], str):
            for case in CASES:
                found.setdefault((*case, inference()), []).append(program)
    for program, keras_name, model_name, options in TRAINABLE:
        if isinstance(pythons[program], str):
            found.setdefault((keras_name, model_name, tuple(options.items())), []).append(program)
    return found


def inference():
    return (("graph", "inference"),)


@pytest.fixture(scope="module")
def predict(pythons, exports, tmp_path_factory):
    """`predict(program, key)` returns what the program makes of an export: dict, output -> array."""
    folder, (made, said) = tmp_path_factory.mktemp("jobs"), exports
    for program, python in pythons.items():
        if isinstance(python, str):
            keys = [key for key, programs in wanted(pythons).items() if program in programs]
            jobs = [made[key].job(program) for key in keys if said.get((program, *key)) is None]
            run(program, python, jobs, folder)

    def predict(program, key):
        if not isinstance(pythons[program], str):
            raise pythons[program]
        assert said.get((program, *key)) is None, f"{program} failed:\n{said[(program, *key)]}"
        results = Path(made[key].job(program)[-1])
        error = Path(f"{results}.error")
        assert not error.exists(), error.read_text()
        return dict(np.load(results))

    return predict


def run(program, python, jobs, folder):
    """Runs what a program made: all jobs in one process."""
    code = RUN[program].format(page=openvino_code()) if program == "OpenVINO" else RUN[program]
    (folder / f"{program}.py").write_text(textwrap.dedent(JOBS) + textwrap.dedent(code))
    (folder / f"{program}.json").write_text(json.dumps(jobs))
    command = [python, "-I", "-W", "ignore", folder / f"{program}.py", folder / f"{program}.json"]
    subprocess.run(command, env=clean_environ(), check=True, timeout=600)


def check(predicted, export):
    assert set(predicted) == set(export.predictions)
    for name, expected in export.predictions.items():
        assert np.abs(expected).max() > 0
        np.testing.assert_allclose(predicted[name], expected, rtol=0, atol=1e-5 * np.abs(expected).max(), err_msg=name)


@pytest.mark.parametrize("program", PACKAGES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_what_programs_make_of_inference_graphs_predicts_what_keras_predicts(predict, exports, program, case):
    key = (*case, inference())
    check(predict(program, key), exports[0][key])


@pytest.mark.parametrize("case", TRAINABLE, ids=lambda case: "-".join(case[:3]))
def test_what_the_page_says_of_trainable_graphs_holds(predict, exports, case):
    program, keras_name, model_name, options = case
    key = (keras_name, model_name, tuple(options.items()))
    check(predict(program, key), exports[0][key])


def test_the_page_says_how_such_an_export_is_made():
    (code,) = [code for _, code in blocks("README.md") if "export_checkpoint" in code]
    assert code == 'export_checkpoint(model, "exports/net", graph="inference")\n'
