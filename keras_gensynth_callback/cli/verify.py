"""`keras-gensynth verify`."""

import sys

import click
import numpy as np

from . import shared, show


@click.command("verify", short_help="Try a checkpoint in a clean process.")
@shared.prefix_argument
@click.option(
    "--against", metavar="MODEL_FILE", help="The same model in Keras: predictions, loss and metrics must agree."
)
@click.option("--reader", metavar="PYTHON", help="An interpreter with TensorFlow 1.15; default: one that is found.")
@click.option("--data", metavar="FILE.npz", help="Arrays to feed, by the names of the signatures; default: made up.")
@click.option("--rtol", default=1e-5, show_default=True, help="How far numbers may be off --against, relative.")
@shared.json_option
@shared.told
def command(prefix, against, reader, data, rtol, as_json):
    """Load a checkpoint in a clean process, predict, evaluate, run its updates and train a step.

    That process has neither Keras nor this package, and TensorFlow 1.15 where an interpreter with it is found (see
    `doctor`), else the installed TensorFlow in its v1 mode. Ends with status 1 if a verdict is NO.
    """
    from keras_gensynth_callback.tools import try_checkpoint

    python = reader or shared.found_reader()
    with shared.waiting(f"Trying {prefix}"):
        found = try_checkpoint(prefix, data=_arrays(data), against=against, rtol=rtol, python=python)
    if as_json:
        shared.print_json(found)
    else:
        show.print_lines(f"{found['prefix']}, in TensorFlow {found['tensorflow']} ({found['python']})")
        for verdict in found["verdicts"]:
            show.print_verdict(**verdict)
    sys.exit(0 if found["ok"] else shared.NO)


def _arrays(path):
    if path is None:
        return None
    try:
        with np.load(path) as arrays:
            return dict(arrays)
    except (ValueError, AttributeError, TypeError) as error:
        raise shared.Failure(f"{path!r} is no .npz file of arrays: {error}. Write it with numpy.savez.") from error
