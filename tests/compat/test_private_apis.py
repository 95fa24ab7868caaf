"""Every name that TensorFlow and the Kerases do not promise, touched where it is defined.

A release that moves one of them fails here, and says which, before it fails in a user's training.
"""

import inspect
import sys

import numpy as np
import pytest
import tensorflow as tf
import wrapt
from kerases import private_module
from needs import needs
from tensorflow.python.distribute.values import PerReplicaSpec
from tensorflow.python.eager.function import ConcreteFunction
from tensorflow.python.framework import function, op_def_registry, ops
from tensorflow.python.framework.convert_to_constants import _run_inline_graph_optimization
from tensorflow.python.ops import control_flow_ops, functional_ops, gen_math_ops
from tensorflow.python.ops.control_flow_state import _ControlFlowState

from keras_gensynth_callback import compat as tf_private
from keras_gensynth_callback.compat import functions
from keras_gensynth_callback.graph import op_types
from keras_gensynth_callback.lift.tf1_forms.tensor_arrays import single_slot_arrays
from keras_gensynth_callback.lift.tracing.tracer import v1_control_flow

pytestmark = needs(tf="2.11", reason="earlier versions have other private names")

X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def built(keras):
    layers = keras.layers
    dense = layers.Dense(2, activity_regularizer="l2", name="dense")
    return keras.Sequential([keras.Input((3,), name="x"), dense, layers.Dropout(0.5), layers.Dense(1, name="y")])


def trained(keras, eager=True):
    model = built(keras)
    model.compile("adam", "mse", metrics=["mae"], run_eagerly=eager)
    model.fit(X, Y, verbose=0)
    return model


# TensorFlow: compat/


def test_a_function_graph_stands_beside_the_graph_of_a_session():
    with tf.Graph().as_default() as graph:
        outside = tf.constant(1.0)
        before = len(graph.get_operations())
        built = tf_private.function_graph(lambda x: x + outside, [tf.TensorSpec([2])])
        assert not tf_private.eager_outside_of_functions()
    assert len(graph.get_operations()) == before
    assert built.captured_inputs == [outside] and len(built.inputs) == 2
    assert tf_private.eager_outside_of_functions()


def test_functions_run_eagerly_inside_of_the_block_alone():
    with tf_private.functions_run_eagerly():
        assert tf.config.functions_run_eagerly()
    assert not tf.config.functions_run_eagerly()


@pytest.mark.parametrize("converts", [True, False])
def test_a_function_tells_its_python_and_whether_autograph_converts_it(converts):
    def gate(x):
        return x if x > 0 else -x

    function = tf.function(gate, autograph=converts)
    with tf.Graph().as_default(), tf_private.python_of(function) as python:
        if converts:
            assert tf.is_tensor(python(tf.constant(1.0)))
        else:
            assert python is gate


def test_autograph_has_a_status_that_keras_asks_for():
    status = tf.__internal__.autograph.control_status_ctx
    before = status().status
    with tf_private.autograph_status(True):
        assert status().status.name == "ENABLED"
        with tf_private.autograph_status(False):
            assert status().status.name == "DISABLED"
    assert status().status is before


def test_each_call_of_a_function_goes_through_its_class():
    seen = []

    def wrapper(wrapped, function, args, kwargs):
        seen.append(args)
        return wrapped(*args, **kwargs)

    with tf_private.function_calls(wrapper):
        tf.function(lambda x: x)(1)
    assert seen == [(1,)]


def test_a_context_lists_the_merges_that_stand_in_it():
    with v1_control_flow(), tf.Graph().as_default() as graph:
        inside = []

        def branch():
            inside.append(tf.constant(1))
            return inside[0]

        tf.cond(tf.compat.v1.placeholder(tf.bool), branch, lambda: tf.constant(2))
        context = inside[0].op._control_flow_context
        merged = tf.raw_ops.Merge(inputs=[tf.constant(1), tf.constant(2)]).output
        merged.op._set_control_flow_context(context)
        tf_private.list_outputs_in_contexts(graph)
        assert merged.name in context.to_proto().values_def.values


def test_gradients_in_graphs_all_go_through_one_function():
    with tf.Graph().as_default(), tf_private.gradients_of_graphs(lambda theirs, ys, xs, grads: ["ours"]):
        x = tf.constant(1.0)
        assert tf.gradients(x * x, x) == ["ours"]


def test_what_stands_for_the_result_of_a_function_waits_for_its_writes():
    with tf.Graph().as_default(), tf_private.functions_run_eagerly():
        variable = tf.compat.v1.get_variable("v", [], use_resource=True)

        def update():
            variable.assign_add(1.0)

        with functions.functions_wait_for_their_writes():
            done = tf.function(update, autograph=False)()
    assert {op.type for op in done.control_inputs} == {"AssignAddVariableOp"}


def test_the_graph_mode_engine_has_what_its_steps_are_made_of(keras2):
    backend, base_layer_v1 = private_module(keras2, "backend"), private_module(keras2, "engine.base_layer_v1")
    engine = private_module(keras2, "engine.training_v1")
    names = ("_make_train_function", "_prepare_total_loss", "_handle_metrics", "_get_trainable_state")
    assert all(callable(getattr(engine.Model, name)) for name in names)
    assert callable(base_layer_v1.Layer.get_updates_for)
    endpoint = engine._TrainingEndpoint(1, "y", None, training_target=engine._TrainingTarget(2), sample_weight=3)
    assert (endpoint._output, endpoint.training_target._target, endpoint.sample_weight) == (1, 2, 3)
    assert callable(backend.learning_phase) and callable(backend.get_session) and callable(backend.batch_set_value)


def test_gradient_functions_are_looked_up_as_tf_gradients_does():
    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32, [2])
        assert callable(tf_private.gradient_function(tf.square(x).op))
        assert tf_private.gradient_function(tf.shape(x).op) is None
        with pytest.raises(LookupError):
            tf_private.gradient_function(tf.raw_ops.Bucketize(input=x, boundaries=[0.0]).op)


def test_tapes_are_told_of_operations_and_variables():
    variable, x = tf.Variable(2.0), tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.constant(6.0)
        functions.tape.variable_accessed(variable)
        functions.record.record_operation("own", [y], [x], lambda gradient: [5.0 * gradient])
    assert tape.gradient(y, x) == 5.0 and tape.watched_variables() == (variable,)


def test_what_can_be_differentiated_is_known_by_its_type():
    assert [tf_private.can_be_differentiated(op) for op in ("Square", "Shape", "Bucketize")] == [True, False, False]
    assert ops.get_gradient_function


def test_an_op_can_be_added_to_a_loop_that_is_finished():
    inner = []

    def body(i):
        inner.append(i + 1)
        return inner[0]

    with v1_control_flow(), tf.Graph().as_default() as graph:
        tf.compat.v1.while_loop(lambda i: i < 3, body, [tf.constant(0)])
        with tf_private.inside_context_of(inner[0].op):
            added = tf.square(inner[0])
        assert added.op._get_control_flow_context() is inner[0].op._get_control_flow_context()
        assert graph._get_control_flow_context() is None
        with pytest.raises(ValueError, match="is in a while loop"):
            tf.square(inner[0])


def test_sample_weights_are_multiplied_without_an_assertion():
    from tensorflow.python.ops import weights_broadcast_ops

    with tf.Graph().as_default() as graph, tf_private.broadcasts_unasserted():
        placeholder = tf.compat.v1.placeholder
        weights_broadcast_ops.broadcast_weights(placeholder(tf.float32, [None]), placeholder(tf.float32, [None]))
    assert "Assert" not in {op.type for op in graph.get_operations()}


def test_a_func_graph_that_is_asked_builds_v1_control_flow():
    def traced(x):
        tf_private.ask_for_v1_control_flow(tf.compat.v1.get_default_graph())
        return tf.cond(x > 0, lambda: x, lambda: -x)

    with v1_control_flow(), tf_private.identity_inside_contexts():
        function = tf.function(traced, autograph=False)
        graph = function.get_concrete_function(tf.TensorSpec([], tf.float32)).graph
    types = {op.type for op in graph.get_operations()}
    assert {"Switch", "Merge"} <= types
    assert not types & {"If", "StatelessIf"}


@pytest.mark.parametrize("context", ["CondContext", "WhileContext"])
def test_control_flow_contexts_add_ops_through_one_method(context):
    context = getattr(control_flow_ops, context)
    assert "_AddOpInternal" in vars(context)
    with tf_private.identity_inside_contexts():
        assert vars(context)["_AddOpInternal"] is not inspect.unwrap(vars(context)["_AddOpInternal"])


def test_tensors_are_compared_as_the_equality_flag_says():
    assert tf.Tensor._USE_EQUALITY is True
    tf.compat.v1.disable_tensor_equality()
    try:
        assert tf.Tensor._USE_EQUALITY is False
    finally:
        tf.compat.v1.enable_tensor_equality()


def test_devices_are_listed_by_methods_of_the_context_and_by_one_function():
    """lift/tracing/devices.py"""
    names = {name for _, name, _ in tf_private.device_lists()}
    assert {"list_logical_devices", "list_physical_devices", "num_gpus", "list_local_devices"} <= names
    assert all(callable(getattr(owner, name)) for owner, name, _ in tf_private.device_lists())
    assert {device.device_type for device in tf.config.list_logical_devices("CPU")} == {"CPU"}


# TensorFlow: functions, conditionals and masks


def test_graphs_of_functions_note_which_variables_are_watched():
    variable, handles = tf.Variable(1.0), []

    def traced():
        handles.append(tf_private.watched_handle(variable))
        return tf.constant(0)

    graph = tf.function(traced, autograph=False).get_concrete_function().graph
    assert handles[0] is variable.handle
    assert any(watched is variable for watched in graph.variables)


def test_calls_of_concrete_functions_come_by_one_method_with_their_tensors_first():
    parameters = list(inspect.signature(ConcreteFunction._call_flat).parameters)
    assert parameters[:3] == ["self", "tensor_inputs", "captured_inputs"]
    inner = tf.function(lambda x: x * 3.0).get_concrete_function(tf.TensorSpec([], tf.float32))
    with tf_private.concrete_functions_inlined():
        graph = tf.function(lambda x: inner(x) + 1.0, autograph=False)
        types = {op.type for op in graph.get_concrete_function(tf.TensorSpec([], tf.float32)).graph.get_operations()}
    assert "Mul" in types
    assert not types & {"PartitionedCall", "StatefulPartitionedCall"}


def test_a_restored_function_says_what_it_takes_by_position(tmp_path):
    module = tf.Module()
    module.scaled = tf.function(lambda x, training=False, factor=2.0: x * factor if training else x)
    x = tf.ones([2])
    for training in (False, True):
        module.scaled.get_concrete_function(x, training, 2.0)
    tf.saved_model.save(module, str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path)).scaled
    assert tf_private.arguments_of_restored(loaded, (x,), {"training": True}) == ((x, True, 2.0), {})
    assert tf_private.arguments_of_restored(module.scaled, (x,), {"training": True}) == ((x,), {"training": True})
    args, kwargs = tf_private.arguments_of_restored(loaded, (), {"x": x, "factor": 2.0})
    np.testing.assert_array_equal(loaded.python_function(*args, **kwargs), x)


def test_functions_are_inlined_as_for_tensorflow_lite():
    inner = tf.function(lambda x: x * 3.0)
    outer = tf.function(lambda x: inner(x) + 1.0).get_concrete_function(tf.TensorSpec([], tf.float32))
    graph_def = _run_inline_graph_optimization(outer, lower_control_flow=True, aggressive_inlining=True)
    assert {"Mul", "AddV2"} <= {node.op for node in graph_def.node}


def test_loops_of_defuns_keep_their_python():
    @function.Defun(tf.int32)
    def condition(i):
        return i < 3

    @function.Defun(tf.int32)
    def body(i):
        return [i + 1]

    assert list(inspect.signature(functional_ops.While).parameters)[:3] == ["input_", "cond", "body"]
    assert callable(condition._func) and callable(body._func)
    with tf.Graph().as_default() as graph, tf_private.loops_of_defuns_inlined():
        with v1_control_flow():
            functional_ops.While([tf.constant(0)], condition, body)
        types = {op.type for op in graph.get_operations()}
    assert "LoopCond" in types and "While" not in types


def test_branches_of_v1_are_built_by_a_method_that_takes_their_python():
    parameters = list(inspect.signature(control_flow_ops.CondContext.BuildCondBranch).parameters)
    assert parameters == ["self", "fn"]
    with tf.Graph().as_default(), v1_control_flow(), tf_private.branches_without_result():
        flag = tf.compat.v1.placeholder(tf.bool, [])
        with pytest.raises(ValueError):
            tf.cond(flag, lambda: tf.constant(1), lambda: None)
        tf.cond(flag, lambda: None, lambda: None)


def test_ops_know_their_control_flow_context():
    with tf.Graph().as_default(), v1_control_flow():
        flag = tf.compat.v1.placeholder(tf.bool, [])
        inside = []
        tf.cond(flag, lambda: inside.append(tf.constant(1)) or inside[0], lambda: tf.constant(2))
        context = inside[0].op._control_flow_context
        assert isinstance(context, control_flow_ops.CondContext)
        assert context is inside[0].op._get_control_flow_context()
        assert context.outer_context is None and context.IsWhileContext() is False
        waiting = tf.constant(3).op
        waiting._add_control_input(flag.op)
        assert list(waiting.control_inputs) == [flag.op]


def test_where_builds_its_op_by_one_function():
    assert list(inspect.signature(gen_math_ops.select_v2).parameters) == ["condition", "t", "e", "name"]
    seen = []

    def build(wrapped, instance, args, kwargs):
        seen.append(wrapped(*args, **kwargs).op.type)
        return wrapped(*args, **kwargs)

    with tf.Graph().as_default(), tf_private.patched(gen_math_ops, "select_v2", build):
        tf.where(tf.constant([True]), [1.0], [2.0])
    assert seen == ["SelectV2"]


# TensorFlow: lift/tf1_forms/tensor_arrays.py


def test_v1_loops_are_built_by_a_method_with_known_arguments():
    parameters = list(inspect.signature(control_flow_ops.WhileContext.BuildLoop).parameters)
    assert parameters == ["self", "pred", "body", "loop_vars", "shape_invariants", "return_same_structure"]


def test_defuns_are_called_by_two_classes():
    square = function.Defun(tf.float32)(lambda x: x * x)
    twice = function.Defun()(lambda x: x + x)
    with tf.Graph().as_default() as graph, tf_private.defuns_inlined():
        twice(square(tf.constant(3.0)))
    assert {op.type for op in graph.get_operations()} <= {"Const", "Mul", "Add", "AddV2"}
    assert "__call__" in vars(type(square)) and not isinstance(vars(type(square))["__call__"], wrapt.FunctionWrapper)


def test_a_session_of_keras_runs_no_op_of_a_trace():
    with tf.Graph().as_default() as outside, tf.compat.v1.Session() as session:
        one = tf.constant(1.0)

        def body():
            with tf_private.initialisers_left_out():
                assert session.run(tf.no_op()) is None
                assert session.run(one) == 1.0

        tf_private.function_graph(body, [])
    assert "run" not in vars(tf.compat.v1.Session) and outside is one.graph


def test_v1_loops_end_their_gradient_with_one_method():
    assert list(inspect.signature(_ControlFlowState.PostProcessing).parameters) == ["self"]


def test_both_are_exchanged_for_the_time_of_a_block():
    kept = control_flow_ops.WhileContext.BuildLoop, _ControlFlowState.PostProcessing
    with single_slot_arrays():
        assert control_flow_ops.WhileContext.BuildLoop is not kept[0]
        assert _ControlFlowState.PostProcessing is not kept[1]
    assert (control_flow_ops.WhileContext.BuildLoop, _ControlFlowState.PostProcessing) == kept


# TensorFlow: op_types.py


def test_the_definition_of_an_op_is_found_by_its_name():
    assert [argument.name for argument in op_types.op_definition("MatMul").input_arg] == ["a", "b"]
    assert op_types.op_definition("NoSuchOp") is None
    assert op_def_registry.get


# Both Kerases: lift/adapters/keras3.py, lift/adapters/tf_keras.py, training/first_batch.py


def test_layers_at_any_depth_are_flattened(keras):
    inner = built(keras)
    outer = keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(1, name="last")])
    names = {layer.name for layer in outer._flatten_layers()}
    assert {outer.name, inner.name, "dense", "y", "last"} <= names


def test_a_train_function_is_called_with_the_iterator(keras):
    model, seen = trained(keras, eager=False), []
    original = model.train_function
    assert callable(original)
    model.train_function = lambda iterator: seen.append(iterator.element_spec) or original(iterator)
    model.fit(X, Y, verbose=0)
    assert [len(spec) for spec in seen] == [2]


def test_a_model_knows_its_history(keras):
    model = trained(keras)
    first = model.history
    model.fit(X, Y, verbose=0)
    assert model.history is not first


def test_layers_keep_their_losses_in_lists(keras, keras_name):
    layers = list(built(keras)._flatten_layers())
    names = {"keras": ("_losses", "_loss_ids")}.get(keras_name, ("_losses", "_eager_losses"))
    for layer in layers:
        for name in names:
            assert isinstance(getattr(layer, name), (list, set)), (layer, name)


# Keras 3


def test_keras_3_keeps_the_structure_of_inputs(keras3):
    model = keras3.Sequential([keras3.Input((3,)), keras3.layers.Dense(1)])
    assert tf.nest.flatten(model._functional._inputs_struct)
    inputs = {"a": keras3.Input((3,), name="a"), "b": keras3.Input((3,), name="b")}
    functional = keras3.Model(inputs, keras3.layers.Add()([inputs["a"], inputs["b"]]))
    assert set(functional._inputs_struct) == {"a", "b"}


def test_keras_3_tells_the_shapes_that_a_subclassed_model_was_built_with(keras3):
    class Net(keras3.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras3.layers.Dense(1)

        def call(self, inputs):
            return self.dense(inputs)

    model = Net()
    model(X)
    shapes = [shape for key, shape in model.get_build_config().items() if key.endswith("shape")]
    assert [tuple(shape) for shape in shapes] == [(8, 3)]


def test_keras_3_enters_a_name_scope_that_knows_its_caller(keras3):
    layer = keras3.layers.Dense(1)
    with tf.Graph().as_default(), keras3.name_scope("dense", caller=layer) as scope:
        assert scope.caller is layer
        assert scope.name == "dense"
        # What is patched; `keras.name_scope` may be derived from it.
        assert isinstance(scope, sys.modules["keras.src.backend"].name_scope)


def test_keras_3_normalizes_batches_in_call(keras3):
    parameters = list(inspect.signature(keras3.layers.BatchNormalization.call).parameters)
    assert parameters == ["self", "inputs", "training", "mask"]


def test_keras_3_names_slots_after_the_paths_of_weights(keras3):
    model = trained(keras3)
    paths = {variable.path for variable in model.optimizer.variables}
    assert {"adam/iteration", "adam/learning_rate"} <= paths
    for variable in model.trainable_variables:
        assert f"adam/{variable.path.replace('/', '_')}_momentum" in paths


def test_keras_3_says_whether_a_call_takes_training(keras3):
    assert built(keras3)._call_has_training_arg is True


def test_keras_3_lists_what_a_layer_keeps_itself(keras3):
    """lift/tf1_forms/time_distributed.py"""
    layers = keras3.layers
    model = keras3.Sequential([keras3.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.5)])
    kept = [[len(layer._non_trainable_variables), len(layer._seed_generators)] for layer in (model, *model.layers)]
    assert kept == [[0, 0], [2, 0], [0, 1]]
    assert layers.Dense(1)._call_has_mask_arg is False
    assert list(inspect.signature(layers.TimeDistributed.call).parameters) == ["self", "inputs", "training", "mask"]


def test_keras_3_says_of_recurrent_layers_whether_they_must_use_cudnn(keras3):
    """lift/tracing/devices.py"""
    assert keras3.layers.LSTM(2, use_cudnn=True).use_cudnn is True


# tf_keras


def test_tf_keras_keeps_the_learning_rate_outside_of_the_optimizers_variables(keras2):
    optimizer = trained(keras2).optimizer
    assert isinstance(optimizer._learning_rate, tf.Variable)
    assert optimizer._built is True


def test_tf_keras_names_slots_after_the_names_of_weights(keras2):
    model = trained(keras2)
    names = {variable.name for variable in model.optimizer.variables}
    for variable in model.trainable_variables:
        assert f"Adam/m/{variable.name}" in names


def test_tf_keras_says_whether_a_model_is_compiled(keras2):
    assert trained(keras2)._is_compiled is True
    assert not built(keras2)._is_compiled


def test_tf_keras_draws_layer_seeds_from_a_generator_that_can_be_put_back(keras2):
    backend = private_module(keras2, "backend")

    keras2.utils.set_random_seed(0)
    generator = backend._SEED_GENERATOR.generator
    state = generator.getstate()
    drawn = generator.random()
    generator.setstate(state)
    assert generator.random() == drawn


def test_tf_keras_tells_the_shapes_that_a_model_was_called_with(keras2):
    args, _ = trained(keras2).save_spec(dynamic_batch=True)
    assert tf.nest.flatten(args)[0].shape.as_list() == [None, 3]


# What model.py needs to make `GenSynthModel`


def test_functional_models_have_a_class_of_their_own(keras, keras_name):
    from keras_gensynth_callback.training.model import _functional_class

    inputs = keras.Input((3,))
    assert type(keras.Model(inputs, keras.layers.Dense(1)(inputs))) is _functional_class(keras.Model)


# Both Kerases: lift/tf1_forms/optimizers.py

SLOTS = {
    "SGD": ({"momentum": 0.9}, ["momentums"]),
    "Adam": ({"amsgrad": True}, ["_momentums", "_velocities", "_velocity_hats"]),
    "AdamW": ({}, ["_momentums", "_velocities"]),
    "Adamax": ({}, ["_m", "_u"]),
    "RMSprop": ({"momentum": 0.9, "centered": True}, ["_velocities", "_momentums", "_average_gradients"]),
    "Adadelta": ({}, ["_accumulated_grads", "_accumulated_delta_vars"]),
    "Ftrl": ({}, ["_accumulators", "_linears"]),
}


@pytest.mark.parametrize("name", SLOTS)
def test_optimizers_keep_their_slots_in_lists_in_the_order_of_the_variables(keras, keras_name, name):
    arguments, slots = SLOTS[name]
    optimizer = getattr(keras.optimizers, name)(**arguments)
    model = built(keras)
    optimizer.build(model.trainable_variables)
    parameters = list(inspect.signature(optimizer.update_step).parameters)
    assert parameters[1:] == (["variable", "learning_rate"] if keras_name == "keras" else ["variable"])
    for index, variable in enumerate(model.trainable_variables):
        if keras_name == "keras":
            assert optimizer._get_variable_index(variable) == index
        else:
            assert optimizer._index_dict[optimizer._var_key(variable)] == index
        for slot in slots:
            assert tuple(getattr(optimizer, slot)[index].shape) == tuple(variable.shape)


def test_keras_3_has_no_slots_for_sgd_without_momentum(keras3):
    optimizer = keras3.optimizers.SGD()
    optimizer.build(built(keras3).trainable_variables)
    assert not optimizer.momentums


# tf_keras: lift/adapters/tf_keras.py


def test_tf_keras_nadam_counts_its_traces_and_keeps_a_product(keras2):
    model = built(keras2)
    model.compile("nadam", "mse")
    model.fit(X, Y, verbose=0)
    assert isinstance(model.optimizer._u_product_counter, int) and model.optimizer._u_product_counter > 1
    assert isinstance(model.optimizer._u_product, tf.Variable)


def test_tf_keras_makes_a_variable_of_zeros_in_its_backend(keras2):
    backend = private_module(keras2, "backend")

    assert list(inspect.signature(backend.zeros).parameters) == ["shape", "dtype", "name"]
    assert isinstance(backend.zeros((2,)), tf.Variable)


def test_tf_keras_layers_draw_from_generators_with_a_seed_that_moves(keras2):
    layer = keras2.layers.Dropout(0.5, seed=3)
    generator = layer._random_generator
    before = generator._seed
    assert callable(generator.make_legacy_seed)
    generator.make_legacy_seed()
    assert (before, generator._seed) == (3, 4)


# tf.distribute: compat/replicas.py, lift/adapters/keras3.py


def test_outside_of_strategies_a_mirrored_variable_is_the_first_of_its_copies():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        variable = tf.Variable(1.0)
        with tf_private.outside_of_strategies():
            assert not tf.distribute.has_strategy()
            assert variable.handle is strategy.experimental_local_results(variable)[0].handle
        assert tf.distribute.get_strategy() is strategy


def test_the_spec_of_distributed_batches_keeps_one_for_each_replica():
    spec = tf.TensorSpec([None, 3])
    assert tf_private.spec_of_one_replica(PerReplicaSpec(spec, spec)) == spec
    assert tf_private.spec_of_one_replica(spec) == spec


def test_keras_3_builds_metrics_from_the_spec_of_a_batch(keras3):
    model = built(keras3)
    model.compile("sgd", "mse", metrics=["mae"])
    model._symbolic_build(data_batch=(tf.TensorSpec([None, 3]), tf.TensorSpec([None, 1])))
    assert model._compile_metrics.built and model.optimizer.built


def test_a_tf_function_lists_what_it_was_called_with():
    function = tf.function(lambda data: data[0])
    function((tf.zeros([2, 3]), tf.zeros([2])))
    assert [spec.shape.as_list() for spec in tf_private.specs_of_calls(function)[0]] == [[2, 3], [2]]
    assert tf_private.specs_of_calls(len) == []


def test_the_spec_of_an_iterator_keeps_that_of_its_elements():
    iterator = iter(tf.data.Dataset.from_tensors(tf.zeros([3])))
    function = tf.function(lambda source: next(source))
    function(iterator)
    assert tf_private.element_spec_of(tf_private.specs_of_calls(function)[0]) == tf.TensorSpec([3])
    assert tf_private.element_spec_of(tf.TensorSpec([3])) == tf.TensorSpec([3])
