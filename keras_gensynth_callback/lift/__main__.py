"""`python -m keras_gensynth_callback.lift`: lists the passes over graphs."""

from .passes import listed

if __name__ == "__main__":
    print(listed())
