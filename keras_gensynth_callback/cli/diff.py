"""`keras-gensynth diff`."""

import sys

import click

from keras_gensynth_callback._util import shape_of

from . import shared, show

_SHOWN = 10


@click.command("diff", short_help="Compare two checkpoints.")
@click.argument("first", metavar="PREFIX")
@click.argument("second", metavar="PREFIX")
@click.option("--all", "show_all", is_flag=True, help=f"Show all differences, not the first {_SHOWN} of each kind.")
@shared.json_option
@shared.told
def command(first, second, show_all, as_json):
    """Compare two checkpoints: values, graph, collections, signatures.

    Ends with status 0 if they are equal, and 1 if they differ.
    """
    from keras_gensynth_callback.tools import compare_checkpoints

    with shared.waiting(f"Comparing {first} and {second}"):
        found = compare_checkpoints(first, second)
    if as_json:
        shared.print_json(found)
    else:
        _show(found, first, second, None if show_all else _SHOWN)
    sys.exit(0 if found["equal"] else shared.NO)


def _show(found, first, second, shown):
    values, only = found["values"], {"only_in_first": f"only in {first}", "only_in_second": f"only in {second}"}
    rows = [["value", name, words] for key, words in only.items() for name in values[key][:shown]]
    rows += [["value", name, _shapes(shapes)] for name, shapes in list(values["other_shape"].items())[:shown]]
    rows += [["value", name, _by(distance)] for name, distance in list(values["changed"].items())[:shown]]
    for what, section in (("node", found["nodes"]), ("function", found["functions"])):
        rows += [[what, name, words] for key, words in only.items() for name in section[key][:shown]]
        rows += [[what, name, "differs"] for name in section["changed"][:shown]]
    for collection, section in found["collections"].items():
        for key, words in only.items():
            rows += [[collection, name, words] for name in section[key][:shown]]
        if not any(section.values()):
            rows.append([collection, "", "another order"])
    rows += [["signature", name, "differs"] for name in found["signatures"]]
    if rows:
        show.print_table(["what", "name", "difference"], rows)
    show.print_lines(_summary(found))


def _summary(found):
    values, nodes = found["values"], found["nodes"]
    differing = sum(len(values[key]) for key in values if key != "equal")
    graph = sum(map(len, nodes.values()))
    if found["equal"]:
        return f"Equal: {values['equal']} values, graph, collections and signatures."
    return (
        f"{differing} of {differing + values['equal']} values differ, {graph} nodes, {len(found['collections'])} "
        f"collections, {len(found['signatures'])} signatures."
    )


def _shapes(shapes):
    return f"{shape_of(shapes[0])} and {shape_of(shapes[1])}"


def _by(distance):
    return "differs" if distance is None else f"by at most {distance:.3g}"
