"""What is refused before the first step of training: `refused_program.py FOLDER` writes what is said to
`facts.json`.
"""

import json
import pathlib
import sys

import numpy as np
import own_layers

import keras_gensynth_callback as gensynth

ROOT = pathlib.Path(sys.argv[1])
X, Y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
facts = {}
for name, make in own_layers.REFUSED.items():
    model = make()
    before = [variable.__array__().copy() for variable in model.variables]
    try:
        model.fit(X, Y, verbose=0, callbacks=[gensynth.GenSynthExportCallback(ROOT / name / "net")])
    except gensynth.GenSynthExportError as error:
        same = all(np.array_equal(one, other.__array__()) for one, other in zip(before, model.variables))
        facts[name] = [type(error).__name__, str(error), same and not (ROOT / name).exists()]
model = own_layers.net(own_layers.BeforehandAlone(name="level"))
facts["beforehand"] = gensynth.export_checkpoint(model, ROOT / "beforehand" / "net").prefix
inference = gensynth.export_checkpoint(own_layers.REFUSED["step"](), ROOT / "step" / "net", graph="inference")
facts["inference"] = inference.prefix
(ROOT / "facts.json").write_text(json.dumps(facts))
