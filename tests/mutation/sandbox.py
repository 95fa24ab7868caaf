"""Files, each changed and read in a child process, which is forked from one that has all imported that readers need.

A child reads one mutation after the other, and a new one takes its place where it died.
"""

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

from .readers import NO_PYTHON

# Of the processor, and of waiting, which on a busy machine says less.
SECONDS, WAITING, MEMORY = 60, 600, 4 << 30
_A_CHILD = 200  # mutations: the first of each kind take longer
_WATCHED = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.chmod", "os.truncate")
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect", "socket.bind")


def tried(kinds, seeds, seed, numbers):
    """Reads the mutations of some numbers.

    Yields:
        (number, kind, reader, class, words); the classes are ok, refused, unforeseen, raw, hang, abort, touched.
    """
    waiting = list(numbers)
    while waiting:
        with tempfile.TemporaryDirectory(prefix="gensynth-mutation-") as top:
            folder, canary = pathlib.Path(top) / "work", pathlib.Path(top) / "canary"
            folder.mkdir()
            canary.mkdir()
            (canary / "own").write_text("the user's own")
            done = yield from _forked(kinds, seeds, folder, seed, waiting[:_A_CHILD])
        del waiting[:done]


def _digest(top, aside):
    paths = sorted(path for path in pathlib.Path(top).rglob("*") if aside not in (path, *path.parents))
    return [(str(path), hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "") for path in paths]


def _forked(kinds, seeds, folder, seed, numbers):
    """Yields the rows of one child, and returns how many mutations it has read to the end, or died of."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _in_child(kinds, seeds, folder, seed, numbers, os.fdopen(theirs, "w"))
        os._exit(0)
    os.close(theirs)
    done, last = 0, ("change", None)
    with os.fdopen(ours) as lines:
        for number, kind, reader, found, words in map(json.loads, lines):
            done, last = numbers.index(number), (reader, kind)
            if found is not None:
                yield number, kind, reader, found, words
    status = os.waitpid(child, 0)[1]
    if status:
        number = os.WTERMSIG(status)
        found = "hang" if number in (signal.SIGALRM, signal.SIGPROF) else "abort"
        yield numbers[done], last[1], last[0], found, f"status {status}, signal {number}"
    return done + 1


def _in_child(kinds, seeds, folder, seed, numbers, pipe):
    null = os.open(os.devnull, os.O_WRONLY)
    tempfile.tempdir = str(folder)
    os.dup2(null, 1)
    os.dup2(null, 2)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    touched = []
    sys.addaudithook(_watcher(folder, touched))
    before = _digest(folder.parent, folder)
    for number in numbers:
        kind = list(kinds)[number % len(kinds)]
        say = lambda *row: (pipe.write(json.dumps([number, kind, *row]) + "\n"), pipe.flush())  # noqa: B023, E731
        _read_one(kinds[kind], seeds, folder / str(number), random.Random(f"{seed}-{number}"), say, touched)
        if _digest(folder.parent, folder) != before:
            say("any", "touched", "the folder beside the files changed")
            break


def _read_one(kind, seeds, folder, rng, say, touched):
    patterns, change, readers = kind
    files = folder / "files"
    files.mkdir(parents=True)
    for path in (path for pattern in patterns for path in pathlib.Path(seeds).glob(pattern)):
        shutil.copytree(path, files / path.name) if path.is_dir() else shutil.copyfile(path, files / path.name)
    say("change", None, "")
    file = change(rng, files)
    for name, read in readers.items():
        say(name, None, "")
        out = folder / name.replace(" ", "-")
        out.mkdir(exist_ok=True)
        del touched[:]
        _limit(SECONDS, WAITING)
        found, words = _class_of(read, file, out)
        _limit(0, 0)
        if touched:
            found, words = "touched", str(touched[:3])
        say(name, found, words)
    shutil.rmtree(folder)


def _limit(seconds, waiting):
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(waiting)


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
    allowed = (str(folder), "/dev/", "/proc/")

    def hook(event, args):
        if event in _RUNS and args[0] != NO_PYTHON:
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
