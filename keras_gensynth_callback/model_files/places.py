"""Where the parts of a model stand: files and folders, and nothing that leads elsewhere or never ends."""

import os
import stat

from keras_gensynth_callback.errors import ModelFileError, UnsafeModelFileError


def check_kind(path):
    """Refuses a path at which something is that is neither a file nor a folder.

    Raises:
        ModelFileError: reading it might never end.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # nothing, or a path of another file system
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ModelFileError(
            f"{path!r} is {_kind(mode)}. Expected: a file or a folder that Keras wrote. Pass the path of one."
        )


def check_folder(path):
    """Refuses a folder in which something stands that is neither a file nor a folder.

    Raises:
        UnsafeModelFileError: it holds a link, which may lead anywhere.
        ModelFileError: reading it might never end.
    """
    for folder, folders, files in os.walk(path):
        for name in sorted(folders + files):
            inner = os.path.join(folder, name)
            mode = os.lstat(inner).st_mode
            if stat.S_ISLNK(mode):
                raise UnsafeModelFileError(
                    f"Reading {path!r} would follow a link: {os.path.relpath(inner, path)!r} leads to "
                    f"{os.readlink(inner)!r}. Expected: the files themselves. Copy the folder with what its links lead "
                    "to (`cp -rL`); or, if you trust whoever wrote it, pass `safe_mode=False`."
                )
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise ModelFileError(
                    f"The folder {path!r} is no model: {os.path.relpath(inner, path)!r} in it is {_kind(mode)}. "
                    "Expected: files and folders. Take another copy of it."
                )


def _kind(mode):
    kinds = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISLNK, "a link"))
    return next((words for is_kind, words in kinds if is_kind(mode)), "a device")
