"""Versions of what is installed, told without importing it."""


def installed_version(name):
    """The version of a distribution, a str, or None where it is not installed."""
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # Python 3.7
        from importlib_metadata import PackageNotFoundError, version
    try:
        return version(name)
    except PackageNotFoundError:
        return None
