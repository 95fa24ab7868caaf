"""Runs test modules of Keras and notes what they make, instead of what they find out.

`run_layer_test` notes its arguments and returns; losses, metrics and optimizers note what they are made with, and the
first values that they get. Whether a test passes is of no interest. `fit` ends a test, and so does the clock.
"""

import contextlib
import inspect
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import TestCase
from keras.src.testing.test_case import create_eager_tensors

from .configurations import Array, Configuration, bound_arguments

SOURCE = Path(inspect.getfile(TestCase)).parent.parent
FOLDERS = ("layers", "losses", "metrics", "optimizers")
# Test modules that are left out, with the reason.
LEFT_OUT = {
    "layers/core/export_lib_test.py": "is about another export",
    "layers/layer_test.py": "is about what classes of its own do",
    "utils/jax_layer_test.py": "needs JAX",
    "utils/torch_utils_test.py": "needs PyTorch",
}
# Seconds for a test.
LIMIT = 20


def modules(pattern=""):
    """The test modules of Keras whose path holds `pattern`: list of Path."""
    found = [path for folder in FOLDERS for path in sorted((SOURCE / folder).rglob("*_test.py"))]
    return [path for path in found if pattern in str(path) and str(path.relative_to(SOURCE)) not in LEFT_OUT]


def recorded(paths):
    """Runs test modules; returns a list of Configuration, with equal ones."""
    recorder = Recorder()
    with recorder.patches():
        arguments = ["-p", "no:cacheprovider", "--continue-on-collection-errors", "--assert=plain", "-W", "ignore"]
        pytest.main([*arguments, "--rootdir", str(SOURCE), "-c", "/dev/null", *map(str, paths)], plugins=[recorder])
    return recorder.found


class Recorder:
    """A pytest plugin that notes configurations, and the patches of Keras that tell it of them."""

    def __init__(self):
        self.found, self._test, self._made = [], "", {}

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if _makes_some(item)]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        self._test = item.nodeid.rpartition("/")[2]
        with _at_most(LIMIT):
            yield
        self._made.clear()
        _as_before()

    @contextlib.contextmanager
    def patches(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(_put(TestCase, "run_layer_test", self._layer_test()))
            stack.enter_context(_put(keras.Model, "fit", _ends_the_test))
            for kind in ("losses", "metrics", "optimizers"):
                for cls in _classes(getattr(keras, kind)):
                    stack.enter_context(_put(cls, "__init__", self._noting(kind, cls)))
                    for method in {"losses": ["__call__"], "metrics": ["update_state"]}.get(kind, ()):
                        stack.enter_context(_put(cls, method, self._called(getattr(cls, method))))
            yield

    def _layer_test(self):
        recorder, signature = self, inspect.signature(TestCase.run_layer_test)

        def run_layer_test(self, *args, **kwargs):
            given = signature.bind(self, *args, **kwargs).arguments
            call_kwargs = {k: v for k, v in (given.get("call_kwargs") or {}).items() if k != "training"}
            recorder._note("layers", given["layer_cls"], given["init_kwargs"] or {}, _layer_inputs(given), call_kwargs)

        return run_layer_test

    def _note(self, kind, cls, kwargs, *more):
        self.found.append(Configuration(kind, cls, kwargs, self._test, *more))
        return self.found[-1]

    def _noting(self, kind, cls):
        init, recorder = cls.__init__, self

        def noting(self, *args, **kwargs):
            init(self, *args, **kwargs)
            # Not where a subclass calls it.
            if type(self) is cls:
                with contextlib.suppress(TypeError):
                    noted = recorder._note(kind, cls, bound_arguments(init, args, kwargs))
                    recorder._made[id(self)] = self, noted

        return noting

    def _called(self, method):
        recorder = self

        def called(self, *args, **kwargs):
            noted = recorder._made.get(id(self))
            if noted and noted[1].inputs is None:
                with contextlib.suppress(Exception):
                    values = [*args, *(kwargs[k] for k in ("values", "y_true", "y_pred") if k in kwargs)]
                    noted[1].inputs = [np.array(tf.convert_to_tensor(v)) for v in values[:2]]
            return method(self, *args, **kwargs)

        return called


def _makes_some(item):
    """Whether a test says that it makes what is noted; those of layers do much else, and take their time."""
    return SOURCE / "layers" not in item.path.parents or "run_layer_test" in inspect.getsource(item.function)


def _layer_inputs(given):
    """The inputs of a layer's test: a structure of Array; or None where it has none."""
    form = "sparse" if given.get("input_sparse") else "ragged" if given.get("input_ragged") else "dense"
    shape, dtype, data = (given.get(name) for name in ("input_shape", "input_dtype", "input_data"))
    if shape is not None:
        dtype = dtype or keras.tree.map_shape_structure(lambda _: "float32", shape)
        drawn = create_eager_tensors(shape, dtype, False, False)
        return keras.tree.map_structure(lambda value: Array(np.array(value), form, drawn=True), drawn)
    return None if data is None else keras.tree.map_structure(_given, data)


def _given(value):
    if isinstance(value, tf.SparseTensor):
        return Array(tf.sparse.to_dense(value), "sparse")
    if isinstance(value, tf.RaggedTensor):
        return Array(value.to_tensor(), "ragged")
    return Array(value)


def _ends_the_test(self, *args, **kwargs):
    pytest.skip("trains")


def _classes(module):
    return [item for _, item in sorted(vars(module).items()) if inspect.isclass(item)]


def _as_before():
    """What a test may have left set for all of Keras."""
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")


@contextlib.contextmanager
def _put(owner, name, value):
    own, before = name in vars(owner), getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before) if own else delattr(owner, name)


@contextlib.contextmanager
def _at_most(seconds):
    def stop(number, frame):
        raise TimeoutError(f"not done after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
