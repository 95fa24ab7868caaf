"""Executes the notebooks of `tutorials/` from top to bottom; an error in a cell ends it.

    scripts/notebooks                  all
    scripts/notebooks first_export     some
    scripts/notebooks --write          and stores what the cells put out

Each runs in an empty folder of its own, and leaves nothing behind. Prints how many seconds each took.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TUTORIALS = Path(__file__).resolve().parent.parent / "tutorials"
# Of a cell; a whole notebook is to take less than two minutes.
TIMEOUT = 180
# What TensorFlow says when it is imported, before it can be told to be silent.
NOISE = ("absl::InitializeLog", "oneDNN custom operations", "Could not find cuda drivers")
# The kernel would say that its ports, on this machine alone, are not encrypted.
QUIET = ["--IPKernelApp.log_level=ERROR"]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def names():
    """The notebooks, by name, in their order."""
    return [path.stem for path in sorted(TUTORIALS.glob("*.ipynb"))]


def execute(name):
    """Runs a notebook.

    Returns:
        The notebook with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = read(name)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = NotebookClient(
            notebook, timeout=TIMEOUT, record_timing=False, resources=resources, extra_arguments=QUIET
        )
        client.execute(env=_environ())
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_without_noise, cell.outputs) if output is not None]
    notebook.metadata = METADATA
    return notebook


def read(name):
    """A notebook as it is stored."""
    return nbformat.read(TUTORIALS / f"{name}.ipynb", as_version=4)


def write(name, notebook):
    """Stores a notebook."""
    nbformat.write(notebook, TUTORIALS / f"{name}.ipynb")


def _environ():
    # The modules beside the notebooks, whichever folder these run in.
    paths = os.pathsep.join(filter(None, [str(TUTORIALS), os.environ.get("PYTHONPATH")]))
    return dict(os.environ, PYTHONPATH=paths, TF_CPP_MIN_LOG_LEVEL="3", KERAS_BACKEND="tensorflow")


def _without_noise(output):
    """An output without what TensorFlow says of the machine when it is imported; None if it was nothing else."""
    if output.output_type != "stream" or output.name != "stderr":
        return output
    lines = [line for line in output.text.splitlines(True) if not any(words in line for words in NOISE)]
    output.text = "".join(lines)
    return output if lines else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    parser.add_argument("--write", action="store_true", help="store the outputs")
    arguments = parser.parse_args()
    for name in arguments.names or names():
        started = time.perf_counter()
        notebook = execute(name)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
        if arguments.write:
            write(name, notebook)


if __name__ == "__main__":
    sys.exit(main())
