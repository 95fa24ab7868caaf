"""The process that exports models of Keras on another backend, for the program that trains them (`companion`). Keras
runs on TensorFlow here.

program     reads questions, a line each, and answers them, until its input ends
answers     what it can be asked
rebuilding  makes the model of a description, and gives it values
own_objects     the classes and functions of the program that trains, its `__main__` included
other_backends  says which layer calls another backend by itself
nests       shapes and types from JSON
"""
