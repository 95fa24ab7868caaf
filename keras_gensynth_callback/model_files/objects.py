"""What a Keras has that models are made of: its classes and functions, by the names that model files give them.

All else that stands in the modules of Keras, `get_file` and what they import themselves, is no part of a model. Nothing
outside of Keras is imported.
"""

import importlib
import inspect
import sys
import types
from typing import Dict

from keras_gensynth_callback.kerases import KERASES

# Roots that files name, whatever the Keras at hand is called.
_NAMESPACES = (
    "",
    "layers",
    "models",
    "optimizers",
    "optimizers.legacy",
    "optimizers.schedules",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "mixed_precision",
    "dtype_policies",
    "quantizers",
    "random",
    "experimental",
    "layers.experimental.preprocessing",
    "__internal__.legacy.layers",
)
FAMILIES = ("activations", "losses", "metrics", "initializers", "regularizers", "constraints")
# Folders and modules of Keras's own that define parts of models, without its layers: of those, the public ones count.
_DEFINED_IN = FAMILIES + ("dtype_policies", "mixed_precision", "models", "ops", "optimizers", "quantizers", "random")
_FUNCTIONS_IN = FAMILIES + ("ops", "activation")
# Classes that Keras uses by itself, and has no public name for.
WRAPPERS = ("LossFunctionWrapper", "MeanMetricWrapper", "SumOverBatchSizeMetricWrapper")
_INTERNAL = WRAPPERS + (
    "AddLoss",
    "AddMetric",
    "BatchNormalizationV1",
    "BatchNormalizationV2",
    "ClassMethod",
    "CuDNNGRU",
    "CuDNNLSTM",
    "Functional",
    "GRUCellV1",
    "GRUV1",
    "GetItem",
    "InstanceMethod",
    "InstanceProperty",
    "LSTMCellV1",
    "LSTMV1",
    "NotEqual",
    "SlicingOpLambda",
    "TFOpLambda",
    "TensorFlowOpLayer",
)
# What `DenseFeatures` of Keras 2 is made of; there is one more, which reads a file.
_COLUMNS = (
    "BucketizedColumn",
    "CrossedColumn",
    "EmbeddingColumn",
    "HashedCategoricalColumn",
    "IdentityCategoricalColumn",
    "IndicatorColumn",
    "NumericColumn",
    "SequenceCategoricalColumn",
    "SequenceNumericColumn",
    "SharedEmbeddingColumn",
    "VocabularyListCategoricalColumn",
    "WeightedCategoricalColumn",
)
# Layers that load what their config names: a SavedModel, pickled modules and functions.
_LOADING = (
    "AWQConfig",
    "FeatureSpace",
    "FlaxLayer",
    "GPTQConfig",
    "JaxLayer",
    "ModuleWrapper",
    "TFSMLayer",
    "TorchModuleWrapper",
)
_BASES = (
    "BaseLossScaleOptimizer",
    "Constraint",
    "DTypePolicy",
    "Initializer",
    "KerasSaveable",
    "LearningRateSchedule",
    "LossScaleOptimizer",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "OptimizerMap",
    "OptimizerV2",
    "PolicyV1",
    "Policy",
    "QuantizationConfig",
    "Quantizer",
    "Regularizer",
    "SeedGenerator",
)


class KerasObjects:
    """Finds the classes and functions of one Keras.

    Args:
        keras: the module of a Keras.
    """

    def __init__(self, keras):
        self._keras = keras
        self._root = keras.Model.__module__.split(".")[0]
        self._public: Dict[str, type] = {}
        for space in filter(None, map(self._namespace, _NAMESPACES)):
            for name, value in vars(space).items():
                if inspect.isclass(value) and self._is_ours(value):
                    self._public.setdefault(name, value)
                    self._public.setdefault(value.__name__, value)
        # Keras finds optimizers in any case of letters.
        self._optimizers = {name.lower() for name in dir(keras.optimizers) if name in self._public}

    def has_class(self, name):
        """Whether it has a class of that name that models are made of."""
        if name in _LOADING:
            return False
        known = name in self._public or name in _INTERNAL or name in _COLUMNS
        return known or name.lower() in self._optimizers

    def has_in_module(self, module, name, is_function):
        """Whether what a module of Keras calls so is a part of models; None where there is nothing of that name."""
        if not isinstance(name, str) or not name.isidentifier():
            return False
        spaces = list(self._modules(module))
        found = [vars(space)[name] for space in spaces if vars(space).get(name) is not None]
        if not found:
            return None if spaces else False
        return all(self._is_function(value) if is_function else self._is_class(value) for value in found)

    def has_builtin_function(self, name):
        """Whether one of the families of Keras's functions has a public one of that name."""
        spaces = filter(None, map(self._namespace, FAMILIES))
        return any(self._is_function(vars(space).get(name)) for space in spaces)

    def _is_class(self, value):
        if not inspect.isclass(value) or value.__name__ in _LOADING or not self._is_ours(value):
            return False
        if not any(base.__name__ in _BASES and self._is_ours(base) for base in value.__mro__):
            return False
        public = any(value is other for other in self._public.values())
        return public or value.__name__ in _INTERNAL or bool(set(value.__module__.split(".")[:3]) & set(_DEFINED_IN))

    def _is_function(self, value):
        if inspect.isclass(value):
            return self._is_class(value)
        plain = inspect.unwrap(value) if callable(value) else None
        if not isinstance(plain, types.FunctionType) or not self._is_ours(plain):
            return False
        name = plain.__name__
        if name.startswith("_") or name in ("get", "serialize", "deserialize") or "keras_object" in name:
            return False
        return bool(set(plain.__module__.split(".")) & set(_FUNCTIONS_IN))

    def _is_ours(self, value):
        module = getattr(value, "__module__", None) or ""
        return module.split(".")[0] in (self._root, *KERASES) or module.startswith("tensorflow.python.keras.")

    def _namespace(self, dotted):
        space = self._keras
        for part in dotted.split(".") if dotted else ():
            space = getattr(space, part, None)
        return space if isinstance(space, types.ModuleType) else None

    def _modules(self, module):
        """The modules of this Keras that a file may mean: the public one, and the one with the code."""
        root, *parts = module.split(".")
        if root not in KERASES or not all(part.isidentifier() for part in parts):
            return
        public = self._namespace(".".join(parts))
        if public is not None and self._is_module_of_keras(public.__name__):
            yield public
        # Modules of tests are Keras's as well, and some do things when they are imported.
        defining = [part for part in parts if part not in ("src", "python", "api", "_v1", "_v2")][:1]
        if set(defining) & {"layers", "engine", *_DEFINED_IN} and not parts[-1].endswith("test"):
            code = self._imported(".".join([self._root, *parts]))
            if code is not None:
                yield code

    @staticmethod
    def _imported(name):
        try:
            return sys.modules.get(name) or importlib.import_module(name)
        except ImportError:
            return None

    def _is_module_of_keras(self, name):
        within_tensorflow = ("tensorflow.keras", "tensorflow.python.keras")
        return name.split(".")[0] in (self._root, *KERASES) or name.startswith(within_tensorflow)
