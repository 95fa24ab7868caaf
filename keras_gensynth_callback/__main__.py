"""`python -m keras_gensynth_callback`: the command line."""

from keras_gensynth_callback.cli import main

if __name__ == "__main__":
    main()
