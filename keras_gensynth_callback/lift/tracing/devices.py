"""A trace that does not depend on the devices that are there.

Keras asks for GPUs while it builds layers and steps: for cuDNN's LSTM and GRU, for the format of convolutions, for XLA.
What it builds then stands in no graph that a CPU can run, and differs from machine to machine. So while a trace is
made, the thread that makes it sees CPUs only.
"""

import contextlib
import sys
import threading
from typing import Any, Tuple

import tensorflow as tf

from keras_gensynth_callback.compat import device_lists, patched

# What Keras remembers of its first question: (module, function, the answer where there are only CPUs).
_REMEMBERED: Tuple[Tuple[str, str, Any], ...] = (
    ("keras.src.backend.tensorflow.nn", "_cpu_only", True),  # Keras 3.13 on, cached
    # Graph mode of Keras 2, which has been in all these places.
    ("tf_keras.src.backend", "_get_available_gpus", []),
    ("keras.src.backend", "_get_available_gpus", []),
    ("keras.backend", "_get_available_gpus", []),
    ("tensorflow.python.keras.backend", "_get_available_gpus", []),
    ("tensorflow_core.python.keras.backend", "_get_available_gpus", []),
)
_PUBLIC = ("list_logical_devices", "list_physical_devices", "get_visible_devices")


@contextlib.contextmanager
def cpus_only():
    """Inside of the block, this thread is told of CPUs only, whoever asks and by whichever name."""
    tracing = threading.get_ident()

    def cpus(wrapped, instance, args, kwargs):
        found = wrapped(*args, **kwargs)
        return [device for device in found if device.device_type == "CPU"] if _asks(tracing) else found

    def none(wrapped, instance, args, kwargs):
        return 0 if _asks(tracing) else wrapped(*args, **kwargs)

    with contextlib.ExitStack() as stack:
        for owner in (tf.config, getattr(tf.config, "experimental", None)):
            for name in _PUBLIC:
                if hasattr(owner, name):
                    stack.enter_context(patched(owner, name, cpus))
        for owner, name, counts in device_lists():
            stack.enter_context(patched(owner, name, none if counts else cpus))
        for module, name, answer in _REMEMBERED:
            if hasattr(sys.modules.get(module), name):
                stack.enter_context(patched(sys.modules[module], name, _answering(answer, tracing)))
        yield


def _asks(thread):
    return threading.get_ident() == thread


def _answering(answer, thread):
    return lambda wrapped, instance, args, kwargs: answer if _asks(thread) else wrapped(*args, **kwargs)


@contextlib.contextmanager
def without_cudnn(layers):
    """Inside of the block, recurrent layers that are told `use_cudnn=True` may do without, as those with "auto" do."""
    asked = [layer for layer in layers if getattr(layer, "use_cudnn", None) is True]
    for layer in asked:
        layer.use_cudnn = "auto"
    try:
        yield
    finally:
        for layer in asked:
            layer.use_cudnn = True


@contextlib.contextmanager
def standard_loops(keras):
    """Inside of the block, an LSTM or a GRU of Keras 2 in a graph is the loop that runs on any device.

    Keras 2 builds it, the one for cuDNN and the gradients of both, as functions that grappler may exchange, and most of
    the time that a trace takes goes there (tf_keras/src/layers/rnn/lstm.py, `lstm_with_backend_selection`).
    """
    with contextlib.ExitStack() as stack:
        for name in ("LSTM", "GRU"):
            module, kind = sys.modules[getattr(keras.layers, name).__module__], name.lower()
            if hasattr(module, f"{kind}_with_backend_selection"):
                stack.enter_context(patched(module, f"{kind}_with_backend_selection", _standard(module, kind)))
        yield


def _standard(module, kind):
    tracing = threading.get_ident()

    def either(wrapped, instance, args, kwargs):
        return (getattr(module, f"standard_{kind}") if _asks(tracing) else wrapped)(*args, **kwargs)

    return either
