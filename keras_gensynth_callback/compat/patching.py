"""A patch that is scoped and undone."""

import contextlib
import types

import wrapt


@contextlib.contextmanager
def patched(owner, name, wrapper):
    """Wraps the attribute `name` of `owner` with a wrapt wrapper function, for the time of the block."""
    own = name in vars(owner)
    original = getattr(owner, name)
    # object.__setattr__ keeps Keras models, which track what is set on them, out of it.
    kind = next(kind for kind in (type, types.ModuleType, object) if isinstance(owner, kind))
    put, drop = kind.__setattr__, kind.__delattr__
    before = vars(owner).get(name)
    put(owner, name, wrapt.FunctionWrapper(original, wrapper))
    try:
        yield
    finally:
        if own:
            put(owner, name, before)
        else:
            drop(owner, name)
