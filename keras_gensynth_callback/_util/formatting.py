"""Sizes and shapes in words."""


def size_of(count):
    """Bytes in words, in units of 1000."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000 or unit == "MB":
            break
        count /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{count:.1f} {unit}"


def shape_of(shape, times=" x "):
    """A shape in words: `? x 28 x 28`."""
    if shape is None:
        return "of any rank"
    return times.join("?" if size is None else str(size) for size in shape) or "scalar"
