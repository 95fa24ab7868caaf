"""Exports models of libraries and replays them: `program.py REPOSITORY READER FOLDER MODELS`

Runs in the environment of the libraries. MODELS is JSON: a dict, module -> names of models, all of one Keras. FOLDER
gets a folder for each module, with a file for each model as soon as its result is there, and `running`, the model at
hand.
"""

import json
import os
import sys
from pathlib import Path

REPOSITORY, READER, FOLDER, MODELS = sys.argv[1:]
sys.path[:0] = [os.path.join(REPOSITORY, part) for part in ("", "tests", "tests/helpers", "scripts")]
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import importlib  # noqa: E402
from importlib import metadata  # noqa: E402

from breadth import results  # noqa: E402
from breadth.catalogue import Row  # noqa: E402
from breadth.suite import Suite  # noqa: E402
from find_reader import clean_environ  # noqa: E402

from keras_gensynth_callback.options import ExportOptions  # noqa: E402
from libraries import catalogue  # noqa: E402
from libraries.store import RUNNING, Store  # noqa: E402


def main():
    asked = json.loads(MODELS)
    modules = {name: importlib.import_module(f"libraries.{name}") for name in asked}
    rows = [Row(name, model, [], modules[name].MODELS[model]) for name, models in asked.items() for model in models]
    keras = catalogue.keras_of(next(iter(modules.values())))

    def recipe_of(row):
        def recipe(keras, make):
            Path(FOLDER, RUNNING).write_text(json.dumps([row.kind, row.name]))
            return make(keras)

        return recipe

    def run(rows):
        for result in Suite(keras, READER, clean_environ(), recipe_of=recipe_of).run(rows):
            library = modules[result["kind"]].LIBRARY
            print(results.line({**result, "kind": library}), flush=True)
            yield {**result, "library": library, "library version": metadata.version(library)}

    refused = {}
    for result in run(rows):
        Store(FOLDER, result["kind"]).keep(result)
        if result.get("stage") == "export":
            refused[result["kind"], result["name"]] = result
    # What cannot be trained in TensorFlow 1.15 may predict there.
    again = [row._replace(object=as_inference(row.object)) for row in rows if (row.kind, row.name) in refused]
    for result in run(again):
        first = refused[result["kind"], result["name"]]
        Store(FOLDER, result["kind"]).keep({**first, "inference": result})


def as_inference(make):
    return lambda keras: {**make(keras), "options": ExportOptions(graph="inference")}


if __name__ == "__main__":
    main()
