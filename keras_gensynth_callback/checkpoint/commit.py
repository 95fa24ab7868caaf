"""Writes one export so that nobody ever sees half of it.

At every moment, and after a kill at any moment, whatever the state file `checkpoint` names is complete: `.meta`,
`.index`, `.data` and `.json` of one and the same export. The steps:

1. All files are written in a scratch folder beside their destination, and flushed. A full disk ends here. (For a store
   that TensorFlow does not know they are written on this machine, and step 3 sends them.)
2. What already stands under the prefix gets second names (hard links) in the scratch folder, and a journal that names
   the prefix is put beside them. If the state file names the prefix, it now names the second names instead.
3. The new files are moved to their places, the manifest last. One rename cannot move four files, which is why nobody
   must be looking.
4. The state file names the prefix again, as the newest. This rename is the commit.
5. The journal is removed, then the scratch folder, and with it the last name of the old files.

An error in 2 or 3 is undone: the old files get their names back. A kill cannot be undone by the one who was killed, so
each write first looks for scratch folders that nobody works with, and undoes what their journals say. No flag tells
whether 4 was reached, only the state file itself: it names the prefix before 2 and after 4, when there is nothing to
undo.

Between a kill in step 3 and the next write, the state file names a folder `.gensynth-tmp-...`, which holds the export
before this one; any TensorFlow reads it there. The prefix itself may then be a mixture: hence, ask the state file.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional

import tensorflow as tf

from keras_gensynth_callback.errors import CheckpointWriteError, GenSynthExportError

from . import manifest as manifests
from . import names, scratch, state, storage, values
from .local import OddFileError
from .lock import locked

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Path, Tensor

logger = logging.getLogger("keras_gensynth_callback")

_PREVIOUS = "previous"
_WAYS_OUT = {
    errno.ENOSPC: "The disk is full: free some space, or keep fewer exports (max_to_keep).",
    errno.EDQUOT: "The quota is used up: free some space, or keep fewer exports (max_to_keep).",
    errno.EFBIG: "The file is larger than this process may write here: raise its limit (ulimit -f).",
    errno.EACCES: "Give this process the right to write there, or choose another folder.",
    errno.ENOSYS: "This file system cannot rename files, which no safe write goes without: choose another folder.",
    errno.EROFS: "This file system is read-only: choose another folder.",
    errno.EISDIR: "Move that folder away, or choose another name.",
}
_ERRNO_OF = {
    tf.errors.ResourceExhaustedError: errno.ENOSPC,
    tf.errors.PermissionDeniedError: errno.EACCES,
    tf.errors.UnimplementedError: errno.ENOSYS,
}
# A file name has at most 255 bytes.
_LARGEST_JOURNAL = 1024


def write_checkpoint(
    prefix: Path,
    tensors: Mapping[str, Tensor],
    meta_graph: bytes,
    manifest: Dict[str, Any],
    check: Optional[Callable[[str], object]] = None,
) -> List[str]:
    """Writes an export, in full or not at all, and makes it the newest of its folder.

    Args:
        prefix: str or PathLike, for example `exports/net`. Missing folders are made. An export that stands there
            already is replaced.
        tensors: Mapping from a name in the graph to its value: eager tensor, `tf.Variable` or array.
        meta_graph: bytes, the serialized MetaGraphDef.
        manifest: dict, written as `<prefix>.json` with `files` (size and SHA-256 of each file) added. The dict itself
            is not changed.
        check: called with the prefix under which the files are complete but not yet to be seen; what it raises ends the
            write as an error of the disk does.

    Returns:
        The paths of the files of the export.

    Raises:
        InvalidArgumentError: nothing can be written under this prefix, or there are no tensors.
        CheckpointWriteError: writing failed; what stood at the prefix before stands there still.
    """
    prefix = names.as_text(prefix)
    with reported(prefix):
        folder, base = names.split_prefix(prefix)
        values.check_tensors(tensors)
        storage.make_folders(folder)
        recover(folder)
        storage.check_space(folder, len(meta_graph) + values.size_of(tensors))
        with scratch.scratch_folder(folder) as workplace:
            with storage.place_to_write(os.path.join(workplace, "new")) as new:
                _stage(new, base, tensors, meta_graph, manifest)
                if check is not None:
                    check(os.path.join(new, base))
                files = sorted(names.files_of(os.path.join(new, base)))
                with locked(folder):
                    _publish(workplace, new, folder, base)
    return [prefix + suffix for suffix in files]


@contextlib.contextmanager
def reported(
    prefix: Path, outcome: str = "written (what stood there before is intact)", what: str = "The checkpoint"
) -> Iterator[None]:
    """Turns errors of the operating system and of TensorFlow's file layer into CheckpointWriteError."""
    try:
        yield
    except GenSynthExportError:
        raise
    except (OSError, tf.errors.OpError) as error:
        code = getattr(error, "errno", None) or _ERRNO_OF.get(type(error), 0)
        way_out = _WAYS_OUT.get(code, "Check that its folder is there and can be written to, or choose another one.")
        cause = getattr(error, "message", None) or str(error)
        raise CheckpointWriteError(
            f"{what} {prefix!r} could not be {outcome}: {cause.rstrip('.')}. {way_out}"
        ) from error


def recover(folder: str) -> None:
    """Undoes what writers that were killed left half done in this folder, as far as it can be."""
    with locked(folder):
        for path in scratch.abandoned(folder):
            # What only has the name of a scratch folder, a link say, is removed and not looked into.
            if storage.kind(path) != "folder" or _is_undone(path, folder):
                scratch.discard(path)


def _is_undone(workplace: str, folder: str) -> bool:
    """Undoes what the journal of a scratch folder says. Whether nobody needs the folder any more."""
    try:
        _undo_unless_committed(workplace, folder)
    except _NoJournal as error:
        logger.warning("Nothing of %r, which was left behind, is put back: %s.", workplace, error)
        return not _is_named(workplace, folder)
    except (OSError, tf.errors.OpError) as error:
        # The next write tries again. Until then the state file names what lies there.
        logger.warning("What is in %r, which was left behind, cannot be put back: %s", workplace, error)
        return False
    return True


def _is_named(workplace: str, folder: str) -> bool:
    start = os.path.basename(workplace) + "/"
    return any(name.startswith(start) for name in state.listed(folder))


def _stage(new: str, base: str, tensors: Mapping[str, Tensor], meta_graph: bytes, manifest: Dict[str, Any]) -> None:
    staged = os.path.join(new, base)
    values.save_tensors(staged, tensors)
    storage.write_file(staged + names.META, meta_graph)
    records = manifests.file_records(names.files_of(staged).values())
    storage.write_file(staged + names.MANIFEST, manifests.dump(dict(manifest, files=records)))
    storage.sync_folder(new)


def _publish(workplace: str, new: str, folder: str, base: str) -> None:
    try:
        _drop_unchanged_meta_graph(new, folder, base)
        _set_aside(workplace, folder, base)
        state.rename(folder, base, _name_aside(workplace, base))
        _move_in(new, folder, base)
        state.append(folder, base, instead_of=_name_aside(workplace, base))
    except BaseException:
        _is_undone(workplace, folder)
        raise
    # The export is committed. Should this fail, the next write finds that nothing is to be undone, and cleans up.
    with contextlib.suppress(OSError, tf.errors.OpError):
        storage.remove(os.path.join(workplace, scratch.JOURNAL))


def _drop_unchanged_meta_graph(new: str, folder: str, base: str) -> None:
    staged, there = os.path.join(new, base + names.META), os.path.join(folder, base + names.META)
    if storage.kind(there) == "file" and storage.size(there) == storage.size(staged):
        if storage.read_file(there) == storage.read_file(staged):
            storage.remove(staged)


def _set_aside(workplace: str, folder: str, base: str) -> None:
    previous = os.path.join(workplace, _PREVIOUS)
    storage.make_new_folder(previous)
    for suffix, path in names.files_of(os.path.join(folder, base)).items():
        storage.link(path, os.path.join(previous, base + suffix))
    storage.sync_folder(previous)
    # Renamed into place, for half a name would be the name of another export.
    draft = os.path.join(workplace, "draft")
    storage.write_file(draft, base.encode("utf-8"))
    storage.move(draft, os.path.join(workplace, scratch.JOURNAL))
    storage.sync_folder(workplace)


def _move_in(new: str, folder: str, base: str) -> None:
    staged, prefix = os.path.join(new, base), os.path.join(folder, base)
    moved = names.files_of(staged)
    # Where there is an index the data is there, and where there is a manifest all is.
    storage.remove(prefix + names.MANIFEST)
    for suffix in sorted(moved, key=[names.META, names.DATA, names.INDEX, names.MANIFEST].index):
        storage.move(staged + suffix, prefix + suffix)
    for suffix, path in names.files_of(prefix).items():
        # The other shards of what another program wrote here. An unchanged `.meta` stays.
        if suffix not in moved and suffix != names.META:
            storage.remove(path)
    storage.sync_folder(folder)


def _undo_unless_committed(workplace: str, folder: str) -> None:
    base = _read_journal(workplace)
    if base is None:
        return
    if not state.names(folder, base):
        _put_back(workplace, folder, base)
    storage.remove(os.path.join(workplace, scratch.JOURNAL))


def _put_back(workplace: str, folder: str, base: str) -> None:
    aside = os.path.join(workplace, _PREVIOUS)
    if storage.kind(aside) not in ("folder", None):
        raise _NoJournal(f"{aside!r} is no folder")
    prefix, previous = os.path.join(folder, base), names.files_of(os.path.join(aside, base))
    for suffix, path in names.files_of(prefix).items():
        if suffix not in previous:
            storage.remove(path)
    for suffix, path in previous.items():
        # Linked, not moved: the state file names this copy, which must be complete until the end.
        again = os.path.join(workplace, "again" + suffix)
        storage.remove(again)
        storage.link(path, again)
        storage.move(again, prefix + suffix)
    storage.sync_folder(folder)
    state.rename(folder, _name_aside(workplace, base), base)


class _NoJournal(Exception):
    """What lies in a scratch folder was not written there by this package, or is damaged."""


def _read_journal(workplace: str) -> Optional[str]:
    """The name of the export that a write was about to replace, or None where there is no journal."""
    path = os.path.join(workplace, scratch.JOURNAL)
    try:
        content = storage.read_small_file(path, _LARGEST_JOURNAL)
        base = None if content is None else content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _NoJournal(f"{path!r} is no text: {error}") from error
    except OddFileError as error:
        raise _NoJournal(str(error)) from error
    if base is not None and not state.is_plain(base):
        raise _NoJournal(f"{path!r} does not say the name of an export: {base[:80]!r}")
    return base


def _name_aside(workplace: str, base: str) -> str:
    return os.path.join(os.path.basename(workplace), _PREVIOUS, base)
