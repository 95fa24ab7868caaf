"""A script run as it is, whose `fit` calls export. Neither TensorFlow nor a Keras is imported before the script does.

run_script    the program that runs it
fit_patches   what it patches
"""
