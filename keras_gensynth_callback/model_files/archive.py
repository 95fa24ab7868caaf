"""What stands in a `.keras` archive: what Keras writes there, and nothing else."""

import collections
import copy
import io
import os
import stat
import zipfile

from keras_gensynth_callback.errors import ModelFileError, UnsafeModelFileError

from .bounds import check_content, largest_text
from .hdf5 import check_hdf5

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_ASSETS = "assets/"
_ENCRYPTED = 0x1
_BLOCK = 1 << 16


def check_archive(path, archive, size):
    """Refuses an archive with anything in it that Keras does not write.

    Args:
        path: str, for messages.
        archive: zipfile.ZipFile.
        size: int, of the file.

    Returns:
        How many bytes of values it holds.

    Raises:
        ModelFileError: it is damaged, or asks for more than its size can mean.
        UnsafeModelFileError: it leads elsewhere.
    """
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    for entry in entries:
        _check_entry(path, entry)
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise _damaged(path, f"it holds {twice[0]!r} twice")
    check_content(path, sum(entry.file_size for entry in entries), size)
    for entry in entries:
        _check_length(path, archive, entry)
    if WEIGHTS not in names:
        return 0
    return check_hdf5(path, io.BytesIO(archive.read(WEIGHTS)), size)


def check_unpacked(path):
    """The same for the folder that an archive was unpacked to, or that Keras wrote so.

    Args:
        path: str, a folder without links in it.
    """
    for name in sorted(os.listdir(path)):
        # Others may be there, a README say. Keras takes weights in other formats, too.
        if name.startswith("model.weights.") and name != WEIGHTS:
            raise _damaged(path, f"it holds {name!r}, which Keras does not write")
    weights = os.path.join(path, WEIGHTS)
    return check_hdf5(path, weights, os.path.getsize(weights)) if os.path.exists(weights) else 0


def read_text(path, archive, name):
    """The bytes of a text in an archive.

    Raises:
        ModelFileError: it says that it is larger than it can be.
    """
    entry = archive.getinfo(name)
    if entry.file_size > largest_text(entry.compress_size):
        raise _damaged(path, f"{name!r} in it says that it holds {entry.file_size} bytes of text")
    return archive.read(name)


def _check_length(path, archive, entry):
    """Refuses an entry that holds more than it says: `zipfile` inflates all of it before it cuts it off."""
    if entry.compress_type == zipfile.ZIP_STORED:
        return
    longer = copy.copy(entry)
    longer.file_size += 1
    longer.CRC = None  # is compared with less than one byte more
    with archive.open(longer) as content:
        length = sum(len(block) for block in iter(lambda: content.read(_BLOCK), b""))
    if length > entry.file_size:
        raise _damaged(path, f"{entry.filename!r} in it holds more than the {entry.file_size} bytes that it says")


def _check_entry(path, entry):
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\\" in name or "\0" in name:
        raise UnsafeModelFileError(
            f"Reading {path!r} would write outside of its folder: it holds {name!r}. Expected: an archive as Keras "
            "writes it. Take another copy of it; or, if you trust whoever wrote it, pass `safe_mode=False`."
        )
    if name not in (CONFIG, METADATA, WEIGHTS) and not name.startswith(_ASSETS):
        raise _damaged(path, f"it holds {name!r}, which Keras does not write")
    if kind and not stat.S_ISREG(entry.external_attr >> 16) and not stat.S_ISDIR(entry.external_attr >> 16):
        raise _damaged(path, f"{name!r} in it is no file")
    if entry.flag_bits & _ENCRYPTED:
        raise _damaged(path, f"{name!r} in it is encrypted")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _damaged(path, f"{name!r} in it is compressed in a way that Keras does not use")


def _damaged(path, problem):
    return ModelFileError(
        f"{path!r} is truncated or damaged: {problem}. Expected: an archive as Keras writes it, with {CONFIG}, "
        f"{METADATA}, {WEIGHTS} and {_ASSETS}. Take another copy of it."
    )
