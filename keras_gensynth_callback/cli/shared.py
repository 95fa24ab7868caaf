"""Options, errors and exit statuses that commands share."""

import contextlib
import functools
import json
import os
import sys
import tempfile
import threading

import click
from rich.console import Console

from keras_gensynth_callback.arguments import DATA_FORMATS

AFTER_SECONDS = 2.0  # what takes longer says on a terminal that it works
NO = 1  # the exit status where the answer is no
FAILED = 2  # ... and where there is none

json_option = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
prefix_argument = click.argument("prefix", metavar="PREFIX")


DATA_FORMAT_HELP = "How images with channels in front are computed: with channels last, or as Keras builds them."
data_format_option = click.option(
    "--data-format", type=click.Choice(DATA_FORMATS), default="channels_last", show_default=True, help=DATA_FORMAT_HELP
)


def target_option(default, words):
    """The option `--target`."""
    return click.option("--target", default=default, metavar="VERSION", help=f"{words}: 1.13, 1.14, 1.15 or current.")


class Failure(click.ClickException):
    """What could not be done, in one message."""

    exit_code = FAILED


def told(function):
    """Lets a command end with a message, where the package raises one of its errors or the disk does."""

    @functools.wraps(function)
    def command(*args, **kwargs):
        quiet_tensorflow()
        from keras_gensynth_callback.errors import GenSynthExportError

        try:
            return function(*args, **kwargs)
        except (GenSynthExportError, OSError) as error:
            raise Failure(str(error)) from error

    return command


def quiet_tensorflow():
    """Imports TensorFlow without what it says of itself and of the machine."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _stderr_kept():
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def _stderr_kept():
    """What is written to the process's stderr goes to a file, and is shown where an error ends the block."""
    with tempfile.TemporaryFile() as said:
        before = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(before, 2)
            said.seek(0)
            os.write(2, said.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)


@contextlib.contextmanager
def waiting(what):
    """While the block runs longer than `AFTER_SECONDS`, stands in the last line of the terminal, if stderr is one."""
    console = Console(stderr=True, markup=False)
    if not console.is_terminal:
        yield
        return
    status = console.status(f"{what} ...")
    timer = threading.Timer(AFTER_SECONDS, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        status.stop()


def print_json(found):
    """Prints what a function of the package returned."""
    click.echo(json.dumps(found, indent=2, default=_plain))


def _plain(value):
    return value.tolist() if hasattr(value, "tolist") else str(value)


def found_reader():
    """The path of an interpreter with TensorFlow 1.x, or None."""
    from keras_gensynth_callback._util import find_readers

    return next((reader.python for reader in find_readers()), None)
