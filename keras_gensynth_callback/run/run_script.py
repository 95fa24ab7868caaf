"""A program of its own: runs a script as `python script.py` does, with every `fit` in it exporting.

    python run_script.py OPTIONS SCRIPT [ARGS...]

`OPTIONS` is JSON, the arguments of `FitHooks`. It is a file of its own, and imports neither TensorFlow nor a Keras, so
that the script finds what it would find: its own `__main__`, `sys.argv`, `sys.path[0]`, tracebacks without this
program, and a TensorFlow that it can still set up.
"""

import atexit
import importlib.machinery
import importlib.util
import json
import os
import sys
import types

_PACKAGE = "keras_gensynth_callback"
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_failures: list = []  # whether the script ended with an error, once it has ended by an exception


def main(options, script, arguments):
    """Runs the script; what it raises is raised."""
    # The folder of this file goes, and that of the script comes, as Python has it.
    sys.path[0] = os.path.dirname(os.path.realpath(script))
    _install_hooks(json.loads(options))
    sys.argv[:] = [script, *arguments]
    sys.excepthook = _show_without_this_program
    module = types.ModuleType("__main__")
    loader = importlib.machinery.SourceFileLoader("__main__", script)
    module.__dict__.update(__file__=script, __loader__=loader, __builtins__=__builtins__, __cached__=None)
    if "__annotations__" in globals():  # Python before 3.14 has them in each `__main__`
        module.__dict__["__annotations__"] = {}
    sys.modules["__main__"] = module
    try:
        with open(script, "rb") as file:
            code = compile(file.read(), script, "exec", dont_inherit=True)
        exec(code, module.__dict__)
    except BaseException as error:
        # What went wrong in the script says enough.
        _failures.append(not isinstance(error, SystemExit) or error.code not in (None, 0))
        raise


def _install_hooks(options):
    if _PACKAGE not in sys.modules:
        # By its place: where it was started from a checkout, the script's path does not lead to it.
        place = os.path.join(_FOLDER, "__init__.py")
        spec = importlib.util.spec_from_file_location(_PACKAGE, place, submodule_search_locations=[_FOLDER])
        if spec is None or spec.loader is None:
            raise ImportError(f"{place} cannot be loaded")
        sys.modules[_PACKAGE] = package = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    from keras_gensynth_callback.run.fit_patches import FitHooks

    hooks = FitHooks(**options)
    hooks.install()
    atexit.register(_say_if_nothing_was_exported, hooks, options["filepath"])


def _say_if_nothing_was_exported(hooks, filepath):
    if not hooks.callbacks and not any(_failures):
        print(f"keras-gensynth: the script called no fit, and nothing was exported to {filepath}", file=sys.stderr)


def _show_without_this_program(kind, error, traceback):
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    sys.__excepthook__(kind, error.with_traceback(traceback), traceback)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
