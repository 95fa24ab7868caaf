"""The table of versions in docs/kerases.md, between two marks, and the versions that are not warned of."""

import re

from .comparison import CHECKS, MODELS, REPOSITORY, YES
from .rows import ROWS

CONSTANT = REPOSITORY / "keras_gensynth_callback" / "tensorflow_version.py"
PAGE = REPOSITORY / "docs" / "kerases.md"
BEGIN = "<!-- written by scripts/versions --write; no line of the table is written by hand -->\n"
END = "<!-- end of what scripts/versions writes -->\n"
COLUMNS = [*MODELS, *CHECKS]
HOW = {"eager": "eagerly", "graph": "in graph mode"}
REFUSED = "UnsupportedBackendError"


def whole(results, versions):
    """Whether all ways of some versions, as they were asked for, have a result without a number that is wrong."""
    names = [name for row in ROWS for name in row.names() if {name, row.tensorflow} & set(versions)]
    return all(is_right(results.get(name, {}).get("cells", {}).get(column, "")) for name in names for column in COLUMNS)


def write(results):
    """Puts the table of results into the page, and the versions that it has results of into the package."""
    text = PAGE.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(before + BEGIN + written(results) + END + after)
    lines = [f'    "{row.tensorflow}",\n' for row in ROWS if any("cells" in results.get(n, {}) for n in row.names())]
    code = re.sub(r"^TRIED = \(.*?\)$", f"TRIED = (\n{''.join(lines)})", CONSTANT.read_text(), flags=re.M | re.S)
    CONSTANT.write_text(code)


def written(results):
    """The table of results, dict, name of a way -> what came out, as Markdown."""
    lines, notes = [_line(["TensorFlow", "Python", "Keras", "runs", *COLUMNS])], []
    lines.append("|---" * (4 + len(COLUMNS)) + "|\n")
    for row in ROWS:
        for name, (keras, mode) in zip(row.names(), row.ways):
            lines.append(_line(_cells(row, name, keras, mode, results.get(name), notes)))
    noted = ["\n", *(f"- {note}\n" for note in notes), "\n"] if notes else ["\n"]
    return "\n" + "".join(lines + noted)


def _cells(row, name, keras, mode, result, notes):
    if result is None or "cells" not in result:
        if result is not None:
            notes.append(f"{name}: could not be run")
        return [row.tensorflow, row.python, keras, HOW[mode], *["not run"] * len(COLUMNS)]
    if keras != "tf.keras":
        keras += " " + result["keras"]
    head = [result["tensorflow"], result["python"].rpartition(".")[0], keras, HOW[mode]]
    said = result["cells"]
    notes += [f"{name}, {column}: {said[column]}" for column in COLUMNS if not is_right(said[column])]
    return [*head, *(_short(said[column]) for column in COLUMNS)]


def is_right(said):
    """Whether a check passed, or was refused in words."""
    return said == YES or REFUSED in said


def _short(said):
    return YES if said == YES else "refused" if REFUSED in said else "no"


def _line(cells):
    return f"| {' | '.join(cells)} |\n"
