"""The exporter of a training in this process."""

from keras_gensynth_callback.export import Exporter, sample_of_weights
from keras_gensynth_callback.lift import check_environment

from .preparation import Preparation


class PreparationHere(Preparation):
    """For models on TensorFlow."""

    def check(self, model):
        check_environment(model)

    def new_exporter(self, model):
        return Exporter(model, self.options)

    def sample(self, model):
        return sample_of_weights(model)
