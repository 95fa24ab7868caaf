"""Model files that Keras wrote, converted into exports. Its way, module by module: `contents` reads what a file says of
its model, `saved_model` the same for folders; `places`, `archive`, `hdf5`, `configs` and `bounds` refuse what leads
elsewhere or asks for too much; `frameworks` has the Keras that wrote it; `references` walks the classes and functions
that the model needs; `missing` and `safety` judge them, by what Keras (`objects`) and TensorFlow (`operations`) have
for models, by `topology` and `counts`; `loading` makes the model within a `budget`, with `building` and `compiled`
where Keras's own loaders do not do it; `convert` exports it.
"""

from keras_gensynth_callback.model_files.contents import read_model_file
from keras_gensynth_callback.model_files.convert import convert_file
from keras_gensynth_callback.model_files.loading import load_model

__all__ = [
    "convert_file",
    "load_model",
    "read_model_file",
]
