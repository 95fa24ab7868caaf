"""How long the report of ResNet50 takes to be written, and to be opened in Chromium; and how large it is."""

import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

from headless_browser import open_browser, see
from reported_models import resnet50

from keras_gensynth_callback import write_report

ROUNDS = 5
# From the start of the navigation: the graph is drawn before `load`.
OPENED = "return performance.getEntriesByType('navigation')[0].loadEventEnd"
UNFOLD = (
    "const start = performance.now(); document.querySelector('[data-do=unfold]').click();"
    "document.body.getBoundingClientRect(); return performance.now() - start"
)


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main():
    with tempfile.TemporaryDirectory() as folder:
        prefix, page = resnet50(Path(folder)), Path(folder) / "net.html"
        written = [timed(lambda: write_report(prefix, page)) for _ in range(ROUNDS)]
        opened, unfolded = [], []
        with open_browser() as browser:
            see(browser)
            for _ in range(ROUNDS):
                browser.get(page.as_uri())
                opened.append(browser.execute_script(OPENED) / 1000)
                unfolded.append(browser.execute_script(UNFOLD) / 1000)
        print("| size | written | opened | all unfolded |\n| --- | --- | --- | --- |")
        times = [f"{statistics.median(found):.2f} s" for found in (written, opened, unfolded)]
        print("| " + " | ".join([f"{page.stat().st_size / 1e6:.2f} MB", *times]) + " |")


if __name__ == "__main__":
    main()
