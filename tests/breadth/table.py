"""docs/COVERAGE.md: a row a class, a column a check, and the reason for each "no"."""

import re
from pathlib import Path

from . import reasons
from .catalogue import KERASES, KINDS, TITLES, rows
from .checks import BOUND, COLUMNS, LOOSE, SPREAD
from .results import NOT_RUN, Store, holds, key, problems_of, short, sign

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "COVERAGE.md"
# The heading of the last section, which `keras_own` writes.
OWN_TESTS = "## Keras's own tests"

_INTRO = f"""# Coverage

What of Keras goes through, class by class: each is put into a small model, trained a little, exported, and replayed in
TensorFlow 1.15.5, which has neither Keras 3 nor this package. What it computes is compared with what Keras says.
This page is written by `scripts/coverage --write`, its last section by `scripts/keras_tests --write`; no line of it is
written by hand.

A "yes" says:

- **export**: the model is exported, and TensorFlow 1.15 loads it.
- **predict**: predictions differ from Keras's by at most {BOUND:.0e} of the largest output.
- **evaluate**: loss and metrics, accumulated over several batches after a reset, by at most {BOUND:.0e}.
- **gradients**: `tf.gradients` of the loss are there for each trainable variable for which Keras has them, in both
  phases, and differ by at most {LOOSE:.0e} of the largest gradient.
- **training**: what the model gives in the training phase differs by at most {BOUND:.0e}.
- **states**: what layers keep besides weights stays in inference, and moves as in Keras in training, within
  {BOUND:.0e}.
- **train steps**: three runs of `train_op` give the weights of three `train_on_batch`, within {LOOSE:.0e}.
- **random**: two steps in training differ, and the shares of zeros and of changed values, mean and standard deviation
  are Keras's, within the error of the sample.

"–": does not apply. What a random layer gives in training is compared by its statistics, not number by number; of its
training steps it is asked that they run, count, and leave finite weights. Names of one object share a row. Abstract
classes are covered by a small subclass, as a user would write it.

The applications are deep: where Keras's own numbers move further when the inputs move by 1e-6, as where a value falls
on the other side of a ReLU's kink, the bound is {SPREAD:.0f} times the furthest of three such moves.
"""


def write_document(folder):
    """Writes docs/COVERAGE.md from the results in a folder. A row without one keeps the "yes" that it has in the
    document, or is said to be not run.
    """
    found, written = {key(result): result for result in Store(folder).all()}, _written()
    every = [
        found.get((keras, row.kind, row.name)) or _without_result(keras, row, written)
        for keras in KERASES
        for row in rows(keras)
    ]
    DOCUMENT.parent.mkdir(exist_ok=True)
    last = own_tests(DOCUMENT.read_text()) if DOCUMENT.exists() else ""
    DOCUMENT.write_text(document(every) + (last and f"\n{last}"))


def own_tests(text):
    """The last section of the page, or nothing if it has none."""
    return "".join(text.partition(f"{OWN_TESTS}\n")[1:])


def _without_result(keras, row, written):
    signs = written.get((keras, row.kind, row.name), ())
    checks = dict(zip(COLUMNS, (None if it == "yes" else it for it in signs)))
    if not _is_yes(signs):
        checks = dict.fromkeys(COLUMNS, NOT_RUN)
    return {"keras": keras, "kind": row.kind, "name": row.name, "aliases": row.aliases, "checks": checks}


def document(results):
    """The text of docs/COVERAGE.md."""
    parts = [_INTRO, _versions(results), _totals(results)]
    for kind in KINDS:
        for keras in TITLES:
            rows = [result for result in results if (result["keras"], result["kind"]) == (keras, kind)]
            if rows:
                parts.append(f"## {TITLES[keras]}: {kind}\n\n{_table(rows)}{_problems(rows)}")
    return "\n".join(parts)


def _versions(results):
    seen = [result for result in results if "version" in result]
    said = sorted({f"{TITLES[r['keras']]} ({r['version']})" for r in seen})
    tensorflow = ", ".join(sorted({r["tensorflow"] for r in seen}))
    return f"Seen with {' and '.join(said)} in TensorFlow {tensorflow}, replayed in TensorFlow 1.15.5.\n"


def _totals(results):
    lines = ["## Totals", "", "| kind | " + " | ".join(TITLES.values()) + " |", "|---|" + "---|" * len(TITLES)]
    for kind in KINDS:
        cells = [_share([r for r in results if (r["keras"], r["kind"]) == (keras, kind)]) for keras in TITLES]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _share(results):
    results = [result for result in results if result["name"] not in reasons.OTHER_BACKENDS]
    run = [result for result in results if NOT_RUN not in result["checks"].values()]
    missing = f", {len(results) - len(run)} not run" if len(run) < len(results) else ""
    yes = sum(map(holds, run))
    return f"{yes} of {len(run)} ({100 * yes / len(run):.1f} %){missing}" if run else NOT_RUN


def _table(rows):
    lines = ["| name | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for row in sorted(rows, key=lambda row: row["name"].lower()):
        name = f"`{row['name']}`" + "".join(f", `{alias}`" for alias in row["aliases"])
        lines.append(f"| {name} | " + " | ".join(sign(row["checks"][column]) for column in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def _problems(rows):
    lines = []
    for row in rows:
        if row["name"] in reasons.OTHER_BACKENDS:
            backend = reasons.OTHER_BACKENDS[row["name"]]
            lines.append(f"- `{row['name']}`: Keras has it for its {backend} backend alone. It is not counted.")
        said = {}
        for column, text in problems_of(row):
            said.setdefault(plain(text), []).append(column)
        reason = reasons.reason(row["keras"], row["kind"], row["name"])
        for text, columns in said.items():
            lines.append(f"- `{row['name']}`, {', '.join(columns)}: {reason} What is said: `{text}`")
    return "\n" + "\n".join(lines) + "\n" if lines else ""


def plain(text):
    """An error on one line, without colours, paths of a machine and backquotes."""
    text = re.sub(r"\x1b?\[\d+m", "", text).replace("`", "'").replace("|", "/")
    return short(re.sub(r"(/[\w.-]+){2,}/", "…/", text), 500)


def claims():
    """What docs/COVERAGE.md says: dict, (keras, kind, name) -> bool, whether all that applies is yes."""
    return {key: _is_yes(signs) for key, signs in _written().items()}


def _is_yes(signs):
    return len(signs) == len(COLUMNS) and set(signs) <= {"yes", "–"}


def _written():
    """The rows of docs/COVERAGE.md: dict, (keras, kind, name) -> list of what stands in the columns."""
    keras_of = {title: keras for keras, title in TITLES.items()}
    found, where = {}, None
    for line in DOCUMENT.read_text().splitlines() if DOCUMENT.exists() else ():
        heading = re.match(r"## (.+): (.+)$", line)
        if heading:
            where = keras_of[heading.group(1)], heading.group(2)
        row = re.match(r"\| `(\w+)`[^|]*\|(.*)\|$", line)
        if row and where:
            found[(*where, row.group(1))] = [cell.strip() for cell in row.group(2).split("|")]
    return found
