"""Models that are trained by their layers alone: their `train_step` calls an encoder, a generator or a student, and
never the model itself, as the examples of Keras for autoencoders, GANs and distillation do.

Such a model is never built, though all of its weights exist; and it need not have a `call` at all.
"""

import contextlib

from keras_gensynth_callback.compat import patched


def is_built(adapter):
    """Whether all weights of a model exist, as far as it tells."""
    if adapter.model.built:
        return all(layer.built for layer in adapter.layers())
    return (
        _has_built_layers(adapter)
        and adapter.is_subclassed()
        and adapter.overrides("train_step")
        and not adapter.overrides("build")
    )


def _has_built_layers(adapter):
    inner = [layer for layer in adapter.layers() if layer is not adapter.model]
    return bool(inner) and all(layer.built for layer in inner)


def predicts(adapter):
    """Whether a model has something to predict with."""
    return not adapter.is_subclassed() or adapter.overrides("call") or adapter.overrides("predict_step")


@contextlib.contextmanager
def left_unbuilt(adapter):
    """Inside of the block, a model whose layers are built is called without being built by it."""
    model = adapter.model
    if model.built or not _has_built_layers(adapter):
        yield
        return
    with contextlib.ExitStack() as stack:
        if hasattr(model, "_set_save_spec"):  # tf_keras keeps what a model is first called with
            stack.enter_context(patched(model, "_set_save_spec", lambda *_: None))
        # Not by its own __setattr__, which tracks what is set.
        object.__setattr__(model, "built", True)
        try:
            yield
        finally:
            object.__setattr__(model, "built", False)
