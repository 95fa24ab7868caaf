"""How the layers of functional models are called: each on a tensor, and so that all can be called one after the other.

Keras runs a layer that is called on constants only while it loads the file, and some of its versions look for ever for
the tensors of a loop.
"""

from typing import Any, Dict

from .references import dicts

_CONSTANT = "_CONSTANT_VALUE"


def topology_problem(config):
    """What is wrong with the calls in a config of a model, in words; None where nothing is."""
    for model in dicts(config):
        layers = model.get("layers")
        if isinstance(layers, list) and all(isinstance(layer, dict) and "inbound_nodes" in layer for layer in layers):
            problem = _problem(layers)
            if problem:
                return problem
    return None


def _problem(layers):
    waiting, first = [], {}
    called: Dict[str, int] = {}
    for layer in layers:
        name, nodes = layer.get("name"), layer["inbound_nodes"]
        if not isinstance(name, str) or not isinstance(nodes, list):
            return "a layer has no name, or no list of calls"
        if _name_in_config(layer) not in (None, name):
            return f"the layer {name!r} has another name in its config"
        first[name] = None if layer.get("class_name") == "InputLayer" else _first_node(layer)
        called.setdefault(name, 0)
        for node in nodes:
            needed = list(_tensors(node))
            if not needed:
                return f"the layer {name!r} is called on no tensor"
            waiting.append((name, needed))
    return _loop(waiting, first, called)


def _loop(waiting, first, called):
    """Calls the layers one after the other, as Keras does."""
    while waiting:
        left, stopped = [], set()
        for name, needed in waiting:
            if name in stopped or not all(_is_there(tensor, first, called) for tensor in needed):
                left.append((name, needed))
                stopped.add(name)
            else:
                called[name] += 1
        if len(left) == len(waiting):
            return f"the layer {left[0][0]!r} waits for a tensor that no layer gives"
        waiting = left
    return None


def _is_there(tensor, first, called):
    name, node, keras_3 = tensor
    if name not in first:
        return False
    if first[name] is None:
        return True
    if keras_3:
        return 0 <= node <= called[name]
    return first[name] <= node < first[name] + called[name]


def _tensors(node):
    """The tensors in a call, each as `(layer, node, whether Keras 3 wrote it)`."""
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            history: Any = part["config"].get("keras_history") if _is_keras_tensor(part) else None
            if _is_tensor(history):
                yield history[0], history[1], True
            else:
                stack += part.values()
        elif isinstance(part, (list, tuple)):
            if _is_tensor(part):
                yield part[0], part[1], False
                stack += part[3:]
            elif part and part[0] == _CONSTANT:
                stack += part[3:]
            else:
                stack += part


def _is_keras_tensor(part):
    return part.get("class_name") == "__keras_tensor__" and isinstance(part.get("config"), dict)


def _is_tensor(part):
    if not isinstance(part, (list, tuple)) or len(part) not in (3, 4) or not isinstance(part[0], str):
        return False
    numbers = all(isinstance(number, int) and not isinstance(number, bool) for number in part[1:3])
    return numbers and part[0] != _CONSTANT and (len(part) == 3 or isinstance(part[3], dict))


def _name_in_config(layer):
    config = layer.get("config")
    return config.get("name") if isinstance(config, dict) else None


def _first_node(layer):
    """The number of the first call that a config counts: a model has one already, where its input is known."""
    config = layer.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list):
        return 0
    if layer.get("class_name") != "Sequential":
        return 1
    first = layers[0] if layers and isinstance(layers[0], dict) else {}
    config = first.get("config")
    inner = config if isinstance(config, dict) else {}
    return int(first.get("class_name") == "InputLayer" or bool({"batch_input_shape", "batch_shape"} & set(inner)))
