"""The contract, with the older targets in the TensorFlow of that version: fewer models, the same checks."""

import carried_models
import plain_models
import pytest
from contract import *  # noqa: F403
from reader import OLDER_TARGETS, reader_of
from replayed import replay
from tensorflow.core.protobuf import meta_graph_pb2

pytestmark = pytest.mark.slow

# Convolution and batch normalisation; dropout; recurrent layers with masks, embeddings with sparse gradients;
# attention; a train step of the user's own.
MODELS = [
    plain_models.sequential_convnet,
    carried_models.dropout_noise_and_augmentation,
    plain_models.masked_embedding_and_lstm,
    plain_models.attention,
    carried_models.own_train_and_test_step,
]


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def replayed(request, tmp_path_factory):  # noqa: F811
    readers = [reader_of(target) for target in OLDER_TARGETS]
    return replay(MODELS, request.param, readers, tmp_path_factory.mktemp(request.param))


@pytest.fixture(
    params=[
        pytest.param((target, make.__name__), marks=NEEDS.get(make, ()))  # noqa: F405
        for target in OLDER_TARGETS
        for make in MODELS
    ],
    ids="-".join,
)
def case(request, replayed):  # noqa: F811
    target, name = request.param
    found = replayed[name].checked(target)
    found.target = target
    return found


def test_what_stands_around_the_graph_is_for_the_target(case):
    meta = meta_graph_pb2.MetaGraphDef.FromString((case.folder / "net.meta").read_bytes())
    there = case.facts["tensorflow"]
    assert there["version"].startswith(case.target + ".")
    assert meta.meta_info_def.tensorflow_version == case.target
    assert meta.graph_def.versions.producer == there["graph_def_version"]
    assert meta.graph_def.versions.min_consumer <= there["graph_def_version"]
    used = {node.op for node in meta.graph_def.node}
    assert {op.name for op in meta.meta_info_def.stripped_op_list.op} == used
    assert there["ops that differ"] == []
