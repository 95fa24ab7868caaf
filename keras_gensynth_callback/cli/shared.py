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

from keras_gensynth_callback.arguments import DATA_FORMATS, TARGETS, check_input

AFTER_SECONDS = 2.0  # what takes longer says on a terminal that it works
NO = 1  # the exit status where the answer is no
FAILED = 2  # ... and where there is none

json_option = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
prefix_argument = click.argument("prefix", metavar="PREFIX")


def target_option(default, words):
    """The option `--target`."""
    return click.option("--target", type=click.Choice(TARGETS), default=default, help=f"{words}.")


class _Input(click.ParamType):
    """Shape and type of an input of the model."""

    name = "[NAME=]SHAPE:TYPE"

    def convert(self, value, param, ctx):
        """The text as it is, if it can be understood."""
        try:
            return check_input(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def export_options():
    """The options of all commands that export, which `export_arguments` reads."""
    return [
        click.Option(
            ["--target"],
            type=click.Choice(TARGETS),
            default="1.15",
            show_default=True,
            help="The oldest TensorFlow that must read it.",
        ),
        click.Option(["--inference"], is_flag=True, help="Without what only training needs."),
        click.Option(["--no-optimizer"], is_flag=True, help="Without the train step and the optimizer's variables."),
        click.Option(
            ["--input", "inputs"],
            type=_Input(),
            multiple=True,
            help="What the model is called on, where it cannot tell: ?,32,32,3:float32. Once for each input.",
        ),
        click.Option(
            ["--compute-dtype"],
            type=click.Choice(["float32"]),
            help="What a model of mixed precision computes in; default: as it does.",
        ),
        click.Option(
            ["--data-format"],
            type=click.Choice(DATA_FORMATS),
            default="channels_last",
            show_default=True,
            help="How images with channels in front are computed: with channels last, or as Keras builds them.",
        ),
        click.Option(["--verify"], is_flag=True, help="Compare its numbers with those of Keras, in a clean process."),
    ]


def export_arguments(options):
    """What `export_checkpoint` takes, out of the values of `export_options`; `inputs` stay texts."""
    found = {name: options[name] for name in ("target", "inputs", "compute_dtype", "data_format", "verify")}
    graph = "inference" if options["inference"] else "trainable"
    return dict(found, graph=graph, include_optimizer=not options["no_optimizer"])


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
