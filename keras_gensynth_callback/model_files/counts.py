"""How often a layer does a thing while its graph is made: a config of some bytes may ask for more than ever ends."""

from .references import dicts

# More than models do: parts of a tensor, steps of an unrolled loop, iterations.
_MOST = 10000
# Keras 2 looks at each of them dozens of times while it makes a model.
_MOST_BOUNDARIES = 100000
_ITERATIONS = ("chain_depth", "num_chains", "num_ops", "power_iterations")
_SPLITTING = (
    "ArraySplit",
    "Dsplit",
    "Hsplit",
    "Split",
    "SplitV",
    "Unpack",
    "Unstack",
    "Vsplit",
    "array_split",
    "dsplit",
    "hsplit",
    "split",
    "unstack",
    "vsplit",
)


def count_problem(config):
    """What a config asks for too often, in words; None where it does not."""
    unrolled, longest = None, 0
    for part in dicts(config):
        inner = part.get("config")
        inner = inner if isinstance(inner, dict) else {}
        name = inner.get("name", part.get("class_name"))
        counted = {key: value for key, value in inner.items() if _is_counted(part, key)}
        if _splits(part, inner):
            counted.update(parts=part.get("inbound_nodes"), arguments=inner)
        for key, value in counted.items():
            if _largest(value) > _MOST:
                return f"the layer {name!r} asks for {_largest(value)} {key}"
        boundaries = inner.get("bin_boundaries")
        if isinstance(boundaries, list) and len(boundaries) > _MOST_BOUNDARIES:
            return f"the layer {name!r} asks for {len(boundaries)} bin_boundaries"
        if inner.get("unroll") is True:
            unrolled = name
        longest = max(longest, _largest([inner.get(key) for key in ("batch_shape", "batch_input_shape", "n")]))
    if unrolled is not None and longest > _MOST:
        return f"the layer {unrolled!r} is unrolled, over up to {longest} steps"
    return None


def _is_counted(part, key):
    return key in _ITERATIONS or key == "size" and str(part.get("class_name")).startswith("UpSampling")


def _splits(part, inner):
    node = inner.get("node_def")
    named = [part.get("class_name"), inner.get("function"), node.get("op") if isinstance(node, dict) else None]
    return any(isinstance(name, str) and name.split(".")[-1] in _SPLITTING for name in named)


def _largest(value):
    """The largest whole number in a nest."""
    found, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part
        elif isinstance(part, int):
            found = max(found, abs(part))
        elif isinstance(part, float) and part == part and abs(part) != float("inf"):
            found = max(found, int(abs(part)))
    return found
