"""Models of other libraries: exported beside the library, replayed in TensorFlow 1.15 and compared with Keras.

`environments` makes virtual environments; a module for each library (`catalogue`) has its models, `cases` what they are
made with; `program` runs there, with the harness of the coverage suite; `table` writes docs/libraries.md.
"""
