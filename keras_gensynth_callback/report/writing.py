"""The function that writes a report, and the page that it makes of what was gathered."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional, Union

from keras_gensynth_callback.checkpoint import REPORT, as_text, is_report, reported, scratch, storage
from keras_gensynth_callback.errors import CheckpointWriteError, MissingExtraError
from keras_gensynth_callback.inspection import told_if_damaged
from keras_gensynth_callback.record import ExportRecord
from keras_gensynth_callback.tools import try_checkpoint

from . import wording
from .gathering import gather
from .run_of_exports import recall, remember

if TYPE_CHECKING:
    from keras_gensynth_callback._types import Path, Reported, Target

_PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page")


def write_report(
    export: Union[ExportRecord, Path],
    path: Optional[Path] = None,
    *,
    target: Optional[Target] = None,
    verify: bool = False,
    python: Optional[str] = None,
) -> Reported:
    """Writes what is in a checkpoint as one HTML page, which needs nothing else, and no network.

    It shows the model as a graph of layers, what each costs, what the learning phase switches, collections, signatures,
    what was changed for the target, and what a TensorFlow 1.x program will miss. The checkpoint may be anybody's, and
    nothing of it is run unless `verify` asks for it.

    As `on_export=write_report` of `GenSynthExportCallback` it writes `<prefix>.html` beside each export, with size and
    time of the exports of the run so far. When `max_to_keep` removes an export, its report goes with it, unless another
    program wrote that file.

    Args:
        export: str or PathLike, the checkpoint prefix; or the ExportRecord of an export.
        path: str or PathLike, the file; None: `<prefix>.html`, which must be free or an earlier report.
        target: str, the oldest TensorFlow that must read it, for the warnings; None: what it was exported for, else
            "1.15".
        verify: bool, whether the checkpoint is tried in a clean process, as `keras-gensynth verify` does, and the
            verdicts stand in the report.
        python: str, the interpreter for that, for example one with TensorFlow 1.15; None: this one.

    Returns:
        dict: `path`; `size`, its bytes; `warnings`; `verification`, what was found, or None.

    Raises:
        CheckpointFormatError: there is no such checkpoint, it has no graph, or a file is damaged.
        CheckpointWriteError: the file cannot be written, or is another program's.
        InvalidArgumentError: `target` is not known, or `python` cannot be run.
        MissingExtraError: Jinja2 is not installed.

    >>> import keras, keras_gensynth_callback as gensynth
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> record = gensynth.export_checkpoint(model, tmp_path / "net")
    >>> gensynth.write_report(record.prefix)["path"] == str(tmp_path / "net.html")
    True
    """
    template = page_template()  # what is missing is told before anything takes time
    prefix = as_text(export.prefix if isinstance(export, ExportRecord) else export)
    write = scratch.replace_file if path is None else storage.overwrite_file
    path = _checked(prefix + REPORT) if path is None else os.fspath(path)
    with told_if_damaged(prefix):
        found = gather(prefix, target=target)
        is_record = isinstance(export, ExportRecord)
        run = remember(export, found["exported"]) if is_record else recall(prefix, found["exported"])
    verification = try_checkpoint(prefix, python=python) if verify else None
    with told_if_damaged(prefix):
        page = template.render(found, exports=run, verification=verification).encode("utf-8")
    with reported(path, "written", "The report"):
        write(path, page)
    return {"path": path, "size": len(page), "warnings": found["warnings"], "verification": verification}


def _checked(path):
    if os.path.islink(path):
        raise CheckpointWriteError(
            f"The report {path!r} is not written: a link of this name leads to {os.readlink(path)!r}. Pass another "
            "file as `path`, or remove the link."
        )
    if storage.exists(path) and not is_report(path):
        raise CheckpointWriteError(
            f"The report {path!r} is not written: another program wrote a file of this name. Pass another one as "
            "`path`, or move that file."
        )
    return path


def page_template():
    """The page as a Jinja2 template, which is rendered with what `gather` returned."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError(
            "A report needs Jinja2, which is not installed. pip install 'keras-gensynth-callback[report]'"
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(wording.FILTERS)
    environment.globals["purposes"] = wording.PURPOSES
    # Our own files, not the model's words: they stand in the page as they are.
    environment.globals["own"] = lambda name: jinja2.utils.markupsafe.Markup(_read(name))
    return environment.get_template("report.html")


def _read(name):
    with open(os.path.join(_PAGE, name), encoding="utf-8") as file:
        return file.read()
