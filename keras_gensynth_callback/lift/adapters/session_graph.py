"""The graph of a session that a model lives in: traces are made beside it, values go from and to its session."""

from typing import Any, Dict, List, Tuple

import numpy as np
import tensorflow as tf

from keras_gensynth_callback.compat import function_graph
from keras_gensynth_callback.errors import UnsupportedModelError


class LiveGraph:
    """A session's graph, to which nothing is added.

    Args:
        graph: the tf.Graph.
        get_session: callable, returns the session; called inside of the graph.
    """

    def __init__(self, graph, get_session):
        self.graph, self._get_session = graph, get_session
        self._values = {}

    def read(self, fetched):
        """The values of variables and tensors at this moment, as ndarrays."""
        with self.graph.as_default():
            # What a session fetches of a variable may share its memory, which the next step changes.
            return [np.array(value) for value in self._get_session().run(list(fetched))] if fetched else []

    def write(self, values):
        """Gives variables other values, by the ops that initialise them.

        Args:
            values: list of pairs, variable and ndarray.
        """
        rounds: List[Dict[str, Tuple[Any, Any]]] = []
        for variable, value in values:
            assign = variable.initializer
            source = assign.inputs[1].name
            if all(source in fed for fed in rounds):  # two variables with one initial value are written one by one
                rounds.append({})
            next(fed for fed in rounds if source not in fed)[source] = assign, value
        with self.graph.as_default():
            session = self._get_session()  # which initialises what was not yet
            for fed in rounds:
                session.run(
                    [assign for assign, _ in fed.values()], {source: value for source, (_, value) in fed.items()}
                )

    def function_graph(self, body, specs):
        """A FuncGraph of `body(*tensors)`; see `tf_private.function_graph`."""
        with self.graph.as_default():
            return function_graph(body, specs)

    def value_of(self, tensor, layer_of):
        """The LiveValue of a tensor that a layer made for itself, the same object at each call."""
        if id(tensor) not in self._values:
            self._values[id(tensor)] = LiveValue(tensor, self._value(tensor, layer_of))
        return self._values[id(tensor)]

    def _value(self, tensor, layer_of):
        try:
            return self.read([tensor])[0]
        except tf.errors.InvalidArgumentError as error:
            raise UnsupportedModelError(
                f"The layer `{layer_of(tensor.op.name)}` uses the tensor {tensor.name!r}, which depends on what is fed "
                "to the session and is none of the layer's arguments. Expected variables, constants and the layer's "
                f"own inputs. Hand the tensor to the layer's call. ({str(error).splitlines()[0]})"
            ) from error


class LiveValue:
    """What a tensor of the session's graph was when it was read, in the place of an eager tensor."""

    def __init__(self, tensor, value):
        self._tensor = tensor  # kept, so that its id stays its own
        self._value = np.asarray(value)
        self.dtype, self.shape = tensor.dtype, tf.TensorShape(self._value.shape)

    def numpy(self):
        return self._value

    def read_value(self):
        return self._value
