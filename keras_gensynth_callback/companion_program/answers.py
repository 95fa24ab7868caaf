"""What the companion can be asked: each method takes and gives what JSON has."""

import base64
import itertools

import numpy as np

from keras_gensynth_callback.checkpoint import CheckpointManager, check_writable, claim, reported, storage
from keras_gensynth_callback.companion import variables_of
from keras_gensynth_callback.export import Exporter
from keras_gensynth_callback.lift import compute_as_other_backends
from keras_gensynth_callback.model_files import convert_file
from keras_gensynth_callback.options import Moment
from keras_gensynth_callback.restore import read_into

from .memory import Memory
from .nests import nest_of, options_of
from .other_backends import told_by_layer
from .own_objects import OwnObjects
from .rebuilding import assign, rebuilt


class _Made:
    """A model that was made here, and its exporter, once there is one."""

    def __init__(self, description, model):
        self.description, self.model, self.exporter = description, model, None


class Answers:
    """The models, managers and claims of the program that asks.

    Args:
        descriptors: list of int, of the files in memory.
    """

    def __init__(self, descriptors):
        self._memory, self._numbers = Memory(descriptors), itertools.count()
        self._models, self._managers, self._claims, self._restored = {}, {}, {}, set()
        self._objects = OwnObjects({"name": None, "file": None})

    def begin(self, path, arguments, main, keras, backend):
        """Takes over what the program has set in Keras, and which backend it has."""
        import keras as here

        for name, value in keras.items():
            getattr(here.config, f"set_{name}")(value)
        compute_as_other_backends(backend)
        self._objects = OwnObjects(main)

    def forget(self, numbers):
        """Models that are needed no more."""
        for number in numbers:
            self._models.pop(number, None)

    def make(self, model, values):
        """Makes a model. Returns its number."""
        number = next(self._numbers)
        self._models[number] = _Made(model, rebuilt(model, self._objects, self._memory.arrays(values)))
        return number

    def prepare(self, model, options, spec):
        """Makes the graph of a model."""
        made = self._models[model]
        made.exporter = Exporter(made.model, options_of(options))
        with told_by_layer(bool(made.description["objects"])):
            made.exporter.prepare(nest_of(spec))

    def meta_graph(self, model):
        """The graph of a model, in base64."""
        return base64.b64encode(self._models[model].exporter.meta_graph).decode()

    def export(self, model, prefix, moment, manager, values):
        """Writes an export. Returns its record, and what is on the disk then."""
        made, managed = self._models[model], None if manager is None else self._managers[manager]
        assign(made.model, made.description, self._memory.arrays(values))
        record = made.exporter.export(prefix, Moment(**moment), managed)
        return {"record": vars(record), "checkpoints": [] if managed is None else managed.checkpoints}

    def manage(self, arguments):
        """Makes a manager. Returns its number."""
        max_to_keep, hours, series = arguments
        number = next(self._numbers)
        self._managers[number] = CheckpointManager(max_to_keep, hours, series)
        return number

    def take_up(self, manager, folder, series, make_folder):
        """Claims a series of exports, if its folder is there, and says which was the best of them so far."""
        managed, best = self._managers[manager], None
        with reported(folder, "made, or not be read", "The folder"):
            if make_folder:
                storage.make_folders(folder)
            if storage.is_folder(folder):
                self._claims[manager] = claim(folder, series)
                if (manager, folder) not in self._restored:
                    self._restored.add((manager, folder))
                    best = managed.restore(folder)
        logs = (best.get("logs") or {}) if best is not None else None
        return {"claimed": manager in self._claims, "best": logs, "checkpoints": managed.checkpoints}

    def let_go(self, manager):
        """Others may write exports of the series."""
        self._claims.pop(manager, None)

    def check_writable(self, prefix):
        """Raises where a prefix cannot be written."""
        check_writable(prefix)

    def load(self, model, prefix, values):
        """Reads a checkpoint into a model, whose values are given. What it has then goes back to where they were."""
        made, arrays = self._models[model], self._memory.arrays(values)
        assign(made.model, made.description, arrays)
        found = read_into(made.model, prefix)
        for name, variables in variables_of(made.model).items():
            places = arrays[name]
            if len(places) == len(variables):
                for place, variable in zip(places, variables):
                    np.copyto(place, np.asarray(variable).astype(place.dtype))
        return found

    def convert(self, path, prefix, objects, safe_mode, options):
        """Exports the model in a file."""
        found = {name: self._objects.found(*place) for name, place in objects.items()}
        return vars(convert_file(path, prefix, found, safe_mode, options_of(options)))
