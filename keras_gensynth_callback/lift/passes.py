"""The passes over graphs, in their order: those over each trace before traces are laid over each other, and those over
the one graph in the end. `python -m keras_gensynth_callback.lift` lists them.
"""

from typing import Callable, NamedTuple, Optional, Tuple

from keras_gensynth_callback.graph import (
    EditableGraph,
    drop_unused_inputs,
    fold_constants,
    hand_on_switched_terms,
    last_output_without_array,
    merge_equal_nodes,
    one_counter_a_loop,
)

from .converters import spell_out_erfc
from .inner_gradients import transpose_kernels_of_gradients


class Pass(NamedTuple):
    """One pass.

    Attributes:
        name: str.
        run: callable of an EditableGraph, which it edits in place, and `Needed`.
        of_both_phases: whether graphs of both phases are passed, or None: all.
    """

    name: str
    run: Callable[[EditableGraph, "Needed"], object]
    of_both_phases: Optional[bool] = None


class Needed(NamedTuple):
    """What a graph is there for.

    Attributes:
        results: names of the nodes that keep their names.
        forward: names of the nodes that predictions and the loss are.
    """

    results: Tuple[str, ...]
    forward: Tuple[str, ...] = ()


def _keep(graph, needed):
    graph.keep(needed.results)


PASSES_OVER_TRACES = (
    Pass("keep what is needed", _keep),
    Pass("fold constants", lambda graph, needed: fold_constants(graph, pinned=needed.results)),
    Pass("one counter a loop", lambda graph, needed: one_counter_a_loop(graph)),
    Pass("last output without a TensorArray", lambda graph, needed: last_output_without_array(graph)),
    Pass("keep what is needed", _keep),
    Pass("merge equal nodes", lambda graph, needed: merge_equal_nodes(graph, pinned=needed.results)),
)

PASSES_OVER_THE_GRAPH = (
    Pass("spell Erfc out", lambda graph, needed: spell_out_erfc(graph), of_both_phases=False),
    Pass("keep what is needed", _keep),
    Pass("fold constants", lambda graph, needed: fold_constants(graph, pinned=needed.results)),
    Pass("keep what is needed", _keep),
    Pass("merge equal nodes", lambda graph, needed: merge_equal_nodes(graph, pinned=needed.results)),
    Pass("drop inputs of loops that nobody uses", lambda graph, needed: drop_unused_inputs(graph)),
    Pass("hand on what sums in a branch take twice", lambda graph, needed: hand_on_switched_terms(graph)),
    Pass(
        "transpose the kernels of gradients in the forward pass",
        lambda graph, needed: transpose_kernels_of_gradients(graph, graph.ancestors(needed.forward)),
    ),
)


def run_passes(passes, graph, needed, both_phases=True):
    """Runs passes over a graph in their order.

    Args:
        passes: tuple of Pass.
        graph: EditableGraph, edited in place.
        needed: Needed.
        both_phases: whether the graph has both phases.
    """
    for one in passes:
        if one.of_both_phases in (None, both_phases):
            one.run(graph, needed)


def listed():
    """The passes in words, one a line."""
    lines = []
    for title, passes in (("each trace", PASSES_OVER_TRACES), ("the graph", PASSES_OVER_THE_GRAPH)):
        lines.append(f"over {title}:")
        for number, one in enumerate(passes, 1):
            where = {None: "", True: " (graphs of both phases)", False: " (inference graphs)"}[one.of_both_phases]
            lines.append(f"  {number}. {one.name}{where}")
    return "\n".join(lines)
