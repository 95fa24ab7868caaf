"""Messages changed by reflection: any field of any message in them, to what it should not be."""

from google.protobuf.descriptor import FieldDescriptor as Field

NUMBERS = (0, 1, -1, 2, 7, 101, 255, 2**31 - 1, -(2**31), 2**31, 2**62, 2**63 - 1, -(2**63))
FLOATS = (0.0, -1.0, float("nan"), float("inf"), 1e308)
TEXTS = ("", "a", "^", ":", "a:0", "^a", "../a", "/etc/passwd", "\x1b[2J", "é", "a" * 5000, "a/" * 300, "%s%n", "nan")


def change(rng, message, depth=0):
    """Changes one field, somewhere in a message."""
    fields = message.ListFields() if depth < 12 and rng.random() < 0.97 else []
    inner = [(field, value) for field, value in fields if field.type == Field.TYPE_MESSAGE]
    if inner and rng.random() < 0.85:
        field, value = rng.choice(inner)
        if _is_map(field):
            return _change_map(rng, value, field, depth)
        if _is_repeated(field):
            return _change_list(rng, value, depth)
        return change(rng, value, depth + 1)
    field = rng.choice(message.DESCRIPTOR.fields)
    if rng.random() < 0.2 or field.type == Field.TYPE_MESSAGE:
        if rng.random() < 0.5 and field.type == Field.TYPE_MESSAGE and not _is_repeated(field):
            getattr(message, field.name).SetInParent()
        else:
            message.ClearField(field.name)
    elif _is_repeated(field):
        _change_numbers(rng, getattr(message, field.name), field)
    else:
        _set(message, field, _value(rng, field))
    return None


def _is_repeated(field):
    return _label(field)


def _label(field):
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == Field.LABEL_REPEATED


def _is_map(field):
    return _label(field) and field.message_type is not None and field.message_type.GetOptions().map_entry


def _change_map(rng, value, field, depth):
    key = rng.choice(sorted(value))
    if rng.random() < 0.2:
        del value[key]
    elif field.message_type.fields_by_name["value"].type == Field.TYPE_MESSAGE:
        if rng.random() < 0.2:
            value[key].CopyFrom(value[rng.choice(sorted(value))])
        else:
            change(rng, value[key], depth + 1)


def _change_list(rng, items, depth):
    place, chance = rng.randrange(len(items)), rng.random()
    if chance < 0.1:
        del items[place]
    elif chance < 0.2:
        items.add().CopyFrom(items[place])
    elif chance < 0.3:
        items[place].CopyFrom(items[rng.randrange(len(items))])
    else:
        change(rng, items[place], depth + 1)


def _change_numbers(rng, items, field):
    if len(items) and rng.random() < 0.4:
        del items[rng.randrange(len(items))]
    try:
        if len(items) and rng.random() < 0.5:
            items[rng.randrange(len(items))] = _value(rng, field)
        else:
            items.append(_value(rng, field))
    except ValueError:
        pass


def _set(message, field, value):
    try:
        setattr(message, field.name, value)
    except ValueError:  # out of the range of the type
        pass


def _value(rng, field):
    if field.type == Field.TYPE_STRING:
        return rng.choice(TEXTS)
    if field.type == Field.TYPE_BYTES:
        return bytes(rng.randrange(256) for _ in range(rng.choice((0, 1, 4, 100))))
    if field.type in (Field.TYPE_FLOAT, Field.TYPE_DOUBLE):
        return rng.choice(FLOATS)
    return bool(rng.randrange(2)) if field.type == Field.TYPE_BOOL else rng.choice(NUMBERS)
