"""The state file `checkpoint` of a folder: which exports there are, the newest last.

`tf.train.latest_checkpoint` reads it, in every TensorFlow. Names in it are relative to the folder, so the folder can be
moved. It is always replaced in one step by a rename, and names no export whose files are gone.
"""

import os

import tensorflow as tf

from keras_gensynth_callback.checkpoint import scratch, storage
from keras_gensynth_callback.checkpoint.lock import locked

STATE_FILE = "checkpoint"


def listed(folder):
    """The exports that the state file names, relative to the folder, the newest last."""
    with storage.readable(folder, [STATE_FILE]) as place:
        try:
            state = tf.train.get_checkpoint_state(place)
        except ValueError:
            # Empty, or not even text: no state file, though it has the name of one.
            state = None
    if state is None:
        return []
    others = [path for path in state.all_model_checkpoint_paths if path != state.model_checkpoint_path]
    return [_relative(place, path) for path in others + [state.model_checkpoint_path]]


def names(folder, base):
    """Whether the state file names this export."""
    return base in listed(folder)


def append(folder, base, instead_of=None):
    """Makes `base` the newest export; `instead_of` is no longer listed."""
    _update(folder, lambda listing: [name for name in listing if name not in (base, instead_of)] + [base])


def rename(folder, old, new):
    """Lists the export `old` as `new`, at the same place."""
    _update(folder, lambda listing: [new if name == old else name for name in listing])


def forget(folder, bases):
    """Lists these exports no more. The state file goes with the last of them."""
    _update(folder, lambda listing: [name for name in listing if name not in bases])


def _update(folder, change):
    with locked(folder):
        before = listed(folder)
        after = [name for name in change(before) if _is_there(os.path.join(folder, name))]
        if after == before:
            return
        if after:
            _write(folder, after)
        else:
            storage.remove(os.path.join(folder, STATE_FILE))


def _write(folder, listing):
    # An absolute folder keeps TensorFlow from making the names relative a second time.
    absolute = os.path.abspath(folder)
    proto = tf.compat.v1.train.generate_checkpoint_state_proto(
        absolute, listing[-1], all_model_checkpoint_paths=listing
    )
    temporary = os.path.join(folder, scratch.new_name())
    try:
        storage.write_file(temporary, str(proto).encode("utf-8"))
        storage.move(temporary, os.path.join(folder, STATE_FILE))
    except BaseException:
        storage.remove(temporary)
        raise
    storage.sync_folder(folder)


def _is_there(prefix):
    return storage.exists(prefix + ".index") or storage.exists(prefix)


def _relative(folder, path):
    if not storage.is_local(folder):
        start = folder.rstrip("/") + "/"
        return path[len(start) :] if path.startswith(start) else path
    relative = os.path.relpath(path, folder)
    return path if relative.startswith(os.pardir) else relative
