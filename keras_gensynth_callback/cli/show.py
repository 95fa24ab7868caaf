"""Tables and lines: coloured and fitted on a terminal, plain and of any width where the output goes elsewhere."""

import os

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 10000


def console():
    """The console of stdout. It honours NO_COLOR and COLUMNS."""
    found = Console(highlight=False, soft_wrap=False, emoji=False, markup=False)
    if not found.is_terminal and not os.environ.get("COLUMNS"):
        found.width = _WIDE
    return found


def print_lines(*lines):
    """Prints lines, wrapped on a terminal."""
    out = console()
    for line in lines:
        out.print(Text(line))


def print_heading(text):
    """Prints what a table is about."""
    console().print(Text(f"\n{text}", style="bold"))


def print_table(columns, rows):
    """Prints a table.

    Args:
        columns: names; one that ends with ">" is a column of numbers.
        rows: lists of what to show; each item is shown as a str.
    """
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    for row in rows:
        table.add_row(*[Text(str(cell)) for cell in row])
    out = console()
    with out.capture() as captured:
        out.print(table)
    # Not padded to the width of the table.
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), file=out.file)


def print_warnings(warnings):
    """Prints warnings, each with a mark."""
    out = console()
    for warning in warnings:
        out.print(Text.assemble(("! ", "bold yellow"), warning))


def print_verdict(name, ok, words):
    """Prints one verdict: `ok` is True, False, or None for what was not tried."""
    mark, style = {True: ("ok", "green"), False: ("NO", "bold red"), None: ("--", "dim")}[ok]
    console().print(Text.assemble((mark, style), f"  {name}: {words}"))


def some(names, shown=3):
    """The first names of a list."""
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
