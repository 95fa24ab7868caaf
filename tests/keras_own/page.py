"""The section of docs/COVERAGE.md that says what came of Keras's own tests."""

import keras
import tensorflow as tf
from breadth import table

from . import outcomes, recording

_INTRO = """Keras 3 brings its own tests along. Each layer, loss, metric and optimizer that they make, with its
arguments and the shapes and types of its input, is a configuration here; equal ones count once. Each is put into a
small model, and checked like the classes above, within the same bounds. Where a number differs by more, it may do so by
ten times what one rounding error in each weight changes in Keras's own. This section is written by
`scripts/keras_tests --write`.

- **right**: all checks that apply hold.
- **refused**: an error before training that says why.
- **wrong**: it is exported, and a check does not hold.
- **crashed**: the export fails with any other error.
- **not a model**: Keras itself does not train it in a model.
"""


def write(found):
    """Replaces the section, or puts it at the end of the page; the rest stays as it is."""
    text = table.DOCUMENT.read_text()
    table.DOCUMENT.write_text(text[: len(text) - len(table.own_tests(text))].rstrip("\n") + "\n\n" + section(found))


def section(found):
    """The text of the section for a list of Outcome."""
    seen = f"Seen with Keras {keras.__version__} in TensorFlow {tf.__version__}, replayed in TensorFlow 1.15.5.\n"
    parts = [f"{table.OWN_TESTS}\n", _INTRO, seen, outcomes.table(found) + "\n", _left_out(), *_reasons(found)]
    return "\n".join(part for part in parts if part).rstrip("\n") + "\n"


def _left_out():
    lines = [f"- `{name}`: {reason}" for name, reason in recording.LEFT_OUT.items()]
    return "Test modules that are left out:\n\n" + "\n".join(lines) + "\n"


def _reasons(found):
    for word in outcomes.OUTCOMES[1:]:
        lines = [_line(group) for group in _groups(each for each in found if each.outcome == word)]
        if lines:
            yield f"### {word.capitalize()}\n\n" + "\n".join(lines) + "\n"


def _groups(found):
    """Lists of what ends for the same reason, of one class."""
    groups = {}
    for each in found:
        groups.setdefault((each.kind, each.name, table.plain(each.why)), []).append(each)
    return groups.values()


def _line(group):
    first = group[0]
    more = f" ({len(group)} configurations)" if len(group) > 1 else ""
    arguments = table.plain(first.said.partition(f"{first.kind} {first.name} ")[2])
    example = f", as with `{arguments}`" if arguments not in ("", "{}") else ""
    return f"- {first.kind}, `{first.name}`{more}{example}: `{table.plain(first.why)}`"
