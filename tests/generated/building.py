"""A model with its data from a recipe, for one Keras."""

import numpy as np

from . import compiling
from .backends import backend_of
from .layers import words
from .steps import Chain, Single, step

BATCH = 16


class Case:
    """What is trained and compared.

    Attributes:
        model: the compiled model.
        x, y: arrays, lists or dicts of them.
        sample_weight, class_weight: what `fit` takes beside them, or None.
        recipe: dict.
    """

    def __init__(self, model, x, y, sample_weight, class_weight, recipe):
        self.model, self.x, self.y, self.recipe = model, x, y, recipe
        self.sample_weight, self.class_weight = sample_weight, class_weight


def build(keras, recipe, seed):
    """Makes the Case of a recipe."""
    backend = backend_of(keras)
    keras.backend.clear_session()
    backend.seed(seed)
    generator = np.random.RandomState(seed)
    rows = recipe.get("rows", 40)
    inputs = recipe.get("inputs") or [{"kind": "vector"}]
    network = Network(keras, {**recipe, "inputs": inputs})
    model = network.model()
    arrays = [_data(backend, generator, rows, entry) for entry in inputs]
    x = network.arranged(arrays, network.input_names)
    shapes = [tuple(t.shape) for t in network.outputs]
    y_arrays = [_targets(generator, rows, head, shape, network.length) for head, shape in zip(network.heads, shapes)]
    y = network.arranged(y_arrays, network.output_names)
    if recipe.get("style") == "subclass":
        model(backend.map(lambda a: backend.tensor(a[:2]), x))
    sample_weight, class_weight = _weights(generator, recipe, network, rows, y_arrays)
    _compile(keras, model, recipe, network, shapes)
    return Case(model, x, y, sample_weight, class_weight, recipe)


class Network:
    """The steps of a recipe and how they are connected."""

    def __init__(self, keras, recipe):
        self.keras, self.backend, self.recipe = keras, backend_of(keras), recipe
        entries, self.heads = recipe["inputs"], recipe.get("heads") or [{"kind": "numbers"}]
        self.input_names = ["x"] if len(entries) == 1 else [f"x{i}" for i in range(len(entries))]
        self.output_names = ["p"] if len(self.heads) == 1 else [f"o{i}" for i in range(len(self.heads))]
        self.structure = recipe.get("structure") or ("list" if len(entries) + len(self.heads) > 2 else None)
        self.branches = [Chain(keras, _with_cast(entry)) for entry in entries]
        self.vectors = [step(keras, {"kind": "to_vector"}) for _ in entries] if len(entries) > 1 else []
        self.sizes = [step(keras, {"kind": "dense", "units": 6, "activation": "relu"}) for _ in self.vectors]
        merge = recipe.get("merge", "concatenate").capitalize()
        self.merge = getattr(keras.layers, merge)() if self.vectors else None
        self.trunk = Chain(keras, recipe.get("trunk", []))
        self.ends = [_End(keras, head, name) for head, name in zip(self.heads, self.output_names)]
        # A dry run: the layers get to know their shapes.
        self.inputs = [self._input(entry, name) for entry, name in zip(entries, self.input_names)]
        self.length = 7
        self.outputs = self.run(self.inputs)

    def arranged(self, values, names):
        """Values as the recipe wants them: alone, as a list or as a dict."""
        if self.structure == "dict":
            return dict(zip(names, values))
        return list(values) if len(values) > 1 else values[0]

    def _input(self, entry, name):
        return self.keras.Input(_shape(entry), name=name, dtype=_dtype(entry))

    def run(self, tensors):
        tensors = [branch(x) for branch, x in zip(self.branches, tensors)]
        if self.vectors:
            tensors = [size(vector(x)) for size, vector, x in zip(self.sizes, self.vectors, tensors)]
            tensors = [self.merge(tensors)]
        x = self.trunk(tensors[0])
        return [end(x) for end in self.ends]

    def model(self):
        style, train_step = self.recipe.get("style", "functional"), self.recipe.get("train_step")
        if style == "sequential" and self.structure is None:
            return self._sequential(self.backend.model_class(self.keras.Sequential, train_step))
        if style == "subclass":
            return self.backend.subclassed(self, train_step)
        base = self.backend.model_class(self.keras.Model, train_step)
        return base(self.arranged(self.inputs, self.input_names), self.arranged(self.outputs, self.output_names))

    def _sequential(self, base):
        """Steps of one layer as they are, others as models within."""
        model = base()
        model.add(self._input(self.recipe["inputs"][0], "x"))
        for chain in (self.branches[0], self.trunk, self.ends[0]):
            for part in chain.children:
                if part.shape is None:
                    continue
                fresh = part.fresh()
                if isinstance(fresh, Single) or len(fresh.layers) == 1 and not fresh.children:
                    model.add(fresh.own[0])
                elif fresh.layers:
                    inner = self.keras.Input(part.shape[1:])
                    model.add(self.keras.Model(inner, fresh(inner)))
        return model

    def fresh(self):
        """The same with layers of its own."""
        network = object.__new__(Network)
        network.__dict__.update(self.__dict__)
        for name in ("branches", "vectors", "sizes", "ends"):
            setattr(network, name, [part.fresh() for part in getattr(self, name)])
        network.trunk = self.trunk.fresh()
        if self.merge is not None:
            network.merge = type(self.merge)()
        return network

    @property
    def layers(self):
        parts = [*self.branches, *self.vectors, *self.sizes, self.trunk, *self.ends]
        return [layer for part in parts for layer in part.layers] + ([] if self.merge is None else [self.merge])

    def called(self, inputs):
        """Outputs of inputs, both arranged as the recipe wants them."""
        if isinstance(inputs, dict):
            inputs = [inputs[name] for name in self.input_names]
        inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return self.arranged(self.run(inputs), self.output_names)


class _End(Chain):
    """The last layers, of which the last has the output's name."""

    def __init__(self, keras, head, name):
        self.head, self.name = head, name
        super().__init__(keras, [])

    def parts(self):
        self.last = _Last(self.keras, self.head, self.name)
        before = []
        if self.head["kind"] not in ("raw", "steps", "map"):
            before.append({"kind": "to_vector", "pooling": self.head.get("pooling", "average")})
            if "hidden" in self.head:
                before.append({"kind": "dense", "units": self.head["hidden"], "activation": "relu"})
        return [*(step(self.keras, block) for block in before), self.last]

    def fresh(self):
        other = _End(self.keras, self.head, self.name)
        other.shape, other.children = self.shape, [child.fresh() for child in self.children]
        return other


class _Last(Chain):
    """The layer of an output, or two, with an activation of its own."""

    def __init__(self, keras, head, name):
        self.head, self.name = head, name
        super().__init__(keras, [])

    def parts(self):
        return []

    def fresh(self):
        other = _Last(self.keras, self.head, self.name)
        other.shape = self.shape
        other.make(self.shape)
        return other

    def make(self, shape):
        self.own = self._raw(shape) if self.head["kind"] == "raw" else self._dense(shape)

    def _raw(self, shape):
        kind = self.head.get("layer", "batch_norm")
        kind = f"spatial_dropout{len(shape) - 2}d" if kind == "spatial" and len(shape) > 2 else kind
        kind = "dropout" if kind == "spatial" else kind
        made = step(self.keras, {"kind": kind, "rate": self.head.get("rate", 0.25), "momentum": 0.5})
        made.make(shape)
        layer = made.own[0]
        return [type(layer).from_config({**layer.get_config(), "name": self.name})]

    def _dense(self, shape):
        layers, head = self.keras.layers, self.head
        units, activation = units_of(head), compiling.activation_of(head)
        more = {"kernel_regularizer": "l2"} if head.get("regularizer") else {}
        if head.get("separate_activation") and activation:
            last = layers.Softmax if activation == "softmax" else layers.Activation
            arguments = (
                {"name": self.name} if activation == "softmax" else {"activation": activation, "name": self.name}
            )
            return [layers.Dense(units, **more), last(**arguments)]
        if head["kind"] == "map" and len(shape) == 4:
            return [layers.Conv2D(units, 1, activation=activation, name=self.name, **more)]
        return [layers.Dense(units, activation=activation, name=self.name, **more)]

    def run(self, x):
        for layer in self.own:
            x = layer(x)
        return x


def units_of(head):
    if head["kind"] == "binary":
        return 1
    if head["kind"] in ("classes", "sparse", "labels", "steps"):
        return max(head.get("units", 3), 3)
    if head["kind"] == "map":
        return 3 if head.get("loss") == "sparse_categorical_crossentropy" else 1
    return head.get("units", 2)


def _with_cast(entry):
    return ([{"kind": "rescaling"}] if entry.get("bytes") else []) + entry.get("blocks", [])


def _shape(entry):
    kind, size = entry["kind"], entry.get("size")
    if kind == "image":
        return (size or 8, size or 8, entry.get("channels", 3))
    if kind in ("sequence", "tokens"):
        length = None if entry.get("open") else size or 6
        return (length, 4) if kind == "sequence" else (length,)
    return (1,) if kind in ("words", "numbers") else (5,)


def _dtype(entry):
    default = {"tokens": "int32", "words": "string", "numbers": "int32"}.get(entry["kind"], "float32")
    return "uint8" if entry.get("bytes") else default


def _data(backend, generator, rows, entry):
    kind = entry["kind"]
    shape = (rows, *(7 if size is None else size for size in _shape(entry)))
    if kind == "words":
        return backend.tensor(words(generator, shape))
    if kind == "tokens":
        lengths = generator.randint(1, shape[1] + 1, (rows, 1))
        return (generator.randint(1, 12, shape) * (np.arange(shape[1]) < lengths)).astype("int32")
    if kind == "numbers":
        return generator.randint(0, 12, shape).astype("int32")
    if entry.get("bytes"):
        return generator.randint(0, 256, shape).astype("uint8")
    array = generator.normal(0, 1, shape) if kind in ("sequence", "vector") else generator.uniform(0, 1, shape)
    if kind == "sequence":
        array[:, -1] *= generator.randint(0, 2, (rows, 1))
    return array.astype("float32")


def _targets(generator, rows, head, shape, length):
    shape = (rows, *(length if size is None else size for size in shape[1:]))
    kind, loss = head["kind"], head.get("loss", "mse")
    if kind == "sparse" or loss in ("sparse_categorical_crossentropy", "sparse_logits"):
        labels = generator.randint(0, shape[-1], shape[:-1])
        return labels[:, None] if labels.ndim == 1 and head.get("separate_activation") else labels
    if kind == "binary":
        return generator.randint(0, 2, shape).astype("float32" if loss in ("focal", "mse") else "int64")
    if kind == "classes":
        return np.eye(shape[-1], dtype="float32")[generator.randint(0, shape[-1], rows)]
    if kind in ("labels", "map") and loss != "mse":
        return generator.randint(0, 2, shape).astype("float32")
    return generator.uniform(0.1, 1, shape).astype("float32")


def _weights(generator, recipe, network, rows, y_arrays):
    if "class_weight" in recipe and network.structure is None:
        return None, dict(enumerate(recipe["class_weight"]))
    if not recipe.get("sample_weight"):
        return None, None
    arrays = [generator.uniform(0.5, 2.0, rows).astype("float32") for _ in y_arrays]
    return network.arranged(arrays, network.output_names), None


def _compile(keras, model, recipe, network, shapes):
    heads, units = network.heads, [shape[-1] for shape in shapes]
    losses = [compiling.loss(keras, head, len(heads) == 1) for head in heads]
    lists = {
        key: [compiling.metrics(keras, head, key, n) for head, n in zip(heads, units)]
        for key in ("metrics", "weighted_metrics")
    }
    arguments = {"loss": network.arranged(losses, network.output_names)}
    for key, values in lists.items():
        if any(values):
            arguments[key] = network.arranged(values, network.output_names)
    if "loss_weights" in recipe and len(heads) > 1:
        weights = (recipe["loss_weights"] + [1.0] * len(heads))[: len(heads)]
        arguments["loss_weights"] = network.arranged(weights, network.output_names)
    made = compiling.optimizer(keras, recipe.get("optimizer", {}))
    arguments.update(steps_per_execution=recipe["steps_per_execution"]) if "steps_per_execution" in recipe else None
    model.compile(made, **network.backend.compile_options(recipe), **arguments)
