"""A GraphDef that can be edited, together with the v1 control flow contexts that name its tensors.

TensorFlow 1.x keeps `cond` and `while_loop` twice: as nodes (`Switch`, `Merge`, `Enter`, ...) and as contexts in the
collections `cond_context` and `while_context`, which list tensors by name and are what `tf.gradients` walks
(tensorflow/core/protobuf/control_flow.proto). A node that is renamed, removed or added inside a context must change
in both places, so both are edited here, in one object, and nowhere else.
"""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Set,
    Union,
)

from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import control_flow_pb2

from .nodes import attr_value, data_inputs, input_name, is_control, moved, node_of, tensor_name, unique

if TYPE_CHECKING:
    from keras_gensynth_callback._types import ContextDef, GraphDef, MetaGraphDef, NodeDef, VersionDef

COND_CONTEXT, WHILE_CONTEXT = "cond_context", "while_context"
CONTEXT_PROTOS = {COND_CONTEXT: control_flow_pb2.CondContextDef, WHILE_CONTEXT: control_flow_pb2.WhileContextDef}
# What takes a tensor out of a loop or conditional.
_LEAVE_CONTEXTS = {"Merge", "RefMerge", "Exit", "RefExit"}
# Fields of a context that hold tensor names, besides its values.
_SINGLE_NAMES = ("pred_name", "pivot_name", "pivot_for_pred_name", "pivot_for_body_name", "maximum_iterations_name")
_REPEATED_NAMES = ("loop_exit_names", "loop_enter_names")
# So many nodes that hand a value on are looked behind.
FAR = 64


class Context:
    """One `cond` branch or `while_loop`: which tensors stand inside, and which come in from outside.

    Attributes:
        kind: str, `cond_context` or `while_context`.
        fields: the CondContextDef or WhileContextDef without its values and nested contexts.
        values: set of str, the tensors inside.
        external: dict, tensor outside -> tensor inside that stands for it.
        outer: the Context around this one, or None.
    """

    def __init__(
        self,
        kind: str,
        fields: ContextDef,
        values: Iterable[str] = (),
        external: Optional[Mapping[str, str]] = None,
        outer: Optional[Context] = None,
    ) -> None:
        self.kind, self.fields, self.outer = kind, fields, outer
        self.values, self.external = set(values), dict(external or {})

    @property
    def name(self) -> str:
        return self.fields.context_name

    def rename(self, rename_tensor: Callable[[str], str]) -> None:
        """Applies `rename_tensor` (str -> str) to every tensor name that the context holds."""
        self.values = {rename_tensor(value) for value in self.values}
        self.external = {rename_tensor(outside): rename_tensor(inside) for outside, inside in self.external.items()}
        for field in _SINGLE_NAMES:
            if getattr(self.fields, field, ""):
                setattr(self.fields, field, rename_tensor(getattr(self.fields, field)))
        for field in _REPEATED_NAMES:
            if hasattr(self.fields, field):
                names = [rename_tensor(name) for name in getattr(self.fields, field)]
                del getattr(self.fields, field)[:]
                getattr(self.fields, field).extend(names)

    def outwards(self) -> Iterator[Context]:
        """This context and those around it, from the inside out."""
        context: Optional[Context] = self
        while context is not None:
            yield context
            context = context.outer

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}: {len(self.values)} values>"


class EditableGraph:
    """Nodes by name, in order, and the control flow context that each stands in.

    Attributes:
        nodes: dict, node name -> NodeDef, in the order of the GraphDef.
        contexts: list of Context, outer ones before inner ones.
        context_of: dict, node name -> innermost Context; nodes outside of control flow are not in it.
    """

    def __init__(self, graph_def: Optional[GraphDef] = None, contexts: Iterable[Context] = ()) -> None:
        self.nodes: Dict[str, NodeDef] = {node.name: node for node in (graph_def.node if graph_def is not None else ())}
        self.contexts = list(contexts)
        self.context_of: Dict[str, Context] = {}
        self._taken: Optional[Set[str]] = None
        for context in self.contexts:
            for value in context.values - set(context.external):
                if node_of(value) in self.nodes:
                    self.context_of[node_of(value)] = context
        if self.contexts:
            self._place_nodes_without_outputs()

    def _place_nodes_without_outputs(self) -> None:
        """Contexts list tensors, so that they know nothing of writes and assertions: these stand where their inputs
        stand.
        """
        taken = {node_of(tensor) for node in self.nodes.values() for tensor in data_inputs(node)}
        for name, node in self.nodes.items():
            if name in self.context_of or name in taken or node.op in _LEAVE_CONTEXTS:
                continue
            sources = data_inputs(node) or node.input
            found = [context for context in map(self._context_behind, sources) if context is not None]
            if found:
                self.context_of[name] = max(found, key=_depth)

    def _context_behind(self, tensor: str) -> Optional[Context]:
        """The context that a tensor stands in, or None: what an `Exit` gives stands outside of its loop."""
        context = self.context_of.get(node_of(tensor))
        if context is not None and self.nodes[node_of(tensor)].op in ("Exit", "RefExit"):
            return context.outer
        return context

    # -- from and to protos

    @classmethod
    def from_meta_graph(cls, meta_graph: MetaGraphDef) -> EditableGraph:
        """The graph of a MetaGraphDef, with the contexts in its collections."""
        contexts: List[Context] = []
        for kind, proto in CONTEXT_PROTOS.items():
            for serialized in (
                meta_graph.collection_def[kind].bytes_list.value if kind in meta_graph.collection_def else ()
            ):
                _read_context(kind, proto.FromString(serialized), None, contexts)
        return cls(meta_graph.graph_def, contexts)

    def graph_def(self, versions: Optional[VersionDef] = None) -> GraphDef:
        """The nodes as a GraphDef."""
        graph_def = graph_pb2.GraphDef()
        graph_def.node.extend(self.nodes.values())
        if versions is not None:
            graph_def.versions.CopyFrom(versions)
        return graph_def

    def context_protos(self) -> Dict[str, List[ContextDef]]:
        """The contexts as they stand in collections: dict, collection name -> list of protos, nested ones inside
        outer ones.
        """
        protos: Dict[str, List[ContextDef]] = {COND_CONTEXT: [], WHILE_CONTEXT: []}
        nested: Dict[Optional[Context], List[Context]] = {}
        for context in self.contexts:
            nested.setdefault(context.outer, []).append(context)
        for context in nested.get(None, ()):
            protos[context.kind].append(self._context_proto(context, nested))
        return protos

    def _context_proto(self, context: Context, nested: Mapping[Optional[Context], List[Context]]) -> ContextDef:
        proto = type(context.fields)()
        proto.CopyFrom(context.fields)
        proto.values_def.values.extend(sorted(context.values | set(context.external)))
        for outside, inside in sorted(context.external.items()):
            proto.values_def.external_values[outside] = inside
        for inner in nested.get(context, ()):
            field = "cond_ctxt" if inner.kind == COND_CONTEXT else "while_ctxt"
            getattr(proto.nested_contexts.add(), field).CopyFrom(self._context_proto(inner, nested))
        return proto

    # -- reading

    def consumers(self) -> Dict[str, List[NodeDef]]:
        """dict, node name -> list of the NodeDefs that take one of its outputs or wait for it. Built anew at each
        call.
        """
        found: Dict[str, List[NodeDef]] = {name: [] for name in self.nodes}
        for node in self.nodes.values():
            for name in {node_of(tensor) for tensor in node.input}:
                found[name].append(node)
        return found

    def ancestors(self, names: Iterable[str], stop: Iterable[str] = (), controls: bool = True) -> Set[str]:
        """The names of all nodes that `names` depend on.

        Args:
            names: node names, which are among what is returned.
            stop: node names behind which nothing is looked for.
            controls: bool, whether to follow control inputs; without, it is what their values are computed from.
        """
        seen: Set[str] = set()
        todo, stop = list(names), set(stop)
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in stop:
                inputs = self.nodes[name].input
                todo.extend(node_of(tensor) for tensor in inputs if controls or not is_control(tensor))
        return seen

    def variables_behind(self, tensors: Iterable[str]) -> Set[str]:
        """The names of the variables that tensors are computed from."""
        names = self.ancestors(map(node_of, tensors), controls=False)
        return {name for name in names if self.nodes[name].op == "VarHandleOp"}

    def origin(self, tensor: str, hands_on: Union[Collection[str], Callable[[NodeDef], bool]]) -> Optional[NodeDef]:
        """The NodeDef that a tensor comes from, through the first inputs of nodes that hand them on; None where it
        comes from none. No way is longer than `FAR` nodes, so that a graph of a million nodes is read in linear time.

        Args:
            tensor: str.
            hands_on: the ops to look behind, as `HANDS_ON`; or what takes a NodeDef and says whether to look behind it.
        """
        looks = hands_on if callable(hands_on) else lambda node: node.op in hands_on
        node = self.nodes.get(node_of(tensor))
        for _ in range(FAR):
            if node is None or not looks(node) or not node.input or is_control(node.input[0]):
                break
            node = self.nodes.get(node_of(node.input[0]))
        return node

    def _taken_names(self) -> Set[str]:
        if self._taken is None:
            self._taken = {name.lower() for name in self.nodes}
        return self._taken

    # -- editing

    def add(
        self,
        op: str,
        name: str,
        inputs: Iterable[str] = (),
        beside: Union[NodeDef, str, None] = None,
        context: Optional[Context] = None,
        outputs: int = 1,
        **attrs: Any,
    ) -> NodeDef:
        """Adds a node under `name` or, where that is taken, the next free one.

        Args:
            op, name: str.
            inputs: tensor names; control inputs (`^name`) last.
            beside: NodeDef or node name whose control flow context the new node joins.
            context: Context to join, instead of `beside`.
            outputs: int, how many outputs the op has; all are listed in the context.
            **attrs: AttrValues, or Python values that `attr_value` understands.

        Returns:
            The NodeDef.
        """
        node = node_def_pb2.NodeDef(op=op, name=unique(name, self._taken_names()))
        node.input.extend(input_name(tensor) for tensor in inputs)
        for key, value in attrs.items():
            node.attr[key].CopyFrom(attr_value(value))
        self.nodes[node.name] = node
        if beside is not None:
            context = self.context_of.get(beside if isinstance(beside, str) else beside.name)
        if context is not None:
            self.enter(node.name, context, outputs)
        return node

    def enter(self, name: str, context: Context, outputs: int = 1) -> None:
        """Puts the node `name` with its first `outputs` outputs into `context`."""
        self.context_of[name] = context
        context.values.update(f"{name}:{index}" for index in range(max(outputs, 1)))

    def remove(self, names: Iterable[str]) -> None:
        """Removes nodes, and their values from the contexts; a context that loses its last value goes too."""
        names = set(names)
        for name in names:
            self.nodes.pop(name, None)
            self.context_of.pop(name, None)
        self._taken = None
        for context in self.contexts:
            context.values = {value for value in context.values if node_of(value) not in names}
            context.external = {
                outside: inside
                for outside, inside in context.external.items()
                if node_of(outside) not in names and node_of(inside) not in names
            }
        kept = [context for context in self.contexts if context.values]
        needed = {around for context in kept for around in context.outwards()}
        self.contexts = [context for context in self.contexts if context in needed]

    def drop(self, names: Iterable[str]) -> None:
        """Removes nodes whose outputs nobody takes; what waited for one waits for what it waited for."""
        for name in names:
            waits = [f"^{node_of(tensor)}" for tensor in self.nodes[name].input]
            for node in self.consumers()[name]:
                others = [tensor for tensor in node.input if tensor != f"^{name}"]
                del node.input[:]
                node.input.extend(dict.fromkeys([*others, *waits]))
        self.remove(names)

    def keep(self, names: Iterable[str]) -> None:
        """Removes every node that `names` (node names) do not depend on. What a kept loop needs to turn stays with
        it.
        """
        keep = self._with_loops(self.ancestors(names))
        self.remove([name for name in self.nodes if name not in keep])

    def _with_loops(self, keep: Iterable[str]) -> Set[str]:
        """`keep` and the nodes that contexts name beside their values: pivots, exits, enters, and all that these
        depend on.
        """
        named = {context: _named_tensors(context) for context in self.contexts}
        contexts_with: Dict[str, List[Context]] = {}
        for context in self.contexts:
            for name in {node_of(value) for value in context.values}:
                contexts_with.setdefault(name, []).append(context)
        kept, todo = set(keep), list(keep)
        while todo:
            name = todo.pop()
            needed = [node_of(tensor) for tensor in self.nodes[name].input]
            for context in contexts_with.get(name, ()):
                needed.extend(map(node_of, named.pop(context, ())))
            more = {other for other in needed if other in self.nodes and other not in kept}
            kept |= more
            todo.extend(more)
        return kept

    def redirect(self, replaced: Mapping[str, str]) -> None:
        """Lets every consumer of a tensor take another: `replaced` is a dict, tensor name -> tensor name (long forms).

        A control input on a replaced tensor's node stays as it is. Contexts know the tensor by its new name, too.
        """
        for context in self.contexts:
            context.rename(lambda tensor: replaced.get(tensor, tensor))
        for node in self.nodes.values():
            for index, tensor in enumerate(node.input):
                if not is_control(tensor) and tensor_name(tensor) in replaced:
                    node.input[index] = input_name(replaced[tensor_name(tensor)])

    def rename(self, renamed: Mapping[str, str]) -> None:
        """Renames nodes everywhere: `renamed` is a dict, node name -> node name. New names must be free, or freed by
        it.
        """
        if not renamed:
            return
        nodes = {}
        for name, node in self.nodes.items():
            node.name = renamed.get(name, name)
            nodes[node.name] = node
            for index, tensor in enumerate(node.input):
                if node_of(tensor) in renamed:
                    node.input[index] = moved(tensor, renamed)
        if len(nodes) != len(self.nodes):
            raise ValueError(f"two nodes would get one name: {len(self.nodes)} nodes, {len(nodes)} names")
        self.nodes = nodes
        self._taken = None
        self.context_of = {renamed.get(name, name): context for name, context in self.context_of.items()}
        for context in self.contexts:
            context.rename(lambda tensor: moved(tensor, renamed))

    def topological(self, among: Optional[Collection[str]] = None) -> List[str]:
        """Node names, all or those of `among` (a set, or a dict, whose order decides
        where inputs do not), so that inputs come first; loops are cut at `NextIteration`."""
        among = self.nodes if among is None else among
        done: Set[str] = set()
        order: List[str] = []
        for root in among:
            stack = [(root, False)]
            while stack:
                name, expanded = stack.pop()
                if expanded:
                    order.append(name)
                    continue
                if name in done:
                    continue
                done.add(name)
                stack.append((name, True))
                node = self.nodes[name]
                if node.op != "NextIteration":
                    stack.extend(
                        (node_of(tensor), False) for tensor in reversed(node.input) if node_of(tensor) in among
                    )
        return order


def _depth(context: Context) -> int:
    return len(list(context.outwards()))


def _named_tensors(context: Context) -> List[str]:
    names = [getattr(context.fields, field, "") for field in _SINGLE_NAMES]
    for field in _REPEATED_NAMES:
        names.extend(getattr(context.fields, field, ()))
    return [name for name in names if name]


def _read_context(kind: str, proto: ContextDef, outer: Optional[Context], contexts: List[Context]) -> None:
    fields = type(proto)()
    fields.CopyFrom(proto)
    fields.ClearField("values_def")
    fields.ClearField("nested_contexts")
    external = dict(proto.values_def.external_values)
    context = Context(kind, fields, set(proto.values_def.values) - set(external), external, outer)
    contexts.append(context)
    for nested in proto.nested_contexts:
        if nested.HasField("cond_ctxt"):
            _read_context(COND_CONTEXT, nested.cond_ctxt, context, contexts)
        else:
            _read_context(WHILE_CONTEXT, nested.while_ctxt, context, contexts)
