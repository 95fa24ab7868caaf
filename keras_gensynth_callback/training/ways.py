"""Which process exports a model: this one, where it runs on TensorFlow, or else one beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional

from keras_gensynth_callback.kerases import is_exported_elsewhere
from keras_gensynth_callback.options import ExportOptions

from .monitor import Monitor
from .prefix_template import PrefixTemplate


@dataclass(frozen=True, eq=False)
class Plan:
    """What a callback was asked for, as far as it matters to whoever exports.

    Attributes:
        template: PrefixTemplate.
        monitor: Monitor, which gets the value of the best export that an earlier program left.
        options: ExportOptions.
        max_to_keep, keep_every_n_hours: which exports stay.
        series: dict of texts that tells the exports of this callback from others in their folder.
    """

    template: PrefixTemplate
    monitor: Monitor
    options: ExportOptions
    max_to_keep: Optional[int]
    keep_every_n_hours: Optional[float]
    series: Dict[str, str]


class Ways:
    """The ways to export, each made when a model first needs it. No TensorFlow is imported for a model that has none.

    A way has:
        manager: with `latest_checkpoint` and `checkpoints`, given to each snapshot.
        series: `take_up(model, make_folder=False)` and `let_go()`.
        first_batch: `expect(model)`, `watch(model, action)` and `withdraw()`.
        preparation: Preparation.
        workers_of(model): the Workers that train it.
        check_writable(prefix): raises where a prefix cannot be written.
        fill_collections(model): fills those of the graph that a model lives in; whether it lives in one.

    Args:
        plan: Plan.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._made: Dict[bool, Any] = {}

    def of(self, model: Any) -> Any:
        """The way of a model."""
        elsewhere = is_exported_elsewhere(model)
        if elsewhere not in self._made:
            self._made[elsewhere] = self._new(elsewhere)
        return self._made[elsewhere]

    def _new(self, elsewhere: bool) -> Any:
        if elsewhere:
            from .beside import Beside

            return Beside(self._plan)
        from .here import Here

        return Here(self._plan)


def fill_collections(model: Any) -> bool:
    """Fills the collections of the graph that a model lives in. Returns whether it lives in one."""
    if is_exported_elsewhere(model):
        return False
    from keras_gensynth_callback.export import fill_if_live

    return fill_if_live(model)


class OneWorker:
    """The worker of a training that has no others."""

    writes = True

    def agree(self, decision):
        """What it decides."""
        return decision
