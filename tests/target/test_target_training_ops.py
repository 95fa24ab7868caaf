"""Training ops that an older target lacks move variables and slots as the ops do; `test_old_targets` has them in it."""

import numpy as np
import pytest
import tensorflow as tf
from needs import needs

from keras_gensynth_callback.graph import EditableGraph
from keras_gensynth_callback.target import fit_to_target

v1 = tf.compat.v1
pytestmark = needs(tf="2.4", reason="its ops are those of the older targets")


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_written_and_added(nesterov):
    with tf.Graph().as_default() as graph:
        weight, slot = (v1.get_variable(name, initializer=[1.0, 2.0], use_resource=True) for name in ("weight", "slot"))
        step = {"lr": 0.1, "grad": [0.5, -0.5], "momentum": 0.9}
        op = tf.raw_ops.ResourceApplyKerasMomentum(
            var=weight.handle, accum=slot.handle, use_nesterov=nesterov, name="step", **step
        )
        start, reads = v1.global_variables_initializer().name, [weight.value().name, slot.value().name]
    assert op is None or op.name == "step"
    editable = EditableGraph(graph.as_graph_def())
    fit_to_target(editable, "1.12")
    assert "ResourceApplyKerasMomentum" not in {node.op for node in editable.nodes.values()}
    found, expected = (values(graph_def, start, reads) for graph_def in (editable.graph_def(), graph.as_graph_def()))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def values(graph_def, start, reads):
    """What two steps make of the variables."""
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        session.run(start)
        for _ in range(2):
            session.run("step")
        return session.run(reads)
