"""What the models of all libraries are made with."""

import numpy as np

SAMPLES, BATCH, WORDS = 12, 6, 48


def draw(seed=0):
    return np.random.RandomState(seed)


def words(length=10, seed=0):
    """Numbers of words, none of them one of the first four, which often mean something else."""
    return draw(seed).randint(4, WORDS, (SAMPLES, length)).astype("int32")


def mask(length=10):
    """1 for the words of each text, 0 for what fills it up."""
    return (np.arange(length) < 4 + np.arange(SAMPLES)[:, None] % (length - 3)).astype("int32")


def floats(*shape, seed=1):
    return draw(seed).standard_normal((SAMPLES, *shape)).astype("float32")


def portions(*shape, seed=1):
    """Numbers from 0 to 1, as those of a picture."""
    return draw(seed).uniform(size=(SAMPLES, *shape)).astype("float32")


def classes(*shape, high=2, seed=2):
    return draw(seed).randint(0, high, (SAMPLES, *shape)).astype("int32")


def case(model, x, y, **more):
    """The case of a model that is compiled."""
    return {"model": model, "x": x, "y": y, "batch": BATCH, "rounding": float(np.finfo("f4").eps), **more}


def classified(keras, model, x, y, logits=True, optimizer=None, **more):
    """The case of a model, compiled here, that tells classes: by default by what a softmax takes."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=logits)
    # Plain SGD: in front of a normalisation a gradient is 0 plus noise, which Adam would turn into steps.
    model.compile(optimizer or keras.optimizers.SGD(1e-2), loss, **more)
    return case(model, x, y)


def regressed(keras, model, x, y=None, optimizer=None, loss="mse", **more):
    """The same of one that tells numbers; without `y` those are random ones, one for each sample."""
    model.compile(optimizer or keras.optimizers.SGD(1e-2), loss, **more)
    return case(model, x, floats(1, seed=9) if y is None else y)
