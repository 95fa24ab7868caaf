"""`scripts/libraries`: models of other libraries, each beside its library; the results are kept, and become a page."""

import argparse
import collections
import json
import subprocess
import sys

from find_reader import clean_environ, make_reader
from versions.environments import NoEnvironmentError

from . import catalogue, table
from .environments import CACHE, ENVIRONMENTS
from .store import RUNNING, Store, outcome
from .table import REPOSITORY

PROGRAM = REPOSITORY / "tests" / "libraries" / "program.py"
RESULTS, LIMIT = CACHE / "results", 7200


def _arguments(modules):
    parser = argparse.ArgumentParser(prog="scripts/libraries", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="libraries or models (all)")
    parser.add_argument("--resume", action="store_true", help="leave out what has a result")
    parser.add_argument("--kept", action="store_true", help="run nothing; take the results that there are")
    parser.add_argument("--write", action="store_true", help="write docs/libraries.md")
    parser.add_argument("--list", action="store_true", help="print what would be run, and run nothing")
    arguments = parser.parse_args()
    known = {name for module in modules.values() for name in (module.LIBRARY, *module.MODELS)}
    unknown = sorted(set(arguments.names) - known)
    if unknown:
        parser.error(f"no such library or model: {', '.join(unknown)}")
    return arguments


def _asked(arguments, modules, stores):
    """(module, model) for each that is to be run."""
    for name, module in modules.items():
        for model in module.MODELS:
            wanted = not arguments.names or {module.LIBRARY, model} & set(arguments.names)
            if wanted and not arguments.kept and not (arguments.resume and stores[name].has(model)):
                yield name, model


def _run(environment, pending, stores, reader):
    """Runs models, module -> names, of one environment and one Keras. What ends the program is a result, too; what is
    left is run by another one.
    """
    try:
        python = environment.executable()
    except NoEnvironmentError as error:
        _keep_failed(stores, pending, str(error))
        return
    for name, models in pending.items():
        for model in models:
            stores[name].forget(model)
    environ = dict(clean_environ(), CUDA_VISIBLE_DEVICES="-1")
    while pending:
        command = [python, "-W", "ignore", PROGRAM, REPOSITORY, reader, RESULTS, json.dumps(pending)]
        try:
            done = subprocess.run(
                [str(part) for part in command], stderr=subprocess.PIPE, env=environ, encoding="utf-8", timeout=LIMIT
            )
            said = f"it ended with status {done.returncode}: {done.stderr[-500:]}"
        except subprocess.TimeoutExpired:
            said = f"it was not done after {LIMIT} seconds"
        if _left(pending, stores):
            _keep_failed(stores, _at_hand(_left(pending, stores)), said)
        pending = _left(pending, stores)


def _left(pending, stores):
    left = {name: [model for model in models if not stores[name].has(model)] for name, models in pending.items()}
    return {name: models for name, models in left.items() if models}


def _at_hand(left):
    """The model that was being exported when the program ended; or all, if it had not come so far."""
    path = RESULTS / RUNNING
    name, model = json.loads(path.read_text()) if path.exists() else (None, None)
    return {name: [model]} if model in left.get(name, ()) else left


def _keep_failed(stores, models, why):
    for name, names in models.items():
        for model in names:
            stores[name].keep({"name": model, "failed": why})


def main():
    modules = catalogue.modules()
    arguments = _arguments(modules)
    RESULTS.mkdir(parents=True, exist_ok=True)
    stores = {name: Store(RESULTS, name) for name in modules}
    groups = collections.defaultdict(lambda: collections.defaultdict(list))
    for name, model in _asked(arguments, modules, stores):
        groups[modules[name].ENVIRONMENT, catalogue.keras_of(modules[name])][name].append(model)
        if arguments.list:
            print(f"{modules[name].LIBRARY}: {model}")
    if arguments.list:
        return 0
    reader = make_reader() if groups else None
    for (environment, _), models in groups.items():
        (RESULTS / RUNNING).unlink(missing_ok=True)
        _run(ENVIRONMENTS[environment], models, stores, reader)
    found = [
        table.Entry(module, model, stores[name].result(model))
        for name, module in modules.items()
        for model in module.MODELS
    ]
    if arguments.write:
        table.write(found)
    counts = collections.Counter(outcome(entry.result) if entry.result else "not run" for entry in found)
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    unsound = [entry for entry in found if not entry.is_sound()]
    for entry in unsound:
        print(f"not as the page should have it: {entry.module.LIBRARY}, {entry.model}")
    return 1 if unsound else 0


if __name__ == "__main__":
    sys.exit(main())
