"""The template that `filepath` may be: `exports/net-{epoch:02d}-{val_loss:.2f}`."""

import os
import re
import string

from keras_gensynth_callback._util import described, one_number
from keras_gensynth_callback.errors import CheckpointWriteError, InvalidArgumentError, UnknownTemplateKeyError

OWN_KEYS = ("epoch", "batch")


class PrefixTemplate:
    """A checkpoint prefix with the fields `{epoch}`, `{batch}` (both from 1) and any key of `logs`.

    Args:
        text: the prefix, checked to be a str that is not empty.

    Raises:
        InvalidArgumentError: for fields without a name, and for what `str.format` cannot read.
    """

    def __init__(self, text):
        self.text = text
        self.keys = _keys_of(text)
        self._home = None  # the folder that a relative text is relative to, with a separator at its end
        self._try_it()

    def settle(self):
        """From now on a relative text means the working directory of this moment, whichever it becomes later.

        Raises:
            CheckpointWriteError: that directory was removed.
        """
        if "://" in self.text or os.path.isabs(self.text):
            return
        try:
            self._home = os.path.join(os.getcwd(), "")
        except OSError as error:
            raise CheckpointWriteError(
                f"filepath={self.text!r} is relative to the working directory, which is not there any more: {error}. "
                "Pass an absolute path, or change to another directory."
            ) from error

    def settled(self, path):
        """The path for a relative one that was made of the text."""
        return path if self._home is None or os.path.isabs(path) else self._home + path

    def shown(self, path):
        """A settled path as the user wrote it, while it means the same in the working directory."""
        if self._home is None or not path.startswith(self._home) or not _is_working_directory(self._home):
            return path
        return path[len(self._home) :]

    @property
    def trial_prefix(self):
        """A prefix in the folder that every export goes to, as far as the template tells."""
        static = _static_prefix(self.text)
        return self.settled(static if os.path.basename(static) else os.path.join(static, "trial"))

    @property
    def folder(self):
        """The folder that all exports go to, or None where it has fields."""
        folder = os.path.dirname(self.text)
        return None if _keys_of(folder) else self.settled(folder.format() or ".")

    @property
    def series(self):
        """What the names of all exports have in common: the template without its folder."""
        return os.path.basename(self.text)

    def unknown_keys(self, logs):
        """The keys of the template that neither are our own nor stand in `logs`, in the template's order."""
        return [key for key in self.keys if key not in OWN_KEYS and key not in logs]

    def check_keys(self, logs):
        """Raises `UnknownTemplateKeyError` where the template has a key that `logs` has not."""
        unknown = self.unknown_keys(logs)
        if unknown:
            raise self.error(unknown, logs)

    def error(self, unknown, logs, reason=""):
        """The error for keys of the template that nothing supplies."""
        keys = ", ".join(repr(key) for key in list(OWN_KEYS) + sorted(logs))
        return UnknownTemplateKeyError(
            f"The template filepath={self.text!r} holds {', '.join(map(repr, unknown))}, which there is not. "
            f"The keys there are: {keys}. {reason}Correct the template, or write {{{{ and }}}} for plain braces."
        )

    def format(self, epoch, batch, logs):
        """The prefix for one export."""
        self.check_keys(logs)
        values = {key: self._number(key, logs[key]) for key in self.keys if key not in OWN_KEYS}
        values.update(epoch=epoch, batch=batch)
        try:
            return self.text.format(**values)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise InvalidArgumentError(
                f"`filepath` cannot be filled in. Received: filepath={self.text!r} and the values "
                f"{ {key: values[key] for key in self.keys} }, which give: {error}. Correct the template's formats."
            ) from error

    def _number(self, key, value):
        number = one_number(value)
        if number is None and isinstance(value, list):
            raise InvalidArgumentError(
                f"A field of `filepath` must be one number. Received: filepath={self.text!r}, where {key!r} is "
                f"{described(value)}. Use another key of the logs, or a metric that gives one number "
                "(`F1Score(average='macro')`, or one threshold)."
            )
        return value if number is None else number

    def _try_it(self):
        """Formats that no number fits are found now and not at the first export."""
        values = dict.fromkeys(self.keys, 0.5)
        try:
            self.text.format(**dict(values, epoch=1, batch=1))
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise InvalidArgumentError(
                f"`filepath` must be a prefix or a template such as 'exports/net-{{epoch:02d}}-{{loss:.2f}}'. "
                f"Received: filepath={self.text!r}, which cannot be filled in: {error}. "
                "Correct the format, or write {{ and }} for plain braces."
            ) from error


def _is_working_directory(folder):
    try:
        return os.path.join(os.getcwd(), "") == folder
    except OSError:  # it was removed
        return False


class KeyCheck:
    """Finds unknown keys of a template at the first moment of the kind at which exports are made.

    Args:
        template: a PrefixTemplate.

    Attributes:
        done: whether the keys were compared with logs.
    """

    def __init__(self, template):
        self._template = template
        self.done = False

    def refuse_validation_keys(self):
        """For exports between two epochs' ends, whose logs never have a `val_` key."""
        unknown = [key for key in self._template.keys if key.startswith("val_")]
        if unknown:
            reason = "Keys of the validation are known at epoch ends alone: pass save_freq='epoch' to use them. "
            raise self._template.error(unknown, ["loss"], reason)

    def check(self, logs, validated):
        """Raises `UnknownTemplateKeyError`, once, for keys that such logs never have.

        Args:
            logs: dict, the logs of the moment.
            validated: bool, whether `val_` keys that are not there are never going to be.
        """
        if self.done:
            return
        self.done = True
        # Without `val_` keys there may be validation in a later epoch (`validation_freq`).
        validated = validated or any(key.startswith("val_") for key in logs)
        unknown = [key for key in self._template.unknown_keys(logs) if validated or not key.startswith("val_")]
        if unknown:
            raise self._template.error(unknown, logs)


def _fields(text):
    """Pairs of literal text and field name (None after the last literal), nested formats included."""
    try:
        for literal, field, spec, _ in string.Formatter().parse(text):
            yield literal, field
            if spec:
                yield from (("", nested) for _, nested in _fields(spec) if nested is not None)
    except ValueError as error:
        raise InvalidArgumentError(
            f"`filepath` must be a prefix or a template such as 'exports/net-{{epoch:02d}}'. Received: "
            f"filepath={text!r}, which is malformed: {error}. Close the braces, or write {{{{ and }}}} for plain ones."
        ) from error


def _keys_of(text):
    keys = []
    for _, field in _fields(text):
        if field is None:
            continue
        key = re.split(r"[.\[]", field)[0]
        if not key or key.isdigit():
            raise InvalidArgumentError(
                f"`filepath` must name its fields. Received: filepath={text!r} with the positional field "
                f"{{{field}}}. Write {{epoch}}, {{batch}} or a key of the logs instead."
            )
        if key not in keys:
            keys.append(key)
    return tuple(keys)


def _static_prefix(text):
    """What stands before the first field."""
    literals = []
    for literal, field in _fields(text):
        literals.append(literal)
        if field is not None:
            break
    return "".join(literals)
