"""The section of docs/COVERAGE.md that says what came of Keras's own tests."""

import collections
import re

from breadth import table

from . import LEFT_OUT, outcomes

_INTRO = """Keras 3 brings its own tests along. Each layer, loss, metric and optimizer that they make, with its
arguments and the shapes and types of its input, is a configuration here; equal ones count once. Each is put into a
small model, and checked like the classes above, within the same bounds; an axis of its input has at most 4,000
elements. Where a number differs by more, it may do so by ten times what one rounding error in each weight changes in
Keras's own. This section is written by `scripts/keras_tests --write`.

- **right**: all checks that apply hold.
- **refused**: an error before training that says why.
- **wrong**: it is exported, and a check does not hold.
- **crashed**: the export fails with any other error.
- **not a model**: Keras itself does not train it in a model.
"""


def write(found, known):
    """Replaces the section, or puts it at the end of the page; the rest stays as it is.

    Args:
        found: list of Outcome.
        known: int, how many configurations there are.
    """
    text = table.DOCUMENT.read_text()
    table.DOCUMENT.write_text(
        text[: len(text) - len(table.own_tests(text))].rstrip("\n") + "\n\n" + section(found, known)
    )


def section(found, known):
    """The text of the section."""
    run = (
        f"{len(found)} of {known} configurations were run; the others are still to be run.\n"
        if known > len(found)
        else ""
    )
    versions = " and ".join(sorted({each.seen for each in found if each.seen}))
    seen = f"Seen with {versions}, replayed in TensorFlow 1.15.5.\n"
    parts = [f"{table.OWN_TESTS}\n", _INTRO, seen, run, outcomes.table(found) + "\n", _left_out(), *_reasons(found)]
    return "\n".join(part for part in parts if part).rstrip("\n") + "\n"


def _left_out():
    lines = [f"- `{name}`: {reason}" for name, reason in LEFT_OUT.items()]
    return "Test modules that are left out:\n\n" + "\n".join(lines) + "\n"


def _reasons(found):
    for word in outcomes.OUTCOMES[1:]:
        lines = [_line(*group) for group in _groups(each for each in found if each.outcome == word).items()]
        if lines:
            yield f"### {word.capitalize()}\n\n" + "\n".join(lines) + "\n"


def _groups(found):
    """dict, (kind, reason) -> list of what ends for it."""
    groups = {}
    for each in found:
        groups.setdefault((each.kind, reason(each)), []).append(each)
    return groups


def reason(outcome):
    """Why it ends so, without what differs between two that end for the same reason: names and numbers in quotes."""
    text = table.plain(outcome.why)
    text = re.sub(r"'[^' ]*(_\d+|/)[^' ]*'", "'…'", text)
    return re.sub(r"differs by \S+", "differs", text)


def _line(kind_and_reason, group):
    kind, why = kind_and_reason
    names = collections.Counter(each.name for each in group)
    said = ", ".join(f"`{name}`" + (f" ({count})" if count > 1 else "") for name, count in names.items())
    return f"- {kind}, {said}{_example(group[0])}: `{why}`"


def _example(outcome):
    arguments = table.plain(outcome.said.partition(f"{outcome.kind} {outcome.name} ")[2])
    return f", as with `{arguments}`" if arguments not in ("", "{}") else ""
