"""`keras-gensynth freeze`."""

import click

from keras_gensynth_callback._util import size_of

from . import shared, show


@click.command("freeze", short_help="Write the graph of predictions with its weights in it.")
@shared.prefix_argument
@click.argument("path", metavar="OUT.pb")
@click.option("--output", "outputs", multiple=True, metavar="NAME", help="A tensor to keep; default: the signature's.")
@shared.target_option("1.15", "The oldest TensorFlow that must read it")
@shared.json_option
@shared.told
def command(prefix, path, outputs, target, as_json):
    """Write the graph of predictions, with its weights in it, into one file.

    Exports for training will do: the learning phase becomes False.
    """
    from keras_gensynth_callback.tools import freeze_checkpoint

    with shared.waiting(f"Freezing {prefix}"):
        found = freeze_checkpoint(prefix, path, outputs=list(outputs) or None, target=target)
    if as_json:
        shared.print_json(found)
        return
    show.print_lines(f"{found['path']}: {size_of(found['size'])}, {found['nodes']} nodes")
    rows = [[side[:-1], name, tensor] for side in ("inputs", "outputs") for name, tensor in found[side].items()]
    show.print_table(["", "name", "tensor"], rows)
    if found["run_first"]:
        show.print_lines(f"Run once in each session, to fill lookup tables: {', '.join(found['run_first'])}")
