"""How much more memory a training needs at its peak when it saves, by one way: in a process of its own.

python -m benchmarks.memory resnet50 "tf.train.Checkpoint"
"""

import sys
import tempfile

from benchmarks.saving import WAYS, compiled


def main():
    """Prints bytes: the peak of a training that has saved once and saves on, and the peak of the first save, each less
    the peak of one that does not save.
    """
    model, train = compiled(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        way = WAYS[sys.argv[2]](model, folder)
        alone = peak(lambda: train(3))
        first, later = peak(lambda: save_and_train(way, train, 1)), peak(lambda: save_and_train(way, train, 3))
        print(later - alone, first - alone)


def save_and_train(way, train, times):
    for _ in range(times):
        way.save()
        train(2)
        way.finish()


def peak(task):
    """The most resident memory, in bytes, while a task runs (Linux, proc(5): `clear_refs`, `VmHWM`)."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    task()
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
