"""A companion that ends, and a program that does: `ended_program.py FOLDER`. The pid of the last companion is in
`facts.json`; then the program is killed while it trains.
"""

import json
import os
import pathlib
import signal
import sys
import warnings

import keras
import numpy as np

import keras_gensynth_callback as gensynth
from keras_gensynth_callback.companion import running_companion

ROOT = pathlib.Path(sys.argv[1])
X, Y = np.ones((32, 3), "float32"), np.ones((32, 1), "float32")
facts = {}


class Kills(keras.callbacks.Callback):
    """Ends a process once, at the end of a batch."""

    def __init__(self, pid, signal_number=signal.SIGKILL):
        super().__init__()
        self.pid, self.signal_number = pid, signal_number

    def on_train_batch_end(self, batch, logs=None):
        if self.pid is not None:
            pid, self.pid = self.pid, None
            os.kill(pid, self.signal_number)


def net():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def fit(callback, first):
    net().fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[first, callback])


# One that is interrupted by a Ctrl-C goes on: that is for the program.
survived = running_companion().pid
fit(gensynth.GenSynthExportCallback(ROOT / "interrupted" / "net"), Kills(survived, signal.SIGINT))
facts["survives an interrupt"] = running_companion().pid == survived

callback = gensynth.GenSynthExportCallback(ROOT / "raise" / "net", save_freq=1)
try:
    fit(callback, Kills(running_companion().pid))
except gensynth.GenSynthExportError as error:
    facts["error"] = [type(error).__name__, str(error), running_companion().pid != survived]

callback = gensynth.GenSynthExportCallback(ROOT / "warn" / "net-{epoch}-{batch}", save_freq=2, on_error="warn")
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fit(callback, Kills(running_companion().pid))
facts["warned"] = [str(warning.message) for warning in caught if "callback" in warning.filename]
facts["exported after that"] = [os.path.basename(prefix) for prefix in callback.checkpoints]

facts["companion"] = running_companion().pid
(ROOT / "facts.json").write_text(json.dumps(facts))
fit(gensynth.GenSynthExportCallback(ROOT / "killed" / "net", save_freq=1), Kills(os.getpid()))
