"""Builds sdist and wheel, looks into both, and uses the wheel in a clean environment.

    scripts/package

That environment is made anew, and has the wheel alone. TensorFlow and what else the package depends on, gigabytes, it
finds in the environment that runs this program, by a `.pth` file; the checkout, which may be installed there, it does
not find.
"""

import re
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "keras_gensynth_callback"
IN_WHEEL = [
    f"{PACKAGE}/py.typed",
    *(str(path.relative_to(ROOT)) for path in ROOT.glob(f"{PACKAGE}/target/data/tensorflow-*.json.gz")),
]
IN_SDIST = [
    "tests/conftest.py",
    "tests/breadth/reasons.py",
    "docs/index.md",
    "docs/COVERAGE.md",
    "mkdocs.yml",
    "tutorials/1_first_export.ipynb",
    "scripts/find_reader.py",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
]
SMOKE = """
import sys, keras, numpy as np
import keras_gensynth_callback as gensynth

assert gensynth.__file__.startswith(sys.prefix), gensynth.__file__
model = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1, name="level")])
model.compile("adam", "mse")
export = gensynth.GenSynthExportCallback("exports/net")
model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0, callbacks=[export])
assert gensynth.verify_checkpoint(export.latest_checkpoint)["variables"] > 4
"""
# In microseconds: own, cumulative, name.
IMPORT_TIME = re.compile(rf"import time:\s+\d+ \|\s+(\d+) \| {PACKAGE}$", re.MULTILINE)
IMPORTS = "import tensorflow, keras; import keras_gensynth_callback"


def main():
    version = _version()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        sdist, wheel = _built(folder, version)
        print(f"{sdist.name}: {sdist.stat().st_size / 1e6:.2f} MB\n{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB")
        _check_contents(sdist, wheel, version)
        python = _installed(folder / "env", wheel)
        _use(python, folder, version)


def _version():
    """The version, which stands in the package's `__init__.py` and nowhere else."""
    text = (ROOT / PACKAGE / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE).group(1)


def _built(folder, version):
    # A copy, so that nothing is left in the checkout and what lies there is not taken for a part of the package.
    listed = _run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT).splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "source" / name)
    # The wheel is built from the sdist, which therefore holds all that is needed.
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", folder / "source"])
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    assert version in sdist.name and version in wheel.name
    return sdist, wheel


def _check_contents(sdist, wheel, version):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        metadata = file.read(f"{PACKAGE}-{version}.dist-info/METADATA").decode("utf-8")
    _expect(IN_WHEEL, names, wheel)
    others = {name.split("/")[0] for name in names} - {PACKAGE, f"{PACKAGE}-{version}.dist-info"}
    assert not others, f"{wheel.name} holds {sorted(others)} besides the package."
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line]
    print("requires:", ", ".join(line.split(": ")[1] for line in required))
    with tarfile.open(sdist) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    _expect(IN_SDIST, names, sdist)


def _expect(wanted, names, file):
    missing = [name for name in wanted if name not in names]
    assert not missing, f"{file.name} lacks {', '.join(missing)}."


def _installed(env, wheel):
    """The Python of a new environment that has the wheel, and finds the other packages of this one."""
    venv.create(env, with_pip=True)
    python = env / "bin" / "python"
    _run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", wheel])
    purelib = Path(_run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())
    (purelib / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def _use(python, folder, version):
    work = folder / "work"
    work.mkdir()
    command = python.with_name("keras-gensynth")
    _run([python, "-W", "ignore", "-c", SMOKE], cwd=work)
    said = _run([command, "inspect", "exports/net", "--strict"], cwd=work)
    assert "level" in said, said
    assert version in _run([python, "-m", PACKAGE, "doctor", "--json"], cwd=work, status=(0, 1))
    print("used: an export by the callback, verified; keras-gensynth inspect and doctor")
    found = [_import_time(python, work) for _ in range(5)]
    print(f"import, on top of TensorFlow's and Keras's: {statistics.median(found) / 1000:.1f} ms (median of 5)")


def _import_time(python, work):
    done = subprocess.run([python, "-X", "importtime", "-c", IMPORTS], cwd=work, stderr=subprocess.PIPE, text=True)
    return int(IMPORT_TIME.search(done.stderr).group(1))


def _run(command, cwd=None, status=(0,)):
    """Runs a command without PYTHONPATH; returns what it prints, and ends the program where it fails."""
    environ = {"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "LANG": "C.UTF-8"}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environ, capture_output=True, encoding="utf-8")
    if done.returncode not in status:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
