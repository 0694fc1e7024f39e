"""Whether something can be made at a path, asked before a history is read."""

import os
from pathlib import Path

UNFINISHED = ".unfinished"  # at least as long as what is appended to a name while its file or folder is written


def hindrance(path: Path) -> str:
    """Why nothing can be made there; empty where something can.

    >>> hindrance(Path("/dev/null/run"))
    '/dev/null is no folder'
    >>> hindrance(Path("/tmp/" + "a" * 300))
    'File name too long'
    """
    if why := _refused_name(path):
        return why
    # A link to nothing is there, and no folder can be made in its place.
    there = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} is not writable"


def _refused_name(path: Path) -> str:
    """What the system has against the name itself; that nothing is there yet is as it should be."""
    try:
        (path.parent / (path.name + UNFINISHED)).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return error.strerror or str(error)
    return ""
