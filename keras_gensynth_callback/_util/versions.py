"""Versions of what is installed, told without importing it."""

import sys


def installed_version(name):
    """The version of a distribution, a str, or None where it is not installed."""
    if sys.version_info >= (3, 8):
        from importlib import metadata
    else:
        import importlib_metadata as metadata
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
