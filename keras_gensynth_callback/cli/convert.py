"""`keras-gensynth convert`."""

import runpy

import click

from keras_gensynth_callback._util import size_of

from . import shared, show


@click.command("convert")
@click.argument("path", metavar="MODEL_FILE")
@shared.prefix_argument
@shared.target_option("1.15", "The oldest TensorFlow that must read it")
@click.option("--inference", is_flag=True, help="Without what only training needs.")
@click.option("--no-optimizer", is_flag=True, help="Without the train step and the optimizer's variables.")
@shared.data_format_option
@click.option(
    "--custom-objects", metavar="FILE.py", help="A Python file with the classes and functions it needs; it is run."
)
@click.option("--no-safe-mode", is_flag=True, help="Run code that stands in the model file. For files that you trust.")
@shared.json_option
@shared.told
def command(path, prefix, target, inference, no_optimizer, data_format, custom_objects, no_safe_mode, as_json):
    """Export the model in a file that Keras wrote: .keras, .h5, or a SavedModel folder."""
    from keras_gensynth_callback.model_files import convert_model_file

    with shared.waiting(f"Exporting {path}"):
        record = convert_model_file(
            path,
            prefix,
            custom_objects=_defined_in(custom_objects),
            safe_mode=not no_safe_mode,
            target=target,
            graph="inference" if inference else "trainable",
            include_optimizer=not no_optimizer,
            data_format=data_format,
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
