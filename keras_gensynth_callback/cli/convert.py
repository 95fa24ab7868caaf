"""`keras-gensynth convert`."""

import os
import runpy

import click

from keras_gensynth_callback._util import size_of
from keras_gensynth_callback.arguments import input_signature_of

from . import shared, show


@click.command("convert", params=shared.export_options(), short_help="Export the model in a file that Keras wrote.")
@click.argument("path", metavar="MODEL_FILE")
@shared.prefix_argument
@click.option(
    "--custom-objects", metavar="FILE.py", help="A Python file with the classes and functions it needs; it is run."
)
@click.option("--no-safe-mode", is_flag=True, help="Run code that stands in the model file. For files that you trust.")
@shared.json_option
@shared.told
def command(path, prefix, custom_objects, no_safe_mode, as_json, **options):
    """Export the model in a file that Keras wrote: .keras, .h5, or a SavedModel folder."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # this process does nothing but the export
    from keras_gensynth_callback.public import convert_model_file

    arguments = shared.export_arguments(options)
    with shared.waiting(f"Exporting {path}"):
        record = convert_model_file(
            path,
            prefix,
            custom_objects=_defined_in(custom_objects),
            safe_mode=not no_safe_mode,
            input_signature=input_signature_of(arguments.pop("inputs")),
            **arguments,
        )
    if as_json:
        shared.print_json(vars(record))
        return
    cost = f"{size_of(record.size)} in {record.seconds_to_disk:.1f} s"
    show.print_lines(f"{record.prefix}: {cost}, for TensorFlow {record.target}")


def _defined_in(file):
    """The classes and functions of a Python file, by name; None without one."""
    if file is None:
        return None
    names = runpy.run_path(file)
    return {name: value for name, value in names.items() if callable(value) and not name.startswith("__")}
