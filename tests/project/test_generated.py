"""The generator of models: its recipes, how they shrink, and that it finds a fault that is planted."""

import json

import numpy as np
import pytest
import tensorflow as tf
from generated.backends import drawn_for
from generated.building import build
from generated.comparison import complaints
from generated.draw import Draw
from generated.oracle import Result
from generated.recipes import recipe
from generated.shrinking import shrink
from generated.workers import Died, Worker, replay_worker


def test_same_seed_gives_the_same_recipe():
    assert [recipe(seed) for seed in range(30)] == [recipe(seed) for seed in range(30)]
    assert len({json.dumps(recipe(seed)) for seed in range(200)}) == 200


def test_draws_are_the_same_in_every_python():
    draw = Draw(17)
    assert [draw.whole(1, 6) for _ in range(8)] == [4, 5, 6, 2, 5, 5, 4, 1]


def test_recipe_is_plain_data():
    assert all(json.loads(json.dumps(recipe(seed))) == recipe(seed) for seed in range(50))


def test_recipes_hold_what_people_write():
    text = json.dumps([recipe(seed) for seed in range(300)])
    for part in (
        '"kind": "dropout", "rate": 0.5',
        '"momentum": 0.5',
        '"auc"',
        '"thresholds"',
        '"nesterov": true',
        '"global_clipnorm"',
        '"ema"',
        '"accumulate"',
        '"mask_zero": true',
        '"recurrent_dropout"',
        '"kind": "residual"',
        '"kind": "shared"',
        '"kind": "nested"',
        '"frozen": true',
        '"class_weight"',
        '"train_step"',
        '"kind": "raw"',
        '"structure": "dict"',
        '"style": "subclass"',
    ):
        assert part in text, part


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_recipes_for_other_backends_have_nothing_that_runs_on_tensorflow_only(backend):
    drawn = [drawn_for(backend, recipe(seed)) for seed in range(300)]
    for part in ('"words"', '"string_lookup"', '"integer_lookup"', '"hashing"', '"clipped"', '"twice"'):
        assert part not in json.dumps(drawn)
    for part in ('"train_step": "scaled"', '"category_encoding"', '"own_noise"', '"style": "subclass"', '"dataset"'):
        assert part in json.dumps(drawn)
    assert ("steps_per_execution" in json.dumps(drawn)) == (backend == "jax")


def test_recipes_for_tensorflow_are_as_they_are_drawn():
    assert drawn_for("tensorflow", recipe(3)) == recipe(3)


@pytest.mark.filterwarnings("ignore:Layer .* does not support masking:UserWarning")
@pytest.mark.parametrize("seed", [2, 3, 6])
def test_recipe_becomes_a_model_that_trains(keras, seed):
    case = build(keras, recipe(seed), seed)
    case.model.fit(case.x, case.y, batch_size=16, sample_weight=case.sample_weight, verbose=0)
    assert all(np.isfinite(np.asarray(tf.convert_to_tensor(v))).all() for v in case.model.trainable_variables)


def _holds(value, wanted):
    """Whether a dict with these entries is anywhere within."""
    if isinstance(value, dict) and wanted.items() <= value.items():
        return True
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds(item, wanted) for item in values)


def test_shrinking_keeps_what_the_failure_needs_and_nothing_else():
    def fails(candidate):
        return _holds(candidate, {"kind": "dropout", "rate": 0.5}) and "auc" in json.dumps(candidate)

    seed = next(seed for seed in range(1000) if fails(recipe(seed)) and len(json.dumps(recipe(seed))) > 600)
    small = shrink(recipe(seed), fails, tries=500)
    assert fails(small)
    assert len(json.dumps(small)) < 160


def test_shrinking_gives_up_after_so_many_tries():
    asked = []
    shrink(recipe(3), lambda candidate: asked.append(candidate), tries=7)
    assert len(asked) == 7


def test_failures_of_one_kind_are_told_from_others():
    def kind(*lines):
        return Result("FALLS SHORT", lines).kind()

    assert kind("predict/0: differs by 0.1") == kind("predict/1: differs by 3e-4")
    assert kind("predict/0: differs by 0.1") != kind("trained/0: differs by 0.1")
    crash = "ValueError: Input 0 of node {}/Switch was passed float"
    assert Result("refused", [crash.format("a_1")]).kind() == Result("refused", [crash.format("b_2/c")]).kind()


SMALL = {
    "inputs": [{"kind": "vector", "blocks": [{"kind": "dense", "activation": "relu"}, {"kind": "batch_norm"}]}],
    "heads": [{"kind": "binary", "loss": "binary_crossentropy", "metrics": ["auc"]}],
    "optimizer": {"kind": "sgd"},
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small model, exported, and what Keras says of it."""
    import keras
    from generated.keras_program import export

    folder = tmp_path_factory.mktemp("generated")
    answer, movements = export(keras, SMALL, 1, folder)
    assert answer["outcome"] == "exported", answer
    return folder, {**answer, "moved": movements()}


@pytest.fixture(scope="module")
def replays(reader):
    worker = replay_worker()
    yield worker
    worker.close()


def _complaints(replays, folder, answer):
    replayed = replays.ask(folder=str(folder))
    wanted, got = (dict(np.load(folder / name)) for name in ("wanted.npz", "got.npz"))
    return complaints(wanted, answer["facts"], got, replayed, answer["moved"])


def test_good_export_gives_no_complaint(exported, replays):
    assert _complaints(replays, *exported) == []


def _planted(exported, tmp_path, change):
    """The export with another graph."""
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    folder, answer = exported
    meta = MetaGraphDef.FromString((folder / "net.meta").read_bytes())
    change(meta)
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "net.meta").write_bytes(meta.SerializeToString())
    return tmp_path, answer


def _relu_to_tanh(meta):
    for node in meta.graph_def.node:
        if node.op == "Relu":
            node.op = "Tanh"


def _placeholder(meta):
    node = meta.graph_def.node.add(name="lost", op="Placeholder")
    node.attr["dtype"].type = 1


def _no_metric(meta):
    del meta.signature_def["eval"].outputs["metrics/auc/value"]


def _no_train_op(meta):
    del meta.collection_def["train_op"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (_relu_to_tanh, "predict/0: differs by"),
        (_placeholder, "structure: the placeholder lost is in no signature"),
        (_no_metric, "structure: the metric auc is missing"),
        (_no_train_op, "structure: the collection train_op holds []"),
    ],
)
def test_planted_fault_is_found(exported, replays, tmp_path, change, found):
    assert any(found in line for line in _complaints(replays, *_planted(exported, tmp_path, change)))


def test_process_that_dies_is_said_and_started_anew():
    program = "import sys\nfor line in sys.stdin:\n  '1' in line and sys.exit('no more')\n  print('2', flush=True)"
    import sys

    worker = Worker([sys.executable, "-c", program], {}, limit=60)
    with pytest.raises(Died, match="exit status 1: no more"):
        worker.ask(value=1)
    assert worker.ask(value=3) == 2
    worker.close()
