"""Lookup tables that layers hold: in an export a `HashTableV2`, filled by the ops in `table_initializer`."""

import tensorflow as tf

_LOOKUPS = ("LookupTableFindV2", "LookupTableSizeV2")
_FILLS = ("InitializeTableV2", "LookupTableImportV2")


class Table:
    """The content of a lookup table.

    Attributes:
        name: str, `string_lookup/hash_table`; final only once the lift gave names.
        handle: the table's resource in the process that writes.
        keys, values: ndarrays of equal length.
        key_dtype, value_dtype: tf.DType.
    """

    def __init__(self, name, handle, dtypes, content):
        self.name, self.handle = name, handle
        self.key_dtype, self.value_dtype = dtypes
        self.keys, self.values = content


def table_of(handle, placeholder, layer_of, live=None):
    """The Table behind a captured resource, or None where it is another resource or the graph changes it.

    Args:
        handle: the resource, an eager tensor, or a tensor of a session's graph.
        placeholder: what stands for it in the graph that captured it.
        layer_of: callable, the name of an op -> the name of its layer.
        live: LiveGraph of the session, or None.
    """
    users, todo = [], [placeholder]
    while todo:
        for op in todo.pop().consumers():
            if op.type in ("Switch", "Enter", "Identity"):
                todo.extend(op.outputs)
            else:
                users.append(op)
    finds = [op for op in users if op.type == "LookupTableFindV2"]
    if not finds or any(op.type not in _LOOKUPS for op in users):
        return None
    name = f"{layer_of(finds[0].name)}/hash_table"
    dtypes = finds[0].get_attr("Tin"), finds[0].get_attr("Tout")
    content = _content(handle, *dtypes) if live is None else _content_in_session(handle, live)
    return content and Table(name, handle, dtypes, content)


def _content(handle, key_dtype, value_dtype):
    with tf.init_scope():
        keys, values = tf.raw_ops.LookupTableExportV2(table_handle=handle, Tkeys=key_dtype, Tvalues=value_dtype)
    return keys.numpy(), values.numpy()


def _content_in_session(handle, live):
    """What the table is initialised with, or None where that is a file or comes later: to ask the table itself would
    add an op to the session's graph.
    """
    fills = [op for op in handle.consumers() if op.type not in _LOOKUPS]
    return live.read(fills[0].inputs[1:3]) if len(fills) == 1 and fills[0].type in _FILLS else None
