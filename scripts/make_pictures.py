"""Makes the pictures in the README: trains the demo's convnet, and shows its last export.

    .venv/bin/python scripts/make_pictures.py

writes docs/images/inspect.svg, what `keras-gensynth inspect` prints, and docs/images/report.png, its report. Needs the
extras [demo], [cli] and [report], the group `test`, Chromium and chromedriver.
"""

import os
import re
import shutil
from pathlib import Path

import demo  # sets TensorFlow and Keras up
import keras
from click.testing import CliRunner
from headless_browser import open_browser, see
from rich.console import Console
from rich.text import Text

from keras_gensynth_callback import GenSynthExportCallback, write_report
from keras_gensynth_callback.cli.app import commands

IMAGES = Path(__file__).parent.parent / "docs" / "images"
EXPORTS = Path("gensynth_exports") / "pictures"
COLUMNS, WIDTH, HEIGHT = 112, 1280, 1560


def train():
    """Trains three epochs, with a report beside each export. Returns the prefix of the last one."""
    shutil.rmtree(EXPORTS, ignore_errors=True)
    keras.utils.set_random_seed(1)
    x, y, x_test, y_test = demo.digits()
    export = GenSynthExportCallback(EXPORTS / "digits-{epoch}", verbose=1, on_export=write_report)
    demo.convnet().fit(x, y, epochs=3, verbose=1, validation_data=(x_test, y_test), callbacks=[export])
    return export.latest_checkpoint


def draw_inspect(prefix, path):
    """Draws what the command prints on a terminal."""
    done = CliRunner(env={"COLUMNS": str(COLUMNS), "FORCE_COLOR": "1"}).invoke(commands, ["inspect", prefix])
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))
    console.print(Text(f"$ keras-gensynth inspect {prefix}", style="bold"))
    console.print(Text.from_ansi(done.stdout))
    drawing = console.export_svg(title="keras-gensynth inspect", unique_id="inspect")
    # The reader's own fonts, and not those of a server.
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL), encoding="utf-8")


def photograph(page, path):
    """Takes a picture of the top of a page."""
    with open_browser() as browser:
        see(browser, width=WIDTH, height=HEIGHT)
        browser.get(page.absolute().as_uri())
        browser.save_screenshot(str(path))


def main():
    IMAGES.mkdir(parents=True, exist_ok=True)
    prefix = train()
    draw_inspect(prefix, IMAGES / "inspect.svg")
    photograph(Path(prefix + ".html"), IMAGES / "report.png")


if __name__ == "__main__":
    main()
