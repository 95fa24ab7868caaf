"""Runs test modules of Keras and notes what they make, instead of what they find out.

`run_layer_test` notes its arguments and returns; losses, metrics and optimizers note what they are made with, and the
first values that they get. Whether a test passes is of no interest. `fit` ends a test, and so does the clock.
"""

import contextlib
import inspect
import pickle
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from breadth.suite import at_most
from keras.src.testing import TestCase
from keras.src.testing.test_case import create_eager_tensors

from keras_gensynth_callback.compat import patched

from . import LEFT_OUT
from .configurations import Array, Configuration, bound_arguments

SOURCE = Path(inspect.getfile(TestCase)).parent.parent
FOLDERS = ("layers", "losses", "metrics", "optimizers")
# What test modules import, and the wheel does not bring along; the tests that are run do not use it.
STAND_INS = ("grain", "conftest")
# Seconds of the processor for a test.
LIMIT = 20


def modules(pattern=""):
    """The test modules of Keras whose path holds `pattern`: list of Path."""
    found = [path for folder in FOLDERS for path in sorted((SOURCE / folder).rglob("*_test.py"))]
    return [path for path in found if pattern in str(path) and str(path.relative_to(SOURCE)) not in LEFT_OUT]


def recorded(paths):
    """Runs test modules; returns a list of Configuration, with equal ones."""
    if not paths:
        return []
    recorder = Recorder()
    with recorder.patches(), _stand_ins():
        arguments = ["-p", "no:cacheprovider", "--continue-on-collection-errors", "--assert=plain", "-W", "ignore"]
        pytest.main([*arguments, "--rootdir", str(SOURCE), "-c", "/dev/null", *map(str, paths)], plugins=[recorder])
    return recorder.found


def recorded_once(paths, kept):
    """The same, from the file `kept` if it is there; else it is written. What cannot be kept is noted again."""
    if not kept.exists():
        found = recorded(paths)
        lasting = [each for each in found if _lasts(each)]
        others = sorted({each.module for each in found if not _lasts(each)})
        kept.write_bytes(pickle.dumps((lasting, others)))
        return found
    with _stand_ins():
        # A layer that a test module has itself is loaded with that module.
        lasting, others = pickle.loads(kept.read_bytes())
    return lasting + [each for each in recorded(others) if not _lasts(each)]


def _lasts(configuration):
    try:
        return bool(pickle.dumps(configuration))
    except Exception:
        return False


class Recorder:
    """A pytest plugin that notes configurations, and the patches of Keras that tell it of them."""

    def __init__(self):
        self.found, self._test, self._module, self._made = [], "", None, {}

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if _makes_some(item)]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item):
        self._test, self._module = item.nodeid.rpartition("/")[2], item.path
        with at_most(LIMIT):
            yield
        self._made.clear()
        _as_before()

    @contextlib.contextmanager
    def patches(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(patched(TestCase, "run_layer_test", self._layer_test))
            stack.enter_context(patched(keras.Model, "fit", _ends_the_test))
            for kind in ("losses", "metrics", "optimizers"):
                for cls in _classes(getattr(keras, kind)):
                    stack.enter_context(patched(cls, "__init__", self._noting(kind, cls)))
                    for method in {"losses": ["__call__"], "metrics": ["update_state"]}.get(kind, ()):
                        stack.enter_context(patched(cls, method, self._called))
            yield

    def _layer_test(self, run_layer_test, test, args, kwargs):
        given = inspect.signature(run_layer_test).bind(*args, **kwargs).arguments
        call_kwargs = {k: v for k, v in (given.get("call_kwargs") or {}).items() if k != "training"}
        self._note("layers", given["layer_cls"], given["init_kwargs"] or {}, _layer_inputs(given), call_kwargs)

    def _note(self, kind, cls, kwargs, *more):
        self.found.append(Configuration(kind, cls, kwargs, self._test, *more, module=self._module))
        return self.found[-1]

    def _noting(self, kind, cls):
        def noting(init, made, args, kwargs):
            init(*args, **kwargs)
            # Not where a subclass calls it.
            if type(made) is cls:
                with contextlib.suppress(TypeError):
                    self._made[id(made)] = made, self._note(kind, cls, bound_arguments(init, args, kwargs))

        return noting

    def _called(self, method, made, args, kwargs):
        _, noted = self._made.get(id(made), (None, None))
        if noted and noted.inputs is None:
            with contextlib.suppress(Exception):
                values = [*args, *(kwargs[k] for k in ("values", "y_true", "y_pred") if k in kwargs)]
                noted.inputs = [np.array(tf.convert_to_tensor(v)) for v in values[:2]]
        return method(*args, **kwargs)


@contextlib.contextmanager
def _stand_ins():
    made = {name: types.ModuleType(name) for name in STAND_INS}
    made["conftest"].skip_if_backend = lambda backend, reason: pytest.mark.skipif(
        backend == "tensorflow", reason=reason
    )
    before = {name: sys.modules[name] for name in made if name in sys.modules}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name in made:
            del sys.modules[name]
        sys.modules.update(before)


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


def _ends_the_test(*_):
    pytest.skip("trains")


def _classes(module):
    return [item for _, item in sorted(vars(module).items()) if inspect.isclass(item)]


def _as_before():
    """What a test may have left set for all of Keras."""
    keras.config.set_dtype_policy("float32")
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
