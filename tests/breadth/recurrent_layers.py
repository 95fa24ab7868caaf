"""How each recurrent layer, and each layer that goes over time steps, gets into a model."""

import tensorflow as tf

from .models import SEQUENCE, around, chain, compiled, floats, on, scale

FRAMES_1D, FRAMES_2D, FRAMES_3D = floats(3, 6, 2), floats(3, 5, 5, 2), floats(2, 4, 4, 4, 2)


def _cell(keras, cls):
    return around(keras, SEQUENCE, keras.layers.RNN(cls(3), return_sequences=True))


def _stacked_cells(keras, cls):
    cells = cls([keras.layers.LSTMCell(3), keras.layers.GRUCell(2)])
    return around(keras, SEQUENCE, keras.layers.RNN(cells))


def _own_cell(keras):
    """A recurrent cell as in Keras's own guide."""

    class Cell(keras.layers.Layer):
        state_size = 3

        def build(self, input_shape):
            self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], 3), initializer="uniform")
            self.recurrent = self.add_weight(name="recurrent", shape=(3, 3), initializer="uniform")
            self.built = True

        def call(self, inputs, states):
            output = tf.matmul(inputs, self.kernel) + tf.matmul(states[0], self.recurrent)
            return output, [output]

    return Cell()


def _abstract_cell(keras, cls):
    class Sum(cls):
        state_size = output_size = 4

        def build(self, input_shape):
            self.decay = self.add_weight(name="decay", shape=(4,), initializer="uniform")
            self.built = True

        def call(self, inputs, states):
            total = inputs + self.decay * states[0]
            return total, [total]

    return around(keras, SEQUENCE, keras.layers.RNN(Sum()))


def _rnn(keras, cls):
    def apply(x):
        return cls(keras.layers.GRUCell(3))(cls(_own_cell(keras), return_sequences=True)(x))

    return around(keras, SEQUENCE, apply)


def _masking(keras, cls):
    x = SEQUENCE.copy()
    x[::2, 3:] = 0.0
    inputs = keras.Input(x.shape[1:])
    hidden = keras.layers.LSTM(3)(cls()(inputs))
    return compiled(keras, keras.Model(inputs, scale(keras)(hidden)), x)


def _bidirectional(keras, cls):
    def apply(x):
        x = cls(keras.layers.LSTM(3, return_sequences=True))(x)
        return cls(keras.layers.GRU(2), merge_mode="sum", backward_layer=keras.layers.GRU(2, go_backwards=True))(x)

    return around(keras, SEQUENCE, apply)


def _time_distributed(keras, cls):
    def apply(x):
        return cls(keras.layers.BatchNormalization())(cls(keras.layers.Conv2D(2, 3, use_bias=False))(x))

    return around(keras, FRAMES_2D, apply)


def _recurrent(x=SEQUENCE, *args, **kwargs):
    """All steps, backwards and unrolled, and then the last step."""
    first = {"return_sequences": True, "go_backwards": True}
    return chain(x, (args, dict(kwargs, **first)), (args, dict(kwargs, unroll=True)))


RECIPES = {
    "AbstractRNNCell": _abstract_cell,
    "Bidirectional": _bidirectional,
    "ConvLSTM1D": on(FRAMES_1D, 2, 3, return_sequences=True),
    "ConvLSTM2D": on(FRAMES_2D, 2, 3),
    "ConvLSTM3D": on(FRAMES_3D, 2, 2),
    "GRU": _recurrent(SEQUENCE, 3),
    "GRUCell": _cell,
    "LSTM": _recurrent(SEQUENCE, 3),
    "LSTMCell": _cell,
    "Masking": _masking,
    "RNN": _rnn,
    "SimpleRNN": _recurrent(SEQUENCE, 3),
    "SimpleRNNCell": _cell,
    "StackedRNNCells": _stacked_cells,
    "TimeDistributed": _time_distributed,
}
