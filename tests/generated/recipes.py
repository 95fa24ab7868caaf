"""The recipe of a seed: what people put together, about as often as they do."""

from .draw import Draw
from .drawn_blocks import BRANCHES, attention_block, vectors
from .drawn_heads import head, optimizer

_KINDS = ("image", "image", "sequence", "sequence", "tokens", "vector", "vector")


def recipe(seed):
    """Returns the recipe of a seed: dict, list, str and numbers."""
    draw = Draw(seed)
    count = draw.one(1, 1, 1, 1, 2, 2, 3)
    inputs = [
        _input(draw, draw.one(*_KINDS, "words", "numbers") if count > 1 else draw.one(*_KINDS)) for _ in range(count)
    ]
    found = {"inputs": inputs, "style": draw.one("functional", "functional", "sequential", "subclass")}
    if count > 1:
        found["merge"] = draw.one("concatenate", "concatenate", "add", "multiply", "average", "maximum")
    trunk = _trunk(draw, inputs)
    if trunk:
        found["trunk"] = trunk
    heads = draw.one(1, 1, 1, 1, 2, 2, 3)
    found["heads"] = [head(draw, inputs[0]["kind"] if count == 1 else "vector") for _ in range(heads)]
    if count > 1 or heads > 1:
        found["structure"] = draw.one("list", "list", "dict")
    elif draw.chance(0.15):
        found["structure"] = "dict"
    found["optimizer"] = optimizer(draw)
    found.update(_training(draw, found))
    return found


def _input(draw, kind):
    found = {"kind": kind}
    blocks = BRANCHES[kind](draw)
    if blocks:
        found["blocks"] = blocks
    if kind == "image" and draw.chance(0.3):
        found["size"] = draw.one(6, 7, 9, 12)
    if kind == "image" and draw.chance(0.3):
        found["channels"] = draw.one(1, 4)
    if kind == "image" and draw.chance(0.15):
        found["bytes"] = True
    if kind in ("sequence", "tokens") and draw.chance(0.3):
        found["size"] = draw.one(4, 5, 8)
    if kind in ("sequence", "tokens") and draw.chance(0.2):
        found["open"] = True
    return found


def _trunk(draw, inputs):
    if len(inputs) == 1 and inputs[0]["kind"] in ("sequence", "tokens") and draw.chance(0.2):
        return [attention_block(draw)]
    if len(inputs) > 1 or draw.chance(0.2):
        return vectors(draw, most=2)
    return []


def _training(draw, found):
    lone = len(found["heads"]) == 1
    options = draw.options(
        rows=(0.3, 24, 32, 34),
        train_step=(0.15, "plain", "clipped", "scaled", "twice"),
        data=(0.15, "dataset"),
        sample_weight=(0.15, True),
        metrics_object=(0.1, True),
        validation=(0.1, True),
        steps_per_execution=(0.05, 2),
        jit=(0.03, True),
        eager=(0.3, True),
    )
    if not lone and draw.chance(0.5):
        options["loss_weights"] = [draw.one(0.5, 1.0, 2.0, 0.1) for _ in found["heads"]]
    if lone and found["heads"][0]["kind"] in ("binary", "sparse") and draw.chance(0.15):
        options.pop("sample_weight", None)
        options["class_weight"] = [draw.one(0.5, 1.0, 2.0) for _ in range(5)]
    return options
