"""What a block does to a tensor: one layer, or several with what connects them.

A step makes its layers when it first sees a tensor, and can be made anew, with layers of its own, from the shape that
it saw: a subclassed model has its layers before it is called.
"""

from . import layers as single
from .backends import backend_of

_FIXED_LENGTH = ("permute", "flatten", "reshape", "zero_padding1d", "upsampling1d", "conv1d_transpose")


class Step:
    """One block.

    Args:
        keras: a Keras module.
        block: dict, its `kind` and options.
    """

    def __init__(self, keras, block):
        self.keras, self.block = keras, block
        self.shape, self.own, self.children = None, [], self.parts()

    def parts(self):
        """The chains within."""
        return []

    def takes(self, shape):
        return True

    def make(self, shape):
        """Makes `own`, the layers that are not within a chain."""

    def run(self, x):
        raise NotImplementedError

    def __call__(self, x):
        if self.shape is None:
            self.shape = tuple(x.shape)
            self.make(self.shape)
            self.freeze()
        return self.run(x)

    def freeze(self):
        if self.block.get("frozen"):
            for layer in self.own:
                layer.trainable = False

    def fresh(self):
        """The same with layers of its own."""
        other = type(self)(self.keras, self.block)
        other.shape, other.children = self.shape, [child.fresh() for child in self.children]
        if self.shape is not None:
            other.make(self.shape)
            other.freeze()
        return other

    @property
    def layers(self):
        return self.own + [layer for child in self.children for layer in child.layers]


class Single(Step):
    def takes(self, shape):
        kind = self.block["kind"]
        if not single.fits(kind, len(shape)):
            return False
        if None in shape[1:] and (kind in _FIXED_LENGTH or self.block.get("unroll")):
            return False
        if "groups" in self.block and shape[-1] % self.block["groups"]:
            return False
        small = self.block.get("padding") == "valid" or kind == "cropping2d"
        return not small or min(shape[1:-1]) > self.block.get("size", 3)

    def make(self, shape):
        self.own = [single.LAYERS[self.block["kind"]][2](self.keras, self.block)]
        if self.block["kind"] == "normalization":
            # Keras 3 keeps a tensor of the graph in which this is built.
            self.own[0].build(shape)

    def run(self, x):
        return self.own[0](x)


class Chain(Step):
    """Blocks one after the other; those that do not fit are left out."""

    def __init__(self, keras, blocks):
        super().__init__(keras, {"blocks": blocks})

    def parts(self):
        return [step(self.keras, block) for block in self.block["blocks"]]

    def fresh(self):
        other = Chain(self.keras, [])
        other.shape, other.children = self.shape, [child.fresh() for child in self.children]
        return other

    def run(self, x):
        for child in self.children:
            # Called already: what fitted then fits now, although a tensor within a graph may have lost its shape.
            if child.shape is not None or child.takes(tuple(x.shape)):
                x = child(x)
        return x


class Residual(Step):
    """x + f(x), with a projection where their last sizes differ."""

    def parts(self):
        return [Chain(self.keras, self.block.get("blocks", []))]

    def make(self, shape):
        keras = self.keras
        self.own = [keras.layers.Dense(shape[-1]), keras.layers.Add()]
        self.own += [keras.layers.LayerNormalization()] if self.block.get("norm") else []

    def run(self, x):
        inner = self.children[0](x)
        if tuple(inner.shape[1:-1]) != tuple(x.shape[1:-1]):
            return inner
        if inner.shape[-1] != x.shape[-1]:
            inner = self.own[0](inner)
        x = self.own[1]([x, inner])
        return self.own[2](x) if len(self.own) > 2 else x


class Parallel(Step):
    def parts(self):
        return [Chain(self.keras, blocks) for blocks in self.block.get("branches", [])]

    def make(self, shape):
        self.own = [self.keras.layers.Concatenate()]

    def run(self, x):
        results = [child(x) for child in self.children]
        return self.own[0](results) if len(results) > 1 else results[0] if results else x


class Shared(Step):
    """One layer that is used twice: on its own result."""

    def takes(self, shape):
        return len(shape) == 2

    def make(self, shape):
        options = {**self.block.get("block", {}), "kind": "dense", "units": shape[-1]}
        name = f"shared_{self.keras.layers.Add().name}"
        self.own = [single.dense(self.keras, options, name=name)]

    def run(self, x):
        return self.own[0](self.own[0](x))


class Nested(Step):
    """A model, or a layer, that holds layers."""

    def parts(self):
        return [Chain(self.keras, self.block.get("blocks", []))]

    def make(self, shape):
        form, keras, chain = self.block.get("form", "model"), self.keras, self.children[0]
        simple = all(isinstance(child, Single) for child in chain.children)
        inputs = keras.Input(shape[1:])
        outputs = chain(inputs)
        if form == "layer":
            self.own = [backend_of(keras).layer_of_layers(chain, self.block.get("blocks", []))]
        elif form == "sequential" and simple and chain.layers:
            self.own = [keras.Sequential([keras.Input(shape[1:]), *chain.fresh().layers])]
        elif chain.layers:
            self.own = [keras.Model(inputs, outputs)]

    def fresh(self):
        other = Nested(self.keras, self.block)
        other.shape = self.shape
        other.make(self.shape)
        other.freeze()
        return other

    @property
    def layers(self):
        return self.own

    def run(self, x):
        return self.own[0](x) if self.own else x


class SqueezeExcite(Step):
    def takes(self, shape):
        return len(shape) == 4

    def make(self, shape):
        layers, channels = self.keras.layers, shape[-1]
        self.own = [
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="relu"),
            layers.Dense(channels, activation="sigmoid"),
            layers.Reshape((1, 1, channels)),
            layers.Multiply(),
        ]

    def run(self, x):
        gate = x
        for layer in self.own[:4]:
            gate = layer(gate)
        return self.own[4]([x, gate])


class SelfAttention(Step):
    def takes(self, shape):
        return len(shape) == 3

    def make(self, shape):
        layers, o = self.keras.layers, self.block
        more = {"dropout": o["dropout"]} if "dropout" in o else {}
        if o["kind"] == "multi_head":
            self.own = [layers.MultiHeadAttention(o.get("heads", 1), 3, **more)]
        else:
            scale = {"use_scale": True} if o.get("scale") or o["kind"] == "additive_attention" else {}
            name = "Attention" if o["kind"] == "attention" else "AdditiveAttention"
            self.own = [getattr(layers, name)(**scale, **more)]

    def run(self, x):
        if self.block["kind"] == "multi_head":
            causal = {"use_causal_mask": True} if self.block.get("causal") else {}
            return self.own[0](x, x, **causal)
        return self.own[0]([x, x])


class ToSequence(Step):
    """The pixels of an image one after the other."""

    def takes(self, shape):
        return len(shape) == 4

    def make(self, shape):
        self.own = [self.keras.layers.Reshape((-1, shape[-1]))]

    def run(self, x):
        return self.own[0](x)


class ToVector(Step):
    """The one or other way from a sequence or an image to a vector."""

    def make(self, shape):
        how, layers = self.block.get("pooling", "average"), self.keras.layers
        if len(shape) == 2:
            self.own = []
        elif how == "flatten" and None not in shape[1:]:
            self.own = [layers.Flatten()]
        elif how == "last" and len(shape) == 3:
            self.own = [layers.GRU(4)]
        else:
            kind = "Max" if how == "max" else "Average"
            self.own = [getattr(layers, f"Global{kind}Pooling{len(shape) - 2}D")()]

    def run(self, x):
        return self.own[0](x) if self.own else x


_COMPOSED = {
    "residual": Residual,
    "parallel": Parallel,
    "shared": Shared,
    "nested": Nested,
    "squeeze_excite": SqueezeExcite,
    "multi_head": SelfAttention,
    "attention": SelfAttention,
    "additive_attention": SelfAttention,
    "to_sequence": ToSequence,
    "to_vector": ToVector,
}


def step(keras, block):
    """The step of a block."""
    return _COMPOSED.get(block["kind"], Single)(keras, block)
