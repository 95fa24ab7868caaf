"""What differs between the backends that Keras runs on: the one module here that knows them.

A backend's own modules are imported when they are needed: the program that draws recipes needs none of them.
"""

import functools
import random
from pathlib import Path

_CACHE = Path(__file__).resolve().parent.parent.parent / ".cache" / "generated-jax"
NAMES = ("tensorflow", "jax", "torch")


def is_keras3(keras):
    return keras.__version__.startswith("3")


@functools.lru_cache(None)
def backend_of(keras):
    """The TensorFlow, Jax or Torch that a Keras runs on."""
    name = keras.config.backend() if is_keras3(keras) else "tensorflow"
    return {"tensorflow": TensorFlow, "jax": Jax, "torch": Torch}[name](keras)


def drawn_for(backend, recipe):
    """A recipe without what a backend does not have; for TensorFlow the recipe itself."""
    if backend == "tensorflow":
        return recipe
    found = {**recipe, "inputs": [_without_lookup(entry) for entry in recipe["inputs"]]}
    # A train step is written for one backend. A scaled loss is a `compute_loss` as well.
    if found.get("train_step") != "scaled":
        found.pop("train_step", None)
    if backend == "torch":
        found.pop("steps_per_execution", None)
    return found


def _without_lookup(entry):
    """Lookups and hashes run on TensorFlow only."""
    if entry["kind"] in ("words", "numbers"):
        return {**entry, "kind": "numbers", "blocks": [{"kind": "category_encoding"}]}
    return entry


class TensorFlow:
    """Keras 3 or tf_keras on TensorFlow.

    Args:
        keras: a Keras module.
    """

    def __init__(self, keras):
        import tensorflow as tf

        self._keras, self._tf = keras, tf

    def begin(self):
        """Prepares this process, which uses one thread."""
        self._tf.config.threading.set_intra_op_parallelism_threads(1)
        self._tf.config.threading.set_inter_op_parallelism_threads(1)

    def seed(self, seed):
        self._keras.utils.set_random_seed(seed)

    @property
    def own(self):
        """Layers, losses and metrics of a user's own, by name."""
        from .custom import custom

        return custom(self._keras)

    def model_class(self, base, train_step):
        """`base`, or a subclass that trains in a way of its own."""
        from .training_steps import with_train_step

        return with_train_step(self._keras, base, train_step)

    def subclassed(self, network, train_step):
        """A subclassed model that computes what a network computes."""
        network = network.fresh()

        class Subclassed(self.model_class(self._keras.Model, train_step)):
            def __init__(self):
                super().__init__(name="net")
                self.parts = network.layers

            def call(self, inputs, training=None):
                return network.called(inputs)

        return Subclassed()

    def layer_of_layers(self, chain, blocks):
        """A layer that computes what a chain of these blocks computes."""
        chain = chain.fresh()

        class OwnBlock(self._keras.layers.Layer):
            def __init__(self):
                super().__init__()
                self.parts = chain.layers

            def call(self, x):
                return chain(x)

        return OwnBlock()

    def compile_options(self, recipe):
        eager = bool(recipe.get("eager"))
        return {"run_eagerly": eager, "jit_compile": bool(recipe.get("jit")) and not eager}

    def dataset(self, parts, size, class_weight):
        """Batches of what `fit` takes: x, y and perhaps weights."""
        parts = tuple(tuple(part) if isinstance(part, list) else part for part in parts)  # lists would be tensors
        return self._tf.data.Dataset.from_tensor_slices(parts).batch(size)

    def map(self, function, nest):
        return self._tf.nest.map_structure(function, nest)

    def tensor(self, array):
        return self._tf.convert_to_tensor(array)

    def array(self, value):
        """A copy of a tensor, or of the value of a variable."""
        import numpy as np

        value = getattr(value, "value", value)
        return np.array(self._tf.convert_to_tensor(value() if callable(value) else value))

    def gradients(self, model, x, y):
        """Gradients of the loss in inference, one for each trainable variable or None."""
        with self._tf.GradientTape() as tape:
            loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=False))
        variables = [v if callable(v.value) else v.value for v in model.trainable_variables]
        return [None if g is None else self.array(g) for g in tape.gradient(loss, variables)]

    def ask_directly(self, model):
        """What runs a few times is faster without tracing it; but not `evaluate`.

        Keras 3 weights the loss of each output by the batch's size only where that is known while tracing: in eager
        mode, which few people use, the numbers are others.
        """
        if is_keras3(self._keras):
            model.jit_compile, model.steps_per_execution = False, 1
        else:
            model._steps_per_execution.assign(1)
        model.train_function = model.test_function = model.predict_function = None
        model.run_eagerly = False
        model.make_test_function()
        model.run_eagerly = True


class _Other:
    """Keras 3 on another backend, where an export is made by another process: what is a user's own is made with
    `keras.ops`, of classes that this process can import. The methods are those of TensorFlow.
    """

    def __init__(self, keras):
        self._keras = keras

    def begin(self):
        pass

    def seed(self, seed):
        # `keras.utils.set_random_seed` imports TensorFlow.
        import numpy as np

        random.seed(seed)
        np.random.seed(seed)

    @property
    def own(self):
        from .custom_with_ops import CUSTOM

        return CUSTOM

    def model_class(self, base, train_step):
        from .models_with_ops import HALF_LOSS

        return HALF_LOSS[base] if train_step else base

    def subclassed(self, network, train_step):
        from .models_with_ops import HALF_LOSS, Subclassed

        return (HALF_LOSS[Subclassed] if train_step else Subclassed)(network.recipe, name="net")

    def layer_of_layers(self, chain, blocks):
        from .models_with_ops import OwnBlock

        return OwnBlock(chain.shape[1:], blocks)

    def compile_options(self, recipe):
        return {"run_eagerly": bool(recipe.get("eager")), "jit_compile": "auto"}

    def dataset(self, parts, size, class_weight):
        from .models_with_ops import Batches

        return Batches(parts, size)

    def map(self, function, nest):
        return self._keras.tree.map_structure(function, nest)

    def tensor(self, array):
        return self._keras.ops.convert_to_tensor(array)

    def array(self, value):
        import numpy as np

        return np.array(self._keras.ops.convert_to_numpy(value))

    def gradients(self, model, x, y):
        from facts_of_backends import gradients_of

        return gradients_of(model, x, y, None)

    def ask_directly(self, model):
        from facts_of_backends import give_own_arrays

        give_own_arrays(model)
        model.steps_per_execution = 1
        model.train_function = model.test_function = model.predict_function = None


class Jax(_Other):
    def begin(self):
        import jax

        # Recipes share much of what is compiled, and tries of one all.
        if jax.config.jax_compilation_cache_dir is None:
            jax.config.update("jax_compilation_cache_dir", str(_CACHE))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


class Torch(_Other):
    def begin(self):
        import torch

        torch.set_num_threads(1)

    def seed(self, seed):
        import torch

        super().seed(seed)
        torch.manual_seed(seed)

    def compile_options(self, recipe):
        return {**super().compile_options(recipe), "jit_compile": bool(recipe.get("jit")) and not recipe.get("eager")}

    def dataset(self, parts, size, class_weight):
        import torch

        if class_weight is not None:  # not with a DataLoader
            return super().dataset(parts, size, class_weight)
        rows = range(len(self._keras.tree.flatten(parts)[0]))
        return torch.utils.data.DataLoader([self.map(lambda a, row=row: a[row], parts) for row in rows], size)
