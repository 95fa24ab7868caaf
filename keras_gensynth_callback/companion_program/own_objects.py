"""The classes and functions of the program that trains, found in this process: by importing their modules. Its
`__main__` is run under another name, as `multiprocessing` does, up to its first training or export: what a model is
made of is there by then.
"""

import importlib
import importlib.util
import sys
import types

import wrapt

from keras_gensynth_callback.errors import UnsupportedModelError

# What `multiprocessing` calls it: programs that guard themselves by `if __name__ == "__main__":` know of it.
_NAME = "__mp_main__"


class _Reached(BaseException):
    """The program has come to where it trains or exports."""


class OwnObjects:
    """Finds objects by module and name.

    Args:
        main: dict with the `name` and the `file` of the program's own module, each may be None.
    """

    def __init__(self, main):
        self._main, self._module = main, None

    def all_of(self, places):
        """dict, name for Keras -> object.

        Args:
            places: dict, name for Keras -> the module and the name there.
        """
        return {name: self.registered(name, *place) for name, place in places.items()}

    def registered(self, name, module, place):
        """The object of a name for Keras: what its module registered under it, or else what it has at a place."""
        import keras

        if ">" in name:
            self.imported(module)
            registered = keras.saving.get_custom_objects().get(name)
            if registered is not None:
                return registered
        return self.found(module, place)

    def found(self, module, name):
        """The object of a name, which may be dotted.

        Raises:
            UnsupportedModelError: it cannot be found.
        """
        try:
            value = self.imported(module)
            for part in name.split("."):
                value = getattr(value, part)
            return value
        except (ImportError, AttributeError) as error:
            raise UnsupportedModelError(
                f"The model needs `{name}` of the module `{module}`, which the process that exports it cannot find "
                f"there: {error}. Expected: classes and functions at the top of a module that `import` finds. Define "
                "it there; where a program has the model in its own module, outside of any function."
            ) from error

    def imported(self, name):
        """A module; `__main__` is that of the program that trains."""
        return self._of_program() if name == "__main__" else importlib.import_module(name)

    def _of_program(self):
        if self._module is None:
            self._module = self._run()
        return self._module

    def _run(self):
        name, path = self._main["name"], self._main["file"]
        if name is None and path is None:
            raise UnsupportedModelError(
                "The model needs classes or functions of `__main__`, which is no file: a notebook or an interactive "
                "session. The process that exports the model has to find them. Expected: a module. Write them to a "
                "file, `net.py` for example, and import them from there."
            )
        module = types.ModuleType(_NAME)
        module.__file__ = path
        code = _code_of(name, path)
        if name is not None:
            module.__package__ = name.rpartition(".")[0]
        sys.modules["__main__"] = sys.modules[_NAME] = module
        with _StoppedAtTraining() as stopped:
            try:
                exec(code, module.__dict__)
            # What a program does about an end of its own is no concern of ours.
            except BaseException as error:
                if not stopped.reached:
                    raise UnsupportedModelError(
                        "The model needs classes or functions of the program that trains it. So its own module is run "
                        f"by the process that exports it, up to the first training, and fails there: "
                        f"{type(error).__name__}: {error}. Expected: a module that defines them in any process. Define "
                        "them in a module of their own, and import them from there."
                    ) from error
        return module


def _code_of(name, path):
    if name is not None:
        spec = importlib.util.find_spec(name)
        get_code = getattr(spec and spec.loader, "get_code", None)
        if get_code is not None:
            return get_code(name)
    with open(path, "rb") as file:
        return compile(file.read(), path, "exec", dont_inherit=True)


class _StoppedAtTraining:
    """Inside of the block, a program that trains, evaluates, predicts or exports is stopped there."""

    def __enter__(self):
        import keras

        ours = sys.modules[__name__.split(".")[0]]
        self.reached, self._kept = False, []
        for owner, names in (
            (keras.Model, ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch")),
            (ours, ("export_checkpoint", "load_checkpoint", "build_graph", "convert_model_file")),
        ):
            for name in names:
                self._kept.append((owner, name, vars(owner).get(name)))
                setattr(owner, name, wrapt.FunctionWrapper(getattr(owner, name), self._stop))
        return self

    def __exit__(self, *_):
        for owner, name, value in self._kept:
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)

    def _stop(self, wrapped, instance, args, kwargs):
        self.reached = True
        raise _Reached
