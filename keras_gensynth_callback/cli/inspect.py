"""`keras-gensynth inspect`."""

import sys

import click

from keras_gensynth_callback._util import shape_of, size_of

from . import shared, show


@click.command("inspect", short_help="Show what is in a checkpoint, and what it lacks.")
@shared.prefix_argument
@shared.target_option(None, "The TensorFlow that must read it, for the warnings")
@click.option("--tensorboard", metavar="DIR", help="Write an event file with the graph into this folder.")
@click.option("--strict", is_flag=True, help="End with status 1 if there are warnings.")
@shared.json_option
@shared.told
def command(prefix, target, tensorboard, strict, as_json):
    """Show what is in a checkpoint, and what a TensorFlow 1.x program will miss in it.

    The checkpoint may be anybody's, as long as it has a .meta file. Nothing of it is run.
    """
    from keras_gensynth_callback.inspection import inspect_checkpoint
    from keras_gensynth_callback.tools import write_event_file

    with shared.waiting(f"Reading {prefix}"):
        found = inspect_checkpoint(prefix, target=target)
        if tensorboard:
            write_event_file(prefix, tensorboard)
    if as_json:
        shared.print_json(found)
    else:
        _show(found)
        if tensorboard:
            show.print_lines("", f"The graph: tensorboard --logdir {tensorboard}")
    if strict and found["warnings"]:
        sys.exit(shared.NO)


def _show(found):
    show.print_lines(f"{found['prefix']}: {size_of(found['size'])} in {len(found['files'])} files", _writer(found))
    _show_layers(found)
    for title in ("inputs", "outputs"):
        _show_tensors(title, found[title])
    _show_signatures(found["signatures"])
    _show_collections(found["collections"])
    if found["warnings"]:
        show.print_heading(f"What a program of TensorFlow {found['target']} will miss")
        show.print_warnings(found["warnings"])
    else:
        show.print_lines("", f"Nothing is missing for TensorFlow {found['target']}.")


def _writer(found):
    by = found["written_by"]
    keras = f" ({by['keras']})" if by.get("keras") else ""
    functions = f", {len(found['functions'])} functions" if found["functions"] else ""
    numbers = f"{found['variables']} variables, {found['nodes']} nodes{functions}"
    return f"written by TensorFlow {by.get('tensorflow', 'unknown')}{keras}; {numbers}"


def _show_layers(found):
    show.print_heading("layers")
    rows = [
        [layer["name"], ", ".join(layer["ops"]), f"{layer['parameters']:,}", f"{layer['trainable']:,}"]
        for layer in found["layers"]
    ]
    total = found["parameters"]
    rows.append(["total", "", f"{total['total']:,}", f"{total['trainable']:,}"])
    show.print_table(["name", "ops", "parameters>", "trainable>"], rows)


def _show_tensors(title, tensors):
    show.print_heading(title)
    if not tensors:
        show.print_lines("not known: there is no signature")
        return
    rows = [[name, of["tensor"], of["dtype"], shape_of(of["shape"])] for name, of in tensors.items()]
    show.print_table(["name", "tensor", "type", "shape"], rows)


def _show_signatures(signatures):
    if signatures:
        show.print_heading("signatures")
        rows = [[key, show.some(list(of["inputs"])), show.some(list(of["outputs"]))] for key, of in signatures.items()]
        show.print_table(["name", "takes", "gives"], rows)


def _show_collections(collections):
    show.print_heading("collections")
    rows = [[name, len(members), show.some(members, 2)] for name, members in collections.items()]
    show.print_table(["name", "size>", "first members"], rows)
