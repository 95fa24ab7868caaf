"""Interpreters on this machine that have a TensorFlow 1.x, to try checkpoints in. None of them is run here."""

import collections
import glob
import os
import re
import shutil

# `tensorflow` is a version, or None where it cannot be told without running it.
Reader = collections.namedtuple("Reader", ["python", "tensorflow"])

NAMED = "KERAS_GENSYNTH_READER"
_INFO = re.compile(r"tensorflow(?:_cpu|_gpu)?-(1\.1[345]\.\d+)(?:\.dist-info|-py.*|\.egg-info)$")


def find_readers():
    """The interpreters with TensorFlow 1.13 to 1.15: that in KERAS_GENSYNTH_READER first, then the newest.

    Looked for are environments of pyenv, conda and virtualenvwrapper, and what is on the PATH.

    Returns:
        A list of Reader.
    """
    named = os.environ.get(NAMED)
    first = [Reader(named, _version_in(_root_of(named)))] if named else []
    found = [Reader(_python_of(root), _version_in(root)) for root in _roots()]
    found = [reader for reader in found if reader.tensorflow and reader.python and reader.python != named]
    return first + sorted(found, key=lambda reader: [int(part) for part in reader.tensorflow.split(".")], reverse=True)


def _roots():
    home = os.path.expanduser("~")
    folders = [
        os.path.join(os.environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv"), "versions"),
        os.path.join(os.path.dirname(os.path.dirname(os.environ.get("CONDA_EXE", ""))), "envs"),
        *(os.path.join(home, name, "envs") for name in ("miniconda3", "anaconda3", "miniforge3", ".conda")),
        os.environ.get("WORKON_HOME") or os.path.join(home, ".virtualenvs"),
    ]
    roots = [root for folder in folders for root in sorted(glob.glob(os.path.join(glob.escape(folder), "*")))]
    on_path = [shutil.which(name) for name in ("python3.7", "python3.6", "python3.5", "python")]
    return list(dict.fromkeys([*map(_root_of, filter(None, on_path)), *roots]))


def _root_of(python):
    return os.path.dirname(os.path.dirname(os.path.abspath(python)))


def _python_of(root):
    paths = [os.path.join(root, "bin", "python"), os.path.join(root, "python.exe")]
    return next((path for path in paths if os.path.exists(path)), None)


def _version_in(root):
    pattern = os.path.join(glob.escape(root), "lib", "python3.*", "site-packages", "tensorflow*-info")
    pattern_on_windows = os.path.join(glob.escape(root), "Lib", "site-packages", "tensorflow*-info")
    for path in sorted(glob.glob(pattern) + glob.glob(pattern_on_windows)):
        match = _INFO.match(os.path.basename(path))
        if match:
            return match.group(1)
    return None
