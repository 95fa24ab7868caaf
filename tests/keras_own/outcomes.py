"""What came of a configuration, in a word and a line; and how many of each there are."""

import collections

from breadth import results

from . import KINDS

RIGHT, REFUSED, WRONG, CRASHED, NOT_A_MODEL = OUTCOMES = ("right", "refused", "wrong", "crashed", "not a model")
FAULTS = (WRONG, CRASHED)

Outcome = collections.namedtuple("Outcome", ["kind", "name", "said", "where", "outcome", "why", "trace", "seen"])


def outcome(configuration, result):
    """What the result of the suite says of a configuration."""
    word, why = _word(result)
    said = str(configuration)
    seen = f"Keras {result['version']} in TensorFlow {result['tensorflow']}"
    trace = result.get("trace", "")
    return Outcome(configuration.kind, configuration.name, said, configuration.where, word, why, trace, seen)


def _word(result):
    if result.get("stage") in ("recipe", "numbers"):
        return NOT_A_MODEL, _without(result["checks"]["export"], "Keras itself fails: ")
    if result.get("stage") == "export":
        refused = "GenSynthExportError" in result["error"] and "DefectError" not in result["error"]
        return REFUSED if refused else CRASHED, result["checks"]["export"]
    problems = results.problems_of(result)
    if not problems:
        return RIGHT, ""
    if not result["finite"] and all("not finite" in text for _, text in problems):
        return NOT_A_MODEL, "Keras's own gradients, or weights after three steps, are not finite"
    return WRONG, "; ".join(f"{column}: {text}" for column, text in problems)


def _without(text, start):
    return text[len(start) :] if text.startswith(start) else text


def line(outcome):
    """What is printed of an outcome."""
    why = f"\n      {results.short(outcome.why, 600)}" if outcome.why else ""
    return f"{outcome.outcome:11} {results.short(outcome.said, 400)} ({outcome.where}){why}"


def sort(outcomes):
    """Outcomes in the order of kinds and names."""
    return sorted(outcomes, key=lambda each: (KINDS.index(each.kind), each.name, each.where, each.said))


def counts(outcomes):
    """dict, kind -> dict, outcome -> how many."""
    found = {kind: dict.fromkeys(OUTCOMES, 0) for kind in KINDS}
    for each in outcomes:
        found[each.kind][each.outcome] += 1
    return {kind: row for kind, row in found.items() if any(row.values())}


def table(outcomes):
    """The counts by kind as a table of Markdown."""
    lines = ["| kind | configurations | " + " | ".join(OUTCOMES) + " |", "|---|" + "---|" * (len(OUTCOMES) + 1)]
    rows = counts(outcomes)
    total = {word: sum(row[word] for row in rows.values()) for word in OUTCOMES}
    for kind, row in [*rows.items(), ("all", total)]:
        lines.append(f"| {kind} | {sum(row.values())} | " + " | ".join(str(row[word]) for word in OUTCOMES) + " |")
    return "\n".join(lines)
