"""Train steps of a user's own."""

import tensorflow as tf

from .backends import is_keras3


def with_train_step(keras, base, kind):
    """`base`, or a subclass with a `train_step` of one kind."""
    if kind is None:
        return base

    class OwnStep(base):
        def train_step(self, data):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data) if is_keras3(keras) else _unpacked(data)
            with tf.GradientTape() as tape:
                y_pred = self(x, training=True)
                if kind == "twice":
                    again = self(x, training=True)
                    y_pred = tf.nest.map_structure(lambda a, b: 0.5 * (a + b), y_pred, again)
                loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight)
                if kind == "scaled":
                    loss = 0.5 * loss
            variables = self.trainable_variables
            gradients = tape.gradient(loss, [getattr(v, "value", v) if is_keras3(keras) else v for v in variables])
            if kind == "clipped":
                gradients, _ = tf.clip_by_global_norm(gradients, 0.5)
            self.optimizer.apply_gradients(zip(gradients, variables))
            if is_keras3(keras):
                for metric in self.metrics:
                    if metric.name == "loss":
                        metric.update_state(loss)
            return self.compute_metrics(x, y, y_pred, sample_weight)

    return OwnStep


def _unpacked(data):
    data = tuple(data) + (None, None)
    return data[:3]
