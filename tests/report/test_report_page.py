"""The page of a report in a real Chromium: it needs no network, folds, and can be read by everybody, printed, too."""

import base64
import contextlib
import json
import os
import pathlib
import re

import pytest
import reported_models
from headless_browser import BrowserNotFoundError, open_browser, see
from needs import needs
from reported_models import LONG_NAME

from keras_gensynth_callback import write_report
from keras_gensynth_callback.checkpoint import read_manifest
from keras_gensynth_callback.report.gathering import gather
from keras_gensynth_callback.report.writing import page_template

pytestmark = needs(tf="newest", reason="the report is tested beside the newest TensorFlow")

NASTY = "</script><script>window.hurt = 1</script><b onclick='1'>\"&amp;"


@pytest.fixture(scope="module")
def browser():
    """Chromium, at the module's pages by turns. Where it is missing a test is skipped, or, in CI, fails."""
    try:
        with open_browser() as found:
            yield found
    except BrowserNotFoundError as error:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(error))


@pytest.fixture
def opened(browser):
    """Opens a page as somebody sees it who has never seen it; returns the browser."""

    def open_page(path, **looks):
        see(browser, **looks)
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        browser.get(pathlib.Path(path).as_uri())
        return browser

    return open_page


@pytest.fixture(scope="module")
def small_page(small_export, tmp_path_factory):
    """The report of `small_export`."""
    return write_report(small_export.prefix, tmp_path_factory.mktemp("small_page") / "net.html")["path"]


@pytest.fixture(scope="module")
def nested_page(tmp_path_factory):
    """The report of `reported_models.nested`."""
    folder = tmp_path_factory.mktemp("nested_page")
    return write_report(reported_models.nested(folder), folder / "net.html")["path"]


def text(browser, selector):
    return browser.execute_script("return document.querySelector(arguments[0]).textContent", selector)


def boxes(browser):
    """The things in the graph, by id: whether each is open (None where it has nothing to open)."""
    found = browser.execute_script(
        "return [...document.querySelectorAll('#picture [data-id]')]"
        ".map(e => [e.dataset.id, e.getAttribute('aria-expanded')])"
    )
    return {name: {None: None, "true": True, "false": False}[expanded] for name, expanded in found}


def eventually(browser, holds):
    """Returns once something holds, at the latest after ten seconds, whether it does or not."""
    from selenium.common.exceptions import TimeoutException
    from selenium.webdriver.support.ui import WebDriverWait

    with contextlib.suppress(TimeoutException):
        WebDriverWait(browser, 10).until(lambda _: holds())


def press(browser, key, name=None):
    """Presses a key where the focus is, or on a thing in the graph."""
    from selenium.webdriver.common.action_chains import ActionChains

    if name is not None:
        browser.execute_script('document.querySelector(`[data-id="${arguments[0]}"]`).focus()', name)
    ActionChains(browser).send_keys(key).perform()


def click(browser, name):
    browser.find_element("css selector", f'[data-id="{name}"] > text').click()


def test_it_opens_without_an_error_and_without_a_network(small_page, opened):
    browser = opened(small_page)
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [pathlib.Path(small_page).as_uri()]
    assert len(boxes(browser)) == 8


def test_numbers_on_the_page_are_those_of_the_manifest(small_export, small_page, opened):
    browser, manifest = opened(small_page), read_manifest(small_export.prefix)
    number = lambda selector: int(text(browser, selector).replace(",", ""))  # noqa: E731
    assert number("#parameters") == manifest["parameters"]["total"]
    assert number("#trainable") == manifest["parameters"]["trainable"]
    assert number("#nodes") == manifest["nodes"]
    assert text(browser, "#target") == manifest["target"]
    shown = browser.execute_script(
        "return [...document.querySelectorAll('[data-collection]')].map("
        "e => [e.dataset.collection, [e.querySelectorAll('li').length, +e.querySelector('.count').textContent]])"
    )
    assert dict(shown) == {key: [count, count] for key, count in manifest["collections"].items()}
    assert [layer["name"] for layer in gather(small_export.prefix)["layers"]] == browser.execute_script(
        "return [...document.querySelectorAll('[data-layer]')].map(e => e.dataset.layer)"
    )
    rewritten = browser.execute_script("return document.querySelectorAll('#rewritten details').length")
    assert rewritten == len(manifest["rewritten"])


def test_the_graph_folds_and_unfolds_by_click(nested_page, opened):
    browser = opened(nested_page)
    assert boxes(browser)["encoder/"] is True
    assert "encoder/level" in boxes(browser)
    click(browser, "encoder/")
    assert boxes(browser)["encoder/"] is False
    assert "encoder/level" not in boxes(browser)
    click(browser, "encoder/")
    assert boxes(browser)["encoder/"] is True
    browser.find_element("css selector", "[data-do=fold]").click()
    assert {name for name, is_open in boxes(browser).items() if is_open is False} == {"encoder/", "memory/"}
    browser.find_element("css selector", "[data-do=unfold]").click()
    assert {name for name, is_open in boxes(browser).items() if is_open} == {"encoder/", "memory/"}


def test_the_graph_folds_moves_and_zooms_by_keyboard(nested_page, opened):
    from selenium.webdriver.common.keys import Keys

    browser = opened(nested_page)
    press(browser, Keys.ENTER, "encoder/")
    assert boxes(browser)["encoder/"] is False
    assert "encoder: 3 layers; " in text(browser, "#details")
    press(browser, " ")  # the focus is where it was
    assert boxes(browser)["encoder/"] is True
    where = lambda: browser.execute_script("return document.querySelector('#picture > g').getAttribute('transform')")  # noqa: E731
    seen = [where()]
    for key in ("+", "-", "-", Keys.ARROW_LEFT, Keys.ARROW_DOWN, "0"):
        press(browser, key)
        seen.append(where())
        assert seen[-1] != seen[-2]
    reached = set()
    browser.execute_script("document.querySelector('[data-do=fold]').focus()")
    for _ in range(len(boxes(browser))):
        press(browser, Keys.TAB)
        reached.add(browser.execute_script("return document.activeElement.dataset.id"))
    assert reached == set(boxes(browser))


def test_things_in_the_graph_say_what_they_are(nested_page, opened):
    browser = opened(nested_page)
    said = browser.execute_script(
        "return [...document.querySelectorAll('#picture [data-id]')].map(e => [e.role ?? e.getAttribute('role'),"
        " e.getAttribute('aria-label')])"
    )
    assert {role for role, _ in said} == {"button"}
    labels = [label for _, label in said]
    assert "encoder/dense: MatMul, BiasAdd; gives 1 × 4; 36 parameters; 68 FLOPs" in labels
    drop = next(label for label in labels if label.startswith("encoder/drop: "))
    assert drop.endswith("; switched by the learning phase")
    levels = browser.execute_script("return [...document.querySelectorAll('h1, h2, h3')].map(e => e.tagName)")
    assert levels[0] == "H1" and levels.count("H1") == 1


def test_it_is_light_or_dark_as_the_system_and_the_button_say(small_page, opened):
    paper = "return getComputedStyle(document.body).backgroundColor"
    browser = opened(small_page, theme="dark")
    dark = browser.execute_script(paper)
    see(browser, theme="light")
    light = browser.execute_script(paper)
    assert (light, dark) == ("rgb(255, 255, 255)", "rgb(22, 24, 27)")
    button = browser.find_element("id", "theme")
    eventually(browser, lambda: button.text == "Dark")  # the page hears of the system's change a frame later
    assert button.text == "Dark"
    button.click()
    assert browser.execute_script(paper) == dark
    assert button.text == "Light"


@pytest.mark.parametrize("width", [420, 1280])
def test_long_names_stay_in_their_boxes_and_the_page_in_its_window(nested_page, width, opened):
    browser = opened(nested_page, width=width)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    boxes_and_letters = browser.execute_script(
        "return [...document.querySelectorAll('#picture [data-id]')].map(e => [e.querySelector('.box').getBBox().width,"
        " ...[...e.querySelectorAll('text')].map(t => t.getBBox().width)])"
    )
    assert len(boxes_and_letters) > 6
    for box, *letters in boxes_and_letters:
        assert max(letters) < box
    assert len(LONG_NAME) == 40
    assert LONG_NAME in text(browser, f'[data-id="{LONG_NAME}"] > text')


def test_members_of_collections_are_filtered(small_page, opened):
    browser = opened(small_page)
    browser.find_element("id", "filter").send_keys("GAMMA")
    shown = "return [...document.querySelectorAll('[data-collection]:not([hidden]) li:not([hidden])')]" + (
        ".filter(e => e.checkVisibility()).map(e => e.textContent.trim())"
    )
    found = browser.execute_script(shown)
    assert len(found) >= 3
    assert all("gamma" in name for name in found)
    assert browser.execute_script("return document.querySelector('[data-collection=train_op]').hidden")


def test_on_paper_it_is_white_all_is_open_and_there_are_no_buttons(small_page, opened):
    browser = opened(small_page, theme="dark")
    browser.execute_script(
        "addEventListener('beforeprint', () => { window.opened = document.querySelectorAll('details[open]').length })"
    )
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8
    there = browser.execute_script("return document.querySelectorAll('details').length")
    assert browser.execute_script("return window.opened") == there > 10
    assert browser.execute_script("return document.querySelectorAll('details[open]').length") == 0
    see(browser, theme="dark", medium="print")
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert (
        browser.execute_script(
            "return [...document.querySelectorAll('button, input')].filter(e => e.checkVisibility()).length"
        )
        == 0
    )
    assert browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].every(e => e.scrollHeight <= e.clientHeight + 1)"
    )


def test_names_are_text_whatever_is_in_them(small_export, tmp_path, opened):
    found = gather(small_export.prefix)
    last = found["layers"][-1]["name"]
    found["graph"] = json.loads(json.dumps(found["graph"]).replace(json.dumps(last), json.dumps(NASTY)))
    found["layers"][-1]["name"] = NASTY
    found["collections"] = {NASTY: [NASTY]}
    found["signatures"] = {NASTY: {"inputs": {NASTY: found["inputs"]["image"]}, "outputs": {}}}
    found["learning_phase"][0].update(layer=NASTY, merges=[NASTY], training={NASTY: 2})
    found["exported"]["rewritten"] = [{"rule": NASTY, "op": NASTY, "nodes": [NASTY]}]
    found["exported"]["not_carried_over"] = found["warnings"] = found["notes"] = [NASTY]
    found["exported"]["model"]["name"] = found["prefix"] = NASTY
    found["verification"] = {"tensorflow": NASTY, "verdicts": [{"name": NASTY, "ok": None, "words": NASTY}]}
    found["exports"] = [dict.fromkeys(("epoch", "batch", "seconds", "seconds_to_disk")) | {"prefix": NASTY, "size": 1}]
    page = tmp_path / "net.html"
    page.write_text(page_template().render(found), encoding="utf-8")
    browser = opened(page)
    assert browser.get_log("browser") == []
    assert browser.execute_script("return window.hurt ?? null") is None
    assert browser.execute_script("return document.querySelectorAll('b[onclick]').length") == 0
    assert text(browser, "h1") == NASTY
    for place in (
        "[data-layer]:last-child code",
        "[data-collection] li",
        "#signatures h3",
        "#rewritten li",
        "#warnings li",
    ):
        assert NASTY in text(browser, place)
    assert NASTY in boxes(browser)


@pytest.mark.slow
def test_a_large_model_starts_folded_and_takes_less_than_3_mb(tmp_path, opened):
    written = write_report(reported_models.resnet50(tmp_path), tmp_path / "net.html")
    assert written["size"] < 3_000_000
    browser = opened(written["path"])
    assert browser.get_log("browser") == []
    found = boxes(browser)
    assert found["conv4_"] is True
    assert found["conv4_block6_"] is False
    assert len(found) < 45
    browser.find_element("css selector", "[data-do=unfold]").click()
    assert len(boxes(browser)) > 180
