"""Exports by way of the companion, with the interfaces of `export.Exporter` and `checkpoint.CheckpointManager`."""

from __future__ import annotations

import base64
import functools
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from keras_gensynth_callback.errors import InvalidArgumentError, NotBuiltError, UnsupportedModelError
from keras_gensynth_callback.kerases import backend_of
from keras_gensynth_callback.options import ExportOptions, Moment
from keras_gensynth_callback.record import ExportRecord

from . import keras_privates
from .description import GROUPS, described, flat, of_options, values_of, variables_of
from .process import Companion, running_companion

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Model, Path

# Layers of Keras that run a function or a module of one backend.
_OF_ONE_BACKEND = ("JaxLayer", "FlaxLayer", "TorchModuleWrapper", "NNXModule")


def check_model(model: Model, options: ExportOptions) -> None:
    """Raises UnsupportedModelError for a model that no Keras on TensorFlow can make again."""
    backend = backend_of(model)
    for layer in keras_privates.layers_of(model):
        if type(layer).__name__ in _OF_ONE_BACKEND:
            raise UnsupportedModelError(
                f"The layer `{layer.name}` of class {type(layer).__name__} runs code of the backend {backend!r}, and "
                "the graph of an export is made by Keras on TensorFlow. Expected: layers of `keras.layers`, or of your "
                "own that compute with `keras.ops`. Write what it does as such a layer."
            )
    steps = keras_privates.STEPS[2:] if not options.is_trainable else keras_privates.STEPS
    for step in steps:
        if keras_privates.was_replaced(model, step):
            raise UnsupportedModelError(
                f"The class {type(model).__name__} of the model `{model.name}` has a `{step}` of its own, which is "
                f"written for the backend {backend!r}; the graph of an export is made by Keras on TensorFlow. "
                "Expected: the steps of Keras, with a `compute_loss` of the model's own where it has an unusual loss. "
                f"Export with {_or_inference(step)} or train with the environment variable KERAS_BACKEND=tensorflow an"
                f"d a `{step}` for that."
            )
    if options.is_trainable and getattr(model, "compiled", False):
        if keras_privates.was_replaced(model, "compile") and not keras_privates.was_replaced(
            model, "compile_from_config"
        ):
            raise UnsupportedModelError(
                f"The class {type(model).__name__} of the model `{model.name}` has a `compile` of its own, of which no "
                "configuration tells. Expected: `compile` of Keras, or with it `get_compile_config` and "
                "`compile_from_config`, by which the process that makes the export compiles it as well."
            )


def _or_inference(step: str) -> str:
    return 'graph="inference",' if step != "predict_step" else "the `predict_step` of Keras,"


def check_writable(prefix: str) -> None:
    """As `checkpoint.check_writable`."""
    running_companion().call("check_writable", prefix=prefix)


def sample_of_weights(model: Model) -> List[np.ndarray]:
    """Copies of the model's four smallest trainable variables."""
    _bring_values(model)
    variables = sorted(model.trainable_variables, key=lambda variable: int(np.prod(variable.shape)))
    return [value.copy() for value in values_of(variables[:4])]


def _bring_values(model: Model) -> None:
    """While `fit` of JAX runs, it has the values, and not the variables: it gives them back when it is asked."""
    if hasattr(model, "jax_state_sync"):
        model.jax_state_sync()


class CompanionExporter:
    """Exports one model, as often as asked.

    The model is made again by the companion, once, and gets its values before each export. Where the companion has
    ended, the next export starts another one.

    Args:
        model: a Keras model on JAX or Torch.
        options: ExportOptions.
    """

    def __init__(self, model: Model, options: ExportOptions) -> None:
        check_model(model, options)
        self.model, self.options = model, options
        self.prepared = False
        self._description: Optional[Dict[str, Any]] = None
        self._made: Optional[Tuple[Companion, int]] = None
        self._spec: Any = None
        if self.can_prepare:
            self._describe()

    @property
    def can_prepare(self) -> bool:
        """Whether all weights of the model exist."""
        return self._description is not None or all(layer.built for layer in keras_privates.layers_of(self.model))

    def _describe(self) -> None:
        """Has the model made again. Not while `fit` of JAX runs, which then has the values that this needs."""
        if not self.can_prepare:
            raise NotBuiltError(
                f"The model `{self.model.name}` has layers without weights yet, and cannot be made again by the "
                "process that exports it. Call it once on a batch of data, build it with `model.build(input_shape)`, "
                "or export during `fit`."
            )
        _bring_values(self.model)
        self._description = described(self.model)
        self._made = self._make(running_companion())

    def prepare(self, data_spec: Any = None) -> None:
        """Has the graph made, once.

        Args:
            data_spec: what `spec_of_batch` gives, or None.
        """
        if not self.prepared:
            self._spec = data_spec
            self._lift(*self._ready())
            self.prepared = True

    def _make(self, companion: Companion) -> Tuple[Companion, int]:
        with companion.memory.taken() as area:
            values = {"area": area, "layout": _put(companion, area, self.model)}
            number = companion.call("make", model=self._description, values=values)
        weakref.finalize(self, companion.forget, number)
        return companion, number

    def _lift(self, companion: Companion, number: int) -> None:
        companion.call("prepare", model=number, options=of_options(self.options), spec=self._spec)

    def _current(self) -> Tuple[Companion, int]:
        """The companion that runs, and what it knows the model by."""
        companion = running_companion()
        if self._made is None or self._made[0] is not companion:
            self._made = self._make(companion)
            if self.prepared:
                self._lift(*self._made)
        return self._made

    def begin(
        self, prefix: Path, moment: Moment, manager: Optional["RemoteManager"] = None, started: Optional[float] = None
    ) -> Callable[[], ExportRecord]:
        """Takes the values of this moment, and returns what has them written, in any thread."""
        started = time.perf_counter() if started is None else started
        _bring_values(self.model)
        self.prepare()
        companion, number = self._current()
        taken = _Taken(companion, companion.memory.take())
        layout = _put(companion, taken.area, self.model)
        waited = time.perf_counter() - started
        thread = threading.get_ident()
        question = {"model": number, "prefix": os.fspath(prefix), "moment": vars(moment)}
        return functools.partial(self._write, taken, layout, question, manager, started, waited, thread)

    def _write(
        self,
        taken: _Taken,
        layout: Dict[str, Any],
        question: Dict[str, Any],
        manager: Optional["RemoteManager"],
        started: float,
        waited: float,
        thread: int,
    ) -> ExportRecord:
        companion = taken.companion
        try:
            values = {"area": taken.area, "layout": layout}
            managed = None if manager is None else manager.number_in(companion)
            answer = companion.call("export", values=values, manager=managed, **question)
        finally:
            taken.give_back()
        shown: Callable[[str], str] = str
        if manager is not None:
            manager.note(answer)
            shown = manager.shown
        record, to_disk = answer["record"], time.perf_counter() - started
        return ExportRecord(
            prefix=shown(record["prefix"]),
            epoch=record["epoch"],
            batch=record["batch"],
            logs=record["logs"],
            files=[shown(file) for file in record["files"]],
            size=record["size"],
            seconds=to_disk if threading.get_ident() == thread else waited,
            seconds_to_disk=to_disk,
            target=record["target"],
        )

    def meta_graph(self) -> bytes:
        """The serialized MetaGraphDef."""
        self.prepare()
        companion, number = self._current()
        return base64.b64decode(companion.call("meta_graph", model=number))

    def load(self, prefix: str) -> List[str]:
        """Reads a checkpoint into the model. Returns the names of the variables that were read."""
        found = self._loaded(prefix)
        optimizer: Any = getattr(self.model, "optimizer", None)
        if any(name.startswith("training/") for name in found) and not getattr(optimizer, "built", True):
            optimizer.build(self.model.trainable_variables)
            found = self._loaded(prefix)
        return found

    def _loaded(self, prefix: str) -> List[str]:
        companion, number = self._ready()
        with companion.memory.taken() as area:
            layout = _put(companion, area, self.model)
            answer = companion.call("load", model=number, prefix=prefix, values={"area": area, "layout": layout})
            for name, variables in variables_of(self.model).items():
                for variable, array in zip(variables, companion.memory.get(area, layout[name])):
                    variable.assign(array)
        return answer

    def _ready(self) -> Tuple[Companion, int]:
        if self._description is None:
            self._describe()
        return self._current()


class _Taken:
    """An area that is taken until its values are written, or nobody is there any more who would have them written."""

    def __init__(self, companion: Companion, area: int) -> None:
        self.companion, self.area = companion, area
        self.give_back = weakref.finalize(self, companion.memory.give_back, area)


def _put(companion: Companion, area: int, model: Model) -> Dict[str, Any]:
    """Copies all values of a model into an area. Returns where they lie, by group."""
    groups = variables_of(model)
    layout = companion.memory.put(area, values_of(flat(groups)))
    rest = iter(layout)
    return {name: [next(rest) for _ in groups[name]] for name in GROUPS}


class RemoteManager:
    """Which exports stay: decided by the companion.

    Args:
        max_to_keep, keep_every_n_hours, series: as for `checkpoint.CheckpointManager`.
        shown: what a path is called outside.
    """

    def __init__(
        self,
        max_to_keep: Optional[int],
        keep_every_n_hours: Optional[float],
        series: Dict[str, str],
        shown: Callable[[str], str],
    ) -> None:
        self.shown = shown
        self._arguments = (max_to_keep, keep_every_n_hours, series)
        self._made: Optional[Tuple[Companion, int]] = None
        self._checkpoints: List[str] = []

    def __getstate__(self) -> Dict[str, Any]:
        return dict(vars(self), _made=None)  # a copy has no process

    @property
    def checkpoints(self) -> List[str]:
        """The prefixes that are on the disk, oldest first."""
        return [self.shown(prefix) for prefix in self._checkpoints]

    @property
    def latest_checkpoint(self) -> Optional[str]:
        """The prefix that was added last, or None."""
        return self.checkpoints[-1] if self._checkpoints else None

    @property
    def is_known(self) -> bool:
        """Whether the companion that runs knows this manager."""
        return self._made is not None and self._made[0] is running_companion()

    def number_in(self, companion: Companion) -> int:
        """What the companion knows this manager by."""
        if self._made is None or self._made[0] is not companion:
            self._made = (companion, companion.call("manage", arguments=self._arguments))
        return self._made[1]

    def note(self, answer: Dict[str, Any]) -> None:
        """Takes over what the companion says is on the disk."""
        self._checkpoints = answer["checkpoints"]

    def take_up(self, folder: str, series: str, make_folder: bool) -> Dict[str, Any]:
        """Claims a series of exports: dict with `claimed` and `best`, the logs of the best export there, or None."""
        companion = running_companion()
        answer = companion.call(
            "take_up", manager=self.number_in(companion), folder=folder, series=series, make_folder=make_folder
        )
        self.note(answer)
        return answer

    def let_go(self) -> None:
        """Others may write exports of the series."""
        if self._made is not None and not self._made[0].is_known_dead:
            self._made[0].call("let_go", manager=self._made[1])


def write_export(model: Model, prefix: str, options: ExportOptions) -> ExportRecord:
    """As `export.write_export`."""
    return CompanionExporter(model, options).begin(prefix, Moment())()


def meta_graph(model: Model, options: ExportOptions) -> bytes:
    """The serialized MetaGraphDef that an export of a model has."""
    return CompanionExporter(model, options).meta_graph()


def load_checkpoint(model: Model, filepath: Path) -> List[str]:
    """As `restore.read_into`."""
    if not isinstance(filepath, (str, os.PathLike)):
        raise InvalidArgumentError(
            f"`filepath` must be a checkpoint prefix, as a str or a path object. Received: {filepath!r} of type "
            f"{type(filepath).__name__}. Pass for example 'exports/net'."
        )
    return CompanionExporter(model, ExportOptions()).load(os.fspath(filepath))


def convert(source: str, prefix: str, objects: Dict[str, Any], safe_mode: bool, options: ExportOptions) -> ExportRecord:
    """As `model_files.convert_file`."""
    places = {name: _place_of(name, value) for name, value in objects.items()}
    answer = running_companion().call(
        "convert", path=source, prefix=prefix, objects=places, safe_mode=safe_mode, options=of_options(options)
    )
    return ExportRecord(**answer)


def _place_of(name: str, value: Any) -> List[str]:
    """The module of a class or function, and its name there."""
    module, place = getattr(value, "__module__", None), getattr(value, "__qualname__", "<locals>")
    if module is None or "<locals>" in place or "<lambda>" in place:
        raise InvalidArgumentError(
            f"`custom_objects` must be classes and functions that another process can import. Received: {name!r}: "
            f"{value!r}. Define it at the top of a module."
        )
    return [module, place]
