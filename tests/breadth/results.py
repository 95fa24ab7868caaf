"""The results: a JSON file a row, lines and totals to print."""

import collections
import json
import re
from pathlib import Path

from .catalogue import KERASES, KINDS, TITLES
from .checks import COLUMNS

NOT_RUN, NOT_REACHED = "not run", "not reached"


class Store:
    """A folder with a file for each row."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def _path(self, keras, kind, name):
        return self.folder / keras / kind / f"{name}.json"

    def has(self, keras, row):
        return self._path(keras, row.kind, row.name).exists()

    def keep(self, result):
        path = self._path(result["keras"], result["kind"], result["name"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1, sort_keys=True, default=str))

    def all(self):
        """All results, in the order of Kerases, kinds and names."""
        paths = [p for keras in KERASES for kind in KINDS for p in sorted((self.folder / keras / kind).glob("*.json"))]
        return [json.loads(path.read_text()) for path in paths]


def key(result):
    return result["keras"], result["kind"], result["name"]


def holds(result):
    """Whether all checks that apply say yes."""
    return all(verdict in (None, "–") for verdict in result["checks"].values())


def sign(verdict):
    return {None: "yes", "–": "–", NOT_RUN: NOT_RUN}.get(verdict, "no")


def line(result):
    """What is printed for a row."""
    seconds = sum(result.get("seconds", {}).get(part, 0) for part in ("keras", "export", "numbers"))
    start = f"{'yes' if holds(result) else 'NO ':3} {result['keras']:8} {result['kind']} {result['name']}"
    problems = [f"\n      {column}: {short(text, 300)}" for column, text in problems_of(result)]
    return f"{start}  ({seconds:.1f} s)" + "".join(problems)


def problems_of(result):
    """(column, text) for each check that says no, but for those that were not reached."""
    said = {column: result["checks"][column] for column in COLUMNS}
    return [(c, text) for c, text in said.items() if text not in (None, "–", NOT_RUN, NOT_REACHED)]


def short(text, length):
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= length else text[: length - 1] + "…"


def totals(results):
    """Totals by Keras and kind, as text."""
    counts = count(results)
    lines = [f"{TITLES[keras]}, {kind}: {yes} of {all_} yes" for (keras, kind), (yes, all_) in counts.items()]
    return "\n".join(lines)


def count(results):
    """dict, (keras, kind) -> [rows that hold, rows]."""
    counts = collections.OrderedDict()
    for result in results:
        entry = counts.setdefault((result["keras"], result["kind"]), [0, 0])
        entry[0] += holds(result)
        entry[1] += 1
    return counts
