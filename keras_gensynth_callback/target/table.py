"""What a TensorFlow knows: its ops, which of them have a gradient, and for which types there is a CPU kernel.

The table of a released TensorFlow is a file in `data/`, written by `scripts/make_op_table.py` in that TensorFlow. A new
target is a new file, and nothing else.
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import os
import re
from typing import TYPE_CHECKING, Dict, FrozenSet, Iterable, List, Optional, Tuple

from tensorflow.core.framework import op_def_pb2

from keras_gensynth_callback.errors import InvalidArgumentError
from keras_gensynth_callback.graph import op_definition

if TYPE_CHECKING:
    from keras_gensynth_callback._types import NodeDef, OpDef, OpList

# Of a kernel: attribute -> the DataTypes that it is for.
_Kernel = Dict[str, List[int]]
CURRENT = "current"
_DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
_FILE = re.compile(r"tensorflow-(\d+\.\d+)\.json\.gz$")


def known_targets() -> Tuple[str, ...]:
    """The names that `target` may have: the versions there are tables for, oldest first, and `current`."""
    versions = [match.group(1) for match in map(_FILE.match, os.listdir(_DATA)) if match]
    return tuple(sorted(versions, key=lambda version: [int(part) for part in version.split(".")])) + (CURRENT,)


class OpTable:
    """What one TensorFlow knows. Use `OpTable.load`, which keeps each table once.

    Attributes:
        version: str, "1.15", or "current" for the TensorFlow that is installed.
        graph_def_version: int, the newest GraphDef version that it reads; None for "current".
        collections_of_names: frozenset of the collections of variables that it keeps as names and not as protos.
    """

    def __init__(
        self,
        version: str,
        ops: Optional[Dict[str, OpDef]],
        gradients: Iterable[str] = (),
        kernels: Optional[Dict[str, List[_Kernel]]] = None,
        graph_def_version: Optional[int] = None,
        collections_of_names: Iterable[str] = (),
    ) -> None:
        self.version, self.graph_def_version = version, graph_def_version
        self.collections_of_names = frozenset(collections_of_names)
        self._ops, self._gradients = ops or {}, frozenset(gradients)
        self._kernels = kernels
        forms = [form for forms in (kernels or {}).values() for form in forms]
        self._types = {enum for form in forms for types in form.values() for enum in types}

    @classmethod
    def load(cls, version: str) -> OpTable:
        """The table of a target.

        Args:
            version: str, one of `known_targets()`.

        Raises:
            InvalidArgumentError: there is no such table.
        """
        if version not in known_targets():
            raise InvalidArgumentError(
                f"Unknown target {version!r}. Expected one of {', '.join(map(repr, known_targets()))}: the oldest "
                "TensorFlow that must read the export."
            )
        return _load(version)

    @property
    def is_current(self) -> bool:
        """Whether this is the installed TensorFlow, for which nothing is rewritten."""
        return self.version == CURRENT

    def op(self, name: str) -> Optional[OpDef]:
        """The OpDef of an op, or None."""
        return op_definition(name) if self.is_current else self._ops.get(name)

    def attributes_of(self, name: str) -> FrozenSet[str]:
        """The names of the attributes that an op has."""
        definition = self.op(name)
        return frozenset(attr.name for attr in definition.attr) if definition is not None else frozenset()

    def has_gradient(self, name: str) -> bool:
        """Whether a gradient function is registered for the op."""
        return self.is_current or name in self._gradients

    def has_cpu_kernel(self, node: NodeDef) -> bool:
        """Whether there is a CPU kernel for the types that a NodeDef has."""
        if self._kernels is None:
            return True
        return any(_matches(kernel, node) for kernel in self._kernels.get(node.op, ()))

    def knows_type(self, enum: int) -> bool:
        """Whether a DataType exists there: one that no kernel takes is newer."""
        return self._kernels is None or enum in self._types or enum == 0

    def op_list(self, names: Iterable[str]) -> OpList:
        """An OpList with the definitions of the ops `names`: what `MetaInfoDef.stripped_op_list` holds."""
        return op_def_pb2.OpList(op=[self.op(name) for name in sorted(names) if self.op(name) is not None])


def _matches(kernel: _Kernel, node: NodeDef) -> bool:
    return all(attr not in node.attr or node.attr[attr].type in types for attr, types in kernel.items())


@functools.lru_cache(maxsize=None)
def _load(version: str) -> OpTable:
    if version == CURRENT:
        return OpTable(version, None)
    with gzip.open(os.path.join(_DATA, f"tensorflow-{version}.json.gz"), "rb") as file:
        table = json.loads(file.read().decode())
    ops = op_def_pb2.OpList.FromString(base64.b64decode(table["ops"]))
    return OpTable(
        version,
        {op.name: op for op in ops.op},
        table["gradients"],
        table["cpu_kernels"],
        table["graph_def_version"],
        table.get("collections_of_names", ()),
    )
