"""What a snapshot costs where variables lie on another device than the host, against one that shares their memory.

The other device is a second logical CPU, which stands in for a GPU: what is counted is the work of asking for the
copies; the transfer over a bus comes on top, and `scripts/gpu_check.py` measures it. Both take turns in one process,
in CPU time, and medians are printed.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from keras_gensynth_callback.lift.adapters.snapshots import snapshot

# The variables of a training: how many, and how many numbers each has.
SIZES = {"convnet": (28, 1_000), "resnet50": (750, 94_000)}


def variables(device, count, size):
    with tf.device(device):
        return [tf.Variable(tf.zeros([size])) for _ in range(count)]


def seconds(task, *arguments):
    started = time.process_time()
    task(*arguments)
    return time.process_time() - started


def measure(name, rounds):
    """Medians of seconds: variables of the host, and of another device."""
    places = [variables(device, *SIZES[name]) for device in ("CPU:0", "CPU:1")]
    for place in places:
        snapshot(place)
    turns = [[seconds(snapshot, place) for place in places] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*turns)]


def main():
    parser = argparse.ArgumentParser(prog="benchmarks/snapshot", description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", choices=[*SIZES, []], help="which; all if none is named")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    print("| variables | shared | copied to the host | ratio |\n| --- | --- | --- | --- |")
    for name in options.sizes or SIZES:
        shared, copied = measure(name, options.rounds)
        count, size = SIZES[name]
        of = f"{name}: {count}, {4 * count * size / 1e6:.1f} MB"
        print(f"| {of} | {1e3 * shared:.2f} ms | {1e3 * copied:.2f} ms | {copied / shared:.1f} |", flush=True)


if __name__ == "__main__":
    main()
