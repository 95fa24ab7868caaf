"""The results: a JSON file for each model, in a folder for each module."""

import json
import re
from pathlib import Path

from breadth.results import holds

# The file, beside the folders, that names the module and the model that is being exported.
RUNNING = "running"
WHOLE, REFUSED, WRONG, FAILED = "whole", "refused", "wrong", "failed"


class Store:
    """The results of one module of models, in a folder of all results."""

    def __init__(self, results, module):
        self.folder = Path(results, module)

    def _path(self, name):
        return self.folder / (re.sub(r"\W+", "-", name) + ".json")

    def has(self, name):
        return self._path(name).exists()

    def forget(self, name):
        self._path(name).unlink(missing_ok=True)

    def keep(self, result):
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path(result["name"]).write_text(json.dumps(result, indent=1, sort_keys=True, default=str))

    def result(self, name):
        """What is kept of a model, or None."""
        return json.loads(self._path(name).read_text()) if self.has(name) else None


def outcome(result):
    """What came out: `WHOLE`; `REFUSED` in words; `WRONG`, a number; or `FAILED`, in any other way."""
    if "checks" not in result:
        return FAILED
    if holds(result):
        return WHOLE
    if "stage" not in result:
        return WRONG
    if "This is a defect" in result["checks"]["export"]:
        return FAILED
    return REFUSED if "GenSynthExportError" in result["error"] and "DefectError" not in result["error"] else FAILED
