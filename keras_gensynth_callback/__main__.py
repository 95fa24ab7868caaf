"""`python -m keras_gensynth_callback`: the command line."""

from .cli import main

if __name__ == "__main__":
    main()
