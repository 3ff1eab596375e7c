"""A folder for temporary files."""

from __future__ import annotations

import tempfile

from mailkit.errors import InvalidArgument

__all__ = ["temporary_folder"]


def temporary_folder(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """A new one, removed at the end of its ``with``; InvalidArgument if none can be made."""
    try:
        return tempfile.TemporaryDirectory(prefix=prefix)
    except OSError as error:
        why = "there is no folder for temporary files"
        if not isinstance(error, FileNotFoundError):
            why = f"the folder for temporary files can't be used ({error.strerror})"
        raise InvalidArgument(f"{why}: set TMPDIR to one that is writable") from error
