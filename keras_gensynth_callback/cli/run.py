"""`keras-gensynth run`."""

import json
import os
import subprocess
import sys

import click

from keras_gensynth_callback.arguments import check_filepath
from keras_gensynth_callback.errors import InvalidArgumentError

from . import shared

_PROGRAM = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "run", "run_script.py")
_EXPORT_TO = "--export-to"


class SaveFreq(click.ParamType):
    """`epoch`, `train_end` or a number of batches."""

    name = "epoch|train_end|N"

    def convert(self, value, param, ctx):
        """The value as GenSynthExportCallback takes it."""
        if value in ("epoch", "train_end"):
            return value
        if str(value).isdigit() and int(value) > 0:
            return int(value)
        self.fail(f"{value!r} is neither epoch, train_end nor a number of batches of at least 1.", param, ctx)


_OPTIONS = [
    click.Option(
        ["--export-to", "filepath"], metavar="PREFIX", help="Where to; may hold {epoch} and keys of the logs."
    ),
    click.Option(["--save-freq"], type=SaveFreq(), default="epoch", show_default=True, help="When exports are due."),
    click.Option(
        ["--monitor"], default="val_loss", show_default=True, help="The key of the logs that says which is best."
    ),
    click.Option(["--save-best-only"], is_flag=True, help="Export only when the monitored key improved."),
    click.Option(
        ["--max-to-keep"], type=click.IntRange(1), default=5, show_default=True, help="How many exports stay."
    ),
    *shared.export_options(),
    click.Option(
        ["--on-error"],
        type=click.Choice(["raise", "warn"]),
        default="raise",
        show_default=True,
        help="What an export that fails does to the script.",
    ),
    click.Option(["--verbose"], count=True, help="Say of each export that it is written, on stdout."),
]


@click.command(
    "run",
    short_help="Run a training script as it is, and export what it trains.",
    params=[
        *_OPTIONS,
        click.Argument(["script"], metavar="SCRIPT.py"),
        click.Argument(["arguments"], metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED),
    ],
    context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False},
)
@click.pass_context
def command(context, script, arguments, **options):
    """Run a training script as it is; each of its `fit` calls exports, as if the callback had been added.

    Options stand before SCRIPT.py, or behind its arguments, from --export-to on. The exit status is that of the script.
    The first model that it trains is exported to PREFIX, others to PREFIX-2, PREFIX-3 and so on.
    """
    if options["filepath"] is None:
        arguments, options = _from_the_end(context, arguments)
    options["filepath"] = _checked(options["filepath"])
    options["verbose"] = min(options["verbose"], 2)
    of_callback = ("filepath", "save_freq", "monitor", "save_best_only", "max_to_keep", "on_error", "verbose")
    options = {**{name: options[name] for name in of_callback}, **shared.export_arguments(options)}
    if not os.path.isfile(script):
        raise shared.Failure(f"There is no script {script!r}. Pass the path of a Python file.")
    flags = [f"-W{option}" for option in sys.warnoptions]
    _become([sys.executable, *flags, _PROGRAM, json.dumps(options), script, *arguments])


def _from_the_end(context, arguments):
    """The script's arguments, and our options behind them."""
    at = [index for index, text in enumerate(arguments) if text == _EXPORT_TO or text.startswith(_EXPORT_TO + "=")]
    if not at:
        raise click.UsageError("Missing option '--export-to': where the exports go, for example exports/net.", context)
    tail = click.Command("run", params=list(_OPTIONS))
    return arguments[: at[-1]], tail.make_context("run", list(arguments[at[-1] :]), parent=context.parent).params


def _checked(filepath):
    try:
        filepath = check_filepath(filepath)
    except InvalidArgumentError as error:
        raise shared.Failure(str(error)) from error
    # Also for a script that goes to another folder.
    return filepath if "://" in filepath else os.path.abspath(filepath)


def _become(command):
    """Runs a program in the place of this one, with the same process, streams and signals."""
    sys.stdout.flush()
    if os.name == "posix":
        os.execv(command[0], command)
    sys.exit(subprocess.call(command))
