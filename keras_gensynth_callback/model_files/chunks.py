"""The parts of a compressed dataset in HDF5, which may come out larger than they say.

HDF5 inflates a chunk to its end before it compares what came out with the size of the chunk: a file of some kilobytes
may so ask for gigabytes.
"""

import zlib

from keras_gensynth_callback.errors import ModelFileError

_DEFLATE, _LZF = 1, 32000
_CHECK_SUM = 4  # bytes


def check_chunks(path, dataset, filters):
    """Refuses a compressed dataset of which a chunk is larger than it says.

    Args:
        path: str, for messages.
        dataset: h5py.Dataset.
        filters: list of int, the filters that it went through, in that order.

    Raises:
        ModelFileError: it is damaged.
    """
    compressions = [number for number in filters if number in (_DEFLATE, _LZF)]
    if len(compressions) > 1:
        raise _damaged(path, f"{dataset.name!r} is compressed twice")
    # What LZF makes of some bytes is at most a hundred times as much.
    if _DEFLATE not in compressions:
        return
    if not hasattr(dataset.id, "get_num_chunks"):
        raise _damaged(path, f"{dataset.name!r} is compressed, which this version of h5py cannot look at")
    size = dataset.dtype.itemsize
    for length in dataset.chunks:
        size *= length
    for number in range(dataset.id.get_num_chunks()):
        skipped, stored = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(number).chunk_offset)
        if not skipped >> filters.index(_DEFLATE) & 1 and not _inflates_to_at_most(size + _CHECK_SUM, stored):
            raise _damaged(path, f"a chunk of {dataset.name!r} holds more than the {size} bytes that it says")


def _inflates_to_at_most(size, stored):
    # A check sum may follow, which is not looked at.
    return len(zlib.decompressobj().decompress(stored, size + 1)) <= size


def _damaged(path, problem):
    return ModelFileError(
        f"{path!r} is truncated or damaged: {problem}. Expected: an HDF5 file as Keras writes it. Take another copy of "
        "it, or save the model again."
    )
