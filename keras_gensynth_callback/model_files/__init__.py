"""Model files that Keras wrote, converted into exports. Its way, module by module: `contents` reads what a file says of
its model, `saved_model` the same for folders; `frameworks` has the Keras that wrote it; `references` walks the classes
and functions that the model needs; `missing` and `safety` judge them; `loading` makes the model, with `building` and
`compiled` where Keras's own loaders do not do it; `convert` exports it.
"""

from .convert import convert_model_file

__all__ = ["convert_model_file"]
