"""The exports of one run: as they were reported in this program, or as their manifests tell it later."""

import os

from keras_gensynth_callback.checkpoint import check_plain_file, files_of, read_manifest, state, storage
from keras_gensynth_callback.errors import CheckpointFormatError

# {(folder, series): rows}, of the runs that this program reports.
_RUNS: dict = {}


def remember(record, manifest):
    """Adds an export to its run, and returns the run so far: what `recall` returns, with times.

    A run ends where the next export of the same `filepath` is not later in training than the one before.

    Args:
        record: ExportRecord.
        manifest: dict, or None.
    """
    rows = _RUNS.setdefault((os.path.dirname(record.prefix), _series(manifest)), [])
    row = _row(record.prefix, vars(record), record.size, record.seconds, record.seconds_to_disk)
    if rows and _moment(rows[-1]) >= _moment(row):
        del rows[:]
    rows.append(row)
    return list(rows)


def recall(prefix, manifest):
    """The exports of the same `filepath` and `monitor` that are there: a list of dicts.

    Each has `prefix`, `epoch`, `batch`, `size` (bytes), and `seconds` and `seconds_to_disk`, which are None here, since
    no manifest has them.
    """
    series, folder = _series(manifest), os.path.dirname(prefix)
    found = {prefix: manifest} if manifest else {}
    for base in dict.fromkeys(_listed(folder or ".")) if series else ():
        other = _manifest_of(os.path.join(folder, base))
        if other and _series(other) == series:
            found[os.path.join(folder, base)] = other
    rows = [_row(name, of, _size(name), None, None) for name, of in found.items()]
    return sorted(rows, key=_moment)


def _listed(folder):
    """The exports in a folder, by its state file; what that names elsewhere is none of its own."""
    try:
        check_plain_file(os.path.join(folder, state.STATE_FILE))
    except CheckpointFormatError:
        return []
    return [base for base in state.listed(folder) if os.path.basename(base) == base]


def _row(prefix, moment, size, seconds, seconds_to_disk):
    return {
        "prefix": prefix,
        "epoch": moment.get("epoch"),
        "batch": moment.get("batch"),
        "size": size,
        "seconds": seconds,
        "seconds_to_disk": seconds_to_disk,
    }


def _moment(row):
    return (row["epoch"] or 0, row["batch"] or 0)


def _series(manifest):
    label = (manifest or {}).get("retention") or {}
    return tuple((key, label[key]) for key in ("filepath", "monitor") if key in label)


def _manifest_of(prefix):
    try:
        return read_manifest(prefix)
    except CheckpointFormatError:
        return None  # gone, or spoilt by somebody


def _size(prefix):
    return sum(storage.size(path) for path in files_of(prefix).values())
