"""A Chromium without a window and without a network, for tests and pictures of the report."""

import contextlib
import shutil
import tempfile

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


class BrowserNotFoundError(Exception):
    """There is no Chromium, or nothing that drives it."""


@contextlib.contextmanager
def open_browser():
    """A selenium WebDriver; `see` sets what it looks like. It ends with the block.

    Raises:
        BrowserNotFoundError: the message says what to install.
    """
    browser, driver = next(filter(None, map(shutil.which, BROWSERS)), None), shutil.which("chromedriver")
    if not browser or not driver:
        raise BrowserNotFoundError(
            "Chromium and chromedriver are needed on the PATH. On Debian: apt-get install chromium chromium-driver"
        )
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    profile = tempfile.mkdtemp(prefix="gensynth-browser-")
    for option in [*OPTIONS, f"--user-data-dir={profile}"]:
        options.add_argument(option)
    found = None
    try:
        found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        yield found
    finally:
        if found is not None:
            found.quit()
        shutil.rmtree(profile, ignore_errors=True)


def see(browser, width=1280, height=1000, theme="light", medium="screen"):
    """Sets the size of the window in CSS pixels, what the system prefers, and the medium, `screen` or `print`."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    prefers = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": prefers})
