"""One file, changed and read in a process of its own, which is forked from one that has TensorFlow imported."""

import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile

from keras_gensynth_callback.errors import GenSynthExportError

SECONDS, MEMORY = 60, 4 << 30
BAD = ("raw", "hang", "abort", "touched")
_WATCHED = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.chmod", "os.truncate")
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "socket.bind")


def tried(kinds, seeds, seed, number):
    """Reads the mutation of a number.

    Returns:
        A list of (kind, reader, class, words); the classes are ok, refused, unforeseen and those in `BAD`.
    """
    kind = list(kinds)[number % len(kinds)]
    with tempfile.TemporaryDirectory(prefix="gensynth-mutation-") as top:
        folder, canary = pathlib.Path(top) / "work" / "files", pathlib.Path(top) / "canary"
        shutil.copytree(seeds, folder)
        canary.mkdir()
        (canary / "own").write_text("the user's own")
        before = _digest(top, folder.parent)
        found = _forked(kinds[kind], folder, f"{seed}-{number}")
        if _digest(top, folder.parent) != before:
            found.append(("any", "touched", f"the folder beside the files of {number} changed"))
    return [(kind, *row) for row in found]


def _digest(top, aside):
    paths = sorted(path for path in pathlib.Path(top).rglob("*") if aside not in (path, *path.parents))
    return [(str(path), hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "") for path in paths]


def _forked(kind, folder, seed):
    change, readers = kind
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _in_child(change, readers, folder, seed, os.fdopen(theirs, "w"))
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as lines:
        said = [json.loads(line) for line in lines]
    status = os.waitpid(child, 0)[1]
    found = [(row["reader"], row["class"], row["words"]) for row in said if "class" in row]
    if status:
        number = os.WTERMSIG(status)
        reader = said[-1]["reader"] if said else "change"
        found.append((reader, "hang" if number == signal.SIGALRM else "abort", f"status {status}, signal {number}"))
    return found


def _in_child(change, readers, folder, seed, pipe):
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    say = lambda **row: (pipe.write(json.dumps(row) + "\n"), pipe.flush())  # noqa: E731
    file = change(random.Random(seed), folder)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    touched = []
    sys.addaudithook(_watcher(folder.parent, touched))
    for name, read in readers.items():
        say(reader=name)
        signal.alarm(SECONDS)
        out = folder.parent / name.replace(" ", "-")
        out.mkdir(exist_ok=True)
        del touched[:]
        found, words = _class_of(read, file, out)
        signal.alarm(0)
        if touched:
            found, words = "touched", str(touched[:3])
        say(**{"reader": name, "class": found, "words": words})


def _class_of(read, file, out):
    try:
        read(file, out)
        return "ok", ""
    except GenSynthExportError as error:
        return "unforeseen" if "please report this" in str(error) else "refused", str(error)
    except BaseException as error:
        import traceback

        place = traceback.extract_tb(error.__traceback__)[-1]
        return "raw", f"{type(error).__name__}: {error} ({os.path.basename(place.filename)}:{place.lineno})"


def _watcher(folder, touched):
    """An audit hook that notes what happens outside of a folder."""
    # A model file is unpacked into a temporary folder, and Keras keeps its settings at home.
    allowed = (str(folder), "/dev/", "/proc/")

    def hook(event, args):
        if event in _RUNS:
            touched.append([event, str(args[0])[:200]])
        elif event == "open" and isinstance(args[0], str) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            if not os.path.abspath(args[0]).startswith(allowed) and "__pycache__" not in args[0]:
                touched.append([event, args[0]])
        elif event in _WATCHED and isinstance(args[0], str) and not _absolute(*args).startswith(allowed):
            if "__pycache__" not in args[0]:
                touched.append([event, args[0]])

    return hook


def _absolute(path, *others):
    """The path that a call changes. The folder of a relative one may be given by its descriptor, which comes last."""
    folder = others[-1] if others and type(others[-1]) is int and others[-1] >= 0 else None
    if os.path.isabs(path) or folder is None:
        return os.path.abspath(path)
    return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
