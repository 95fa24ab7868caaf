"""What stands in an HDF5 file: values, and nothing that leads out of the file or grows without bounds.

HDF5 has links to other files, datasets that are stored in other files or made of others, filters that are loaded as
libraries, and datasets of any size that are not stored at all. Keras writes none of them.
"""

from keras_gensynth_callback.errors import ModelFileError, UnsafeModelFileError

from .bounds import check_content, largest_content
from .chunks import check_chunks

_DEEPEST = 100
# deflate, shuffle, fletcher32 and lzf, which h5py has built in. Others are looked for in a folder of plug-ins.
_FILTERS = (1, 2, 3, 32000)


def check_hdf5(path, source, size):
    """Refuses an HDF5 file with anything in it that Keras does not write.

    Args:
        path: str, for messages.
        source: str, or a file object.
        size: int, of the file.

    Returns:
        How many bytes of values it holds.

    Raises:
        ModelFileError: it is damaged, or asks for more than its size can mean.
        UnsafeModelFileError: it leads to other files.
    """
    import h5py

    with h5py.File(source, "r") as file:
        return _Checker(path, size).check(file)


class _Checker:
    def __init__(self, path, size):
        self._path, self._size = path, size
        self._seen, self._content = set(), 0

    def check(self, file):
        import h5py

        waiting = [(file["/"], 0)]
        self._see(waiting[0][0])
        while waiting:
            group, depth = waiting.pop()
            if depth > _DEEPEST:
                raise self._damaged(f"its groups are nested more than {_DEEPEST} levels deep")
            self._check_attributes(group)
            for name in group:
                self._check_link(group, name)
                member = group[name]
                self._see(member)
                if isinstance(member, h5py.Group):
                    waiting.append((member, depth + 1))
                elif isinstance(member, h5py.Dataset):
                    self._check_attributes(member)
                    self._check_dataset(member)
                else:
                    raise self._damaged(f"{member.name!r} is neither a group nor a dataset")
        return self._content

    def _check_link(self, group, name):
        import h5py

        link = group.get(name, getlink=True)
        if isinstance(link, h5py.HardLink):
            return
        place = f"{group.name.rstrip('/')}/{name}"
        if isinstance(link, h5py.SoftLink):
            raise self._damaged(f"{place!r} is a link to {link.path!r}")
        raise self._outside(f"{place!r} is a link to the file {getattr(link, 'filename', '')!r}")

    def _see(self, member):
        import h5py

        address = h5py.h5o.get_info(member.id).addr
        if address in self._seen:
            raise self._damaged(f"{member.name!r} stands in it twice")
        self._seen.add(address)

    def _check_dataset(self, dataset):
        properties = dataset.id.get_create_plist()
        if properties.get_external_count():
            files = [properties.get_external(n)[0] for n in range(properties.get_external_count())]
            words = ", ".join(file.decode("utf-8", "replace") for file in files)
            raise self._outside(f"the values of {dataset.name!r} are stored in {words!r}")
        if getattr(dataset, "is_virtual", False):
            raise self._outside(f"{dataset.name!r} is made of datasets of other files")
        filters = [properties.get_filter(n)[0] for n in range(properties.get_nfilters())]
        if not set(filters) <= set(_FILTERS):
            raise self._damaged(f"{dataset.name!r} is compressed in a way that needs a plug-in")
        # bfloat16 is stored as two bytes without a type.
        if dataset.dtype.kind not in "biufcSV" or dataset.dtype.fields or dataset.dtype.subdtype:
            raise self._damaged(f"{dataset.name!r} has the type {dataset.dtype}, and should hold numbers")
        check_chunks(self._path, dataset, filters)
        shapes = filter(None, (dataset.shape or (), dataset.chunks))
        self._content += max([_product(shape) for shape in shapes] or [1]) * dataset.dtype.itemsize
        check_content(self._path, self._content, self._size)

    def _check_attributes(self, member):
        from h5py import h5t

        for name in member.attrs:
            attribute = member.attrs.get_id(name)
            kind = attribute.get_type()
            is_text = isinstance(kind, h5t.TypeStringID)
            if is_text and kind.is_variable_str():
                self._check_texts(member, name, attribute.get_space().get_simple_extent_npoints())
            if not is_text and not isinstance(kind, (h5t.TypeIntegerID, h5t.TypeFloatID, h5t.TypeEnumID)):
                raise self._damaged(f"the attribute {name!r} of {member.name!r} is neither text nor numbers")

    def _check_texts(self, member, name, count):
        """Refuses an attribute of more texts than the file has place for: all may stand at one place of it."""
        if count * self._size > largest_content(self._size):
            raise self._damaged(f"the attribute {name!r} of {member.name!r} has {count} texts of any length")

    def _outside(self, problem):
        return UnsafeModelFileError(
            f"Reading {self._path!r} would read other files of this machine: {problem}. Expected: a file that holds "
            "all of its values, as Keras writes it. Save the model again; or, if you trust whoever wrote the file, "
            "pass `safe_mode=False`."
        )

    def _damaged(self, problem):
        return ModelFileError(
            f"{self._path!r} is truncated or damaged: {problem}. Expected: an HDF5 file as Keras writes it. Take "
            "another copy of it, or save the model again."
        )


def _product(shape):
    result = 1
    for size in shape:
        result *= int(size)
    return result
