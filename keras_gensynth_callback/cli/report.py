"""`keras-gensynth report`."""

import sys

import click

from keras_gensynth_callback._util import size_of

from . import shared, show


@click.command("report", short_help="Write what is in a checkpoint as one HTML page.")
@shared.prefix_argument
@click.option("-o", "--output", "path", metavar="FILE.html", help="Where to; default: PREFIX.html.")
@click.option("--verify", is_flag=True, help="Try the checkpoint in a clean process, as `verify` does.")
@click.option(
    "--reader", metavar="PYTHON", help="An interpreter with TensorFlow 1.15, for --verify; default: one that is found."
)
@shared.target_option(None, "The TensorFlow that must read it, for the warnings")
@shared.json_option
@shared.told
def command(prefix, path, verify, reader, target, as_json):
    """Write what is in a checkpoint as one HTML page, which needs nothing else, and no network.

    The checkpoint may be anybody's, as long as it has a .meta file. Ends with status 1 if a verdict of --verify is NO.
    """
    from keras_gensynth_callback.report import write_report

    python = (reader or shared.found_reader()) if verify else None
    with shared.waiting(f"Writing the report of {prefix}"):
        found = write_report(prefix, path, target=target, verify=verify, python=python)
    if as_json:
        shared.print_json(found)
    else:
        _show(found)
    sys.exit(0 if found["verification"] is None or found["verification"]["ok"] else shared.NO)


def _show(found):
    show.print_lines(f"{found['path']}: {size_of(found['size'])}")
    if found["warnings"]:
        show.print_warnings(found["warnings"])
    for verdict in (found["verification"] or {}).get("verdicts", ()):
        show.print_verdict(**verdict)
