"""All commands."""

import click

from keras_gensynth_callback import __version__

from . import convert, diff, doctor, downgrade, freeze, inspect, report, run, verify


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="keras-gensynth")
def commands():
    """Looks at TensorFlow 1.x checkpoints of Keras models, checks them, and makes them.

    PREFIX is what the names of a checkpoint's files have in common: exports/net for exports/net.meta.

    Exit status: 0 when it was done and the answer is yes, 1 when the answer is no (a check failed, two checkpoints
    differ), 2 when it could not be done. `run` ends with the status of its script.
    """


for module in (inspect, report, verify, convert, freeze, diff, downgrade, run, doctor):
    commands.add_command(module.command)
