"""The command line: one module a command, which parses, calls a function of the package and shows what it returns.

app      the commands together
shared   options, errors and exit statuses that commands share
show     tables and lines, plain where nobody looks at a terminal
"""

import sys


def main():
    """Runs the command line; ends the program with its exit status."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError as error:
        print(
            f"The command line needs click and rich, and {error.name} is not installed. Install them: "
            "pip install 'keras-gensynth-callback[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    from .app import commands

    commands(prog_name="keras-gensynth")
