"""docs/libraries.md: a section for each library, with a table of its models."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Optional

from breadth.results import problems_of, short

from .advice import ADVICE
from .store import FAILED, REFUSED, WHOLE, outcome

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "libraries.md"
BEGIN = "<!-- written by scripts/libraries --write; no line below is written by hand -->\n"
HEAD = "| model | exported | numbers | what to do |\n|---|---|---|---|\n"


@dataclass
class Entry:
    """A model: its module, its name, and what is kept of it, or None."""

    module: ModuleType
    model: str
    result: Optional[dict]

    @property
    def advice(self):
        """What to do where it is not whole, or None."""
        given = ADVICE.get(self.module.LIBRARY, {})
        return given.get(self.model)

    def is_sound(self):
        """Whether it is whole, or refused with a way out that is on the page."""
        kind = outcome(self.result) if self.result else None
        return kind == WHOLE or (kind == REFUSED and self.advice is not None)


def write(entries):
    """Puts the tables of all libraries behind the page's introduction."""
    before = PAGE.read_text().split(BEGIN)[0]
    PAGE.write_text(before + BEGIN + written(entries))


def written(entries):
    """The tables, as Markdown."""
    lines = [f"\n{_summary(entries)}\n"]
    found = [entry for entry in entries if entry.result]
    for module, group in itertools.groupby(found, key=lambda entry: entry.module):
        group = list(group)
        lines += [f"\n## {module.LIBRARY}{_beside(group)}\n\n", HEAD]
        lines += [f"| {' | '.join(cell.replace('|', '&#124;') for cell in _cells(entry))} |\n" for entry in group]
    return "".join(lines)


def _summary(entries):
    kinds = [outcome(entry.result) if entry.result else "not run" for entry in entries]
    whole, refused = kinds.count(WHOLE), kinds.count(REFUSED)
    missing = kinds.count("not run")
    wrong = len(kinds) - whole - refused - missing
    end = (f", {wrong} not right" if wrong else "") + (f". {missing} more have no result yet." if missing else ".")
    count = len(kinds) - missing
    return f"{count} models: {whole} whole, {refused} refused before training, with the way out{end}"


def _beside(group):
    result = next((entry.result for entry in group if entry.result and "checks" in entry.result), None)
    if result is None:
        return ""
    of_tensorflow = result["keras"] == "keras" and result["version"].startswith("2.")
    keras = "its tf.keras" if of_tensorflow else f"{result['keras']} {result['version']}"
    return f" {result['library version']}, beside TensorFlow {result['tensorflow']} and {keras}"


def _cells(entry):
    advice = entry.advice or ""
    kind = outcome(entry.result)
    if kind == WHOLE:
        return entry.model, "yes", _compared(entry.result), advice
    if kind == REFUSED:
        return entry.model, "refused", _predicted(entry.result), advice
    if kind == FAILED:
        why = entry.result.get("failed") or entry.result["checks"]["export"]
        return entry.model, "no", "–", advice or short(why, 200)
    wrong = [f"{column}: {short(text, 90)}" for column, text in problems_of(entry.result)]
    return entry.model, "yes", f"**not right**: {'; '.join(wrong)}", advice


def _compared(result):
    """What was compared, and holds."""
    checks = result["checks"]
    if checks["predict"] == "–":
        return "what it draws"
    return "all" if checks["random"] == "–" else "all that is not random, and what it draws"


def _predicted(result):
    """What the graph for inference, tried in its place, is like."""
    other = result.get("inference")
    if other is None:
        return "–"
    return 'predictions, with `graph="inference"`' if outcome(other) == WHOLE else "–"
