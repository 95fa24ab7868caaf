"""`keras-gensynth downgrade`."""

import click

from . import shared, show


@click.command("downgrade", short_help="Write a checkpoint so that an older TensorFlow reads it.")
@shared.prefix_argument
@click.argument("new_prefix", metavar="[NEW_PREFIX]", required=False)
@shared.target_option("1.15", "The oldest TensorFlow that must read it")
@shared.json_option
@shared.told
def command(prefix, new_prefix, target, as_json):
    """Write a checkpoint of a newer TensorFlow again, so that an older one reads it.

    Its files stay as they are: the new ones are written under NEW_PREFIX, by default PREFIX-tf1.15. Collections that
    are missing are filled as far as the graph shows what belongs there.
    """
    from keras_gensynth_callback.tools import downgrade_checkpoint

    with shared.waiting(f"Rewriting {prefix}"):
        found = downgrade_checkpoint(prefix, new_prefix, target=target)
    if as_json:
        shared.print_json(found)
        return
    show.print_lines(f"{found['prefix']}: for TensorFlow {target}")
    if found["rewritten"]:
        show.print_heading("rewritten")
        rows = [[change["rule"], change["op"], len(change["nodes"])] for change in found["rewritten"]]
        show.print_table(["rule", "op", "nodes>"], rows)
    if found["added"]:
        show.print_heading("added")
        rows = [[key, len(names), show.some(names, 2)] for key, names in found["added"].items()]
        show.print_table(["to", "members>", "first of them"], rows)
