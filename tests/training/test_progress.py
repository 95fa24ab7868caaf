"""What is printed while an export is being prepared."""

import re
import sys
import threading

import numpy as np
import pytest
from fake_exporter import fake_exporter_class

from keras_gensynth_callback import GenSynthExportCallback
from keras_gensynth_callback._util import progress
from keras_gensynth_callback.training import exporter_cache

LINE = r"Preparing the export of 'net' \(\d+ s\) \.\.\.\n"


class Terminal:
    """A stdout that says when something was written to it."""

    def __init__(self, is_terminal):
        self.isatty, self.text, self.written = lambda: is_terminal, "", threading.Semaphore(0)

    def write(self, text):
        self.text += text
        self.written.release()

    def flush(self):
        pass


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(progress, "AFTER_SECONDS", 0.0)


def test_on_a_terminal_the_line_is_renewed(monkeypatch, at_once):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(sys, "stdout", Terminal(True))
    with progress.shown("Preparing", True):
        for _ in range(3):
            assert sys.stdout.written.acquire(timeout=60)
    assert re.fullmatch(r"(\rPreparing \(\d+ s\) \.\.\.){3,}\rPreparing \(\d+ s\) done\n", sys.stdout.text)


def test_elsewhere_it_stands_at_the_beginning_and_at_the_end(monkeypatch, at_once):
    monkeypatch.setattr(sys, "stdout", Terminal(False))
    with pytest.raises(KeyError), progress.shown("Preparing", True):
        assert sys.stdout.written.acquire(timeout=60)
        raise KeyError
    assert re.fullmatch(r"Preparing \(\d+ s\) \.\.\.\nPreparing \(\d+ s\) done\n", sys.stdout.text)


def test_what_is_done_at_once_is_not_shown(capsys):
    with progress.shown("Preparing", True):
        pass
    assert capsys.readouterr().out == ""


def prepared(keras, monkeypatch, tmp_path, verbose):
    """Fits with an exporter whose preparation lasts until something is printed, if anything is to be."""
    exporter, terminal = fake_exporter_class(), Terminal(False)
    monkeypatch.setattr(exporter_cache, "Exporter", exporter)
    prepare = exporter.prepare

    def slow(self, data_spec=None):
        assert not verbose or terminal.written.acquire(timeout=60)
        prepare(self, data_spec)

    monkeypatch.setattr(exporter, "prepare", slow)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)], name="net")
    model.compile("sgd", "mse")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        data = np.ones((4, 1))
        model.fit(data, data, verbose=0, callbacks=[GenSynthExportCallback(tmp_path / "net", verbose=verbose)])
    return terminal.text


def test_it_is_shown_before_the_first_step_with_verbose_and_not_without(keras, monkeypatch, tmp_path, at_once):
    said = prepared(keras, monkeypatch, tmp_path, verbose=1)
    assert re.match(LINE, said) and "Epoch 1: saving model to" in said
    assert prepared(keras, monkeypatch, tmp_path, verbose=0) == ""
