"""`keras-gensynth doctor`."""

import sys

import click

from . import shared, show


@click.command("doctor", short_help="Show what is installed, and whether an export works here.")
@click.option("--no-self-test", is_flag=True, help="Only look at what is there.")
@shared.json_option
@shared.told
def command(no_self_test, as_json):
    """Show what is installed and which interpreters with TensorFlow 1.x were found, and export a small model as a test.

    Ends with status 1 if the test fails.
    """
    from keras_gensynth_callback.tools import diagnose

    with shared.waiting("Looking around, and exporting a small model"):
        found = diagnose(self_test=not no_self_test)
    if as_json:
        shared.print_json(found)
    else:
        _show(found)
    sys.exit(0 if found["ok"] else shared.NO)


def _show(found):
    show.print_heading("installed")
    show.print_table(["name", "version"], [[name, of or "not installed"] for name, of in found["versions"].items()])
    show.print_heading("interpreters with TensorFlow 1.x")
    if found["readers"]:
        rows = [[reader["tensorflow"] or "unknown", reader["python"]] for reader in found["readers"]]
        show.print_table(["TensorFlow", "python"], rows)
    else:
        show.print_lines(
            "none was found; name one in KERAS_GENSYNTH_READER, or make one with Python 3.7: "
            "pip install tensorflow==1.15.5 'protobuf<3.21'"
        )
    if found["self_test"]:
        show.print_heading(f"self-test, in TensorFlow {found['self_test']['tensorflow']}")
        for verdict in found["self_test"]["verdicts"]:
            show.print_verdict(**verdict)
