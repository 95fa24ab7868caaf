"""A failing recipe becomes its smallest form: what its failure does not need is left out, one decision at a time."""


def shrink(recipe, fails, tries=80):
    """Returns the smallest recipe found that still fails.

    Args:
        recipe: dict, list, str and numbers; each entry of a dict but `kind`, and each item of a list, can be left out.
        fails: function of a recipe, whether it fails in the same way.
        tries: int, how often `fails` is asked at most.
    """
    left = tries
    again = True
    while again and left > 0:
        again = False
        for path in _removable(recipe):
            if left <= 0:
                break
            candidate = without(recipe, path)
            if candidate is None:
                continue
            left -= 1
            if fails(candidate):
                recipe, again = candidate, True
                # Paths name other things now.
                break
    return recipe


def _removable(value, path=()):
    """Paths to what can be left out, large parts first."""
    found = sorted(_paths(value, path), key=lambda p: -_size(_at(value, p)))
    return found


def _paths(value, path):
    if isinstance(value, dict):
        for key in value:
            if key not in ("kind", "blocks_of"):
                yield (*path, key)
            yield from _paths(value[key], (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield (*path, i)
            yield from _paths(item, (*path, i))


def _size(value):
    if isinstance(value, dict):
        return 1 + sum(_size(v) for v in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(v) for v in value)
    return 1


def _at(value, path):
    for part in path:
        value = value[part]
    return value


def without(value, path):
    """The value without what stands at a path."""
    part, rest = path[0], path[1:]
    if isinstance(value, dict):
        if not rest:
            return {k: v for k, v in value.items() if k != part}
        return {**value, part: without(value[part], rest)}
    if not rest:
        return [item for i, item in enumerate(value) if i != part]
    return [without(item, rest) if i == part else item for i, item in enumerate(value)]
