"""JSON of somebody else, read within bounds."""

import json

# Deeper than any model: a model in a model adds 4 levels, and Keras gives up at about 100 models.
_DEEPEST = 400
_LONGEST_NUMBER = 1000  # digits


def decoded(value):
    """The dict in a JSON text.

    Args:
        value: str or bytes.

    Raises:
        ValueError: it is no JSON, no dict, or nested too deeply.
    """
    text = value.decode("utf-8") if isinstance(value, bytes) else value
    if not isinstance(text, str):
        raise ValueError(f"a config is of type {type(value).__name__}, and should be text")
    try:
        config = json.loads(text, parse_int=_integer)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not isinstance(config, dict):
        raise ValueError(f"a config is a {type(config).__name__}, and should be a dict")
    _check_depth(config)
    return config


def _integer(digits):
    # To read a long one takes time by the square of its length.
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError(f"a config has a number of {len(digits)} digits")
    return int(digits)


_TOO_DEEP = f"a config is nested more than {_DEEPEST} levels deep"


def _check_depth(config):
    level = [config]
    for _ in range(_DEEPEST):
        level = [part for nest in level for part in _parts(nest) if isinstance(part, (dict, list))]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _parts(nest):
    return nest.values() if isinstance(nest, dict) else nest
