"""When a file was made: what no copy of it shares, whatever its inode.

Python has no call for it, so this asks the C library: statx, since Linux 4.11 and glibc 2.28.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

__all__ = ["born"]

_HERE, _NO_FOLLOW, _BIRTH = -100, 0x100, 0x800
_MASK, _TIME = struct.Struct("=I"), struct.Struct("=qI")
_TIME_AT = 80  # in struct statx


def born(path: Path) -> int:
    """Nanoseconds since 1970; 0 where neither the system nor the file system can say."""
    try:
        statx = ctypes.CDLL(None).statx
    except (AttributeError, OSError, TypeError):  # another system, or an old C library
        return 0
    found = ctypes.create_string_buffer(256)
    if statx(_HERE, os.fsencode(path), _NO_FOLLOW, _BIRTH, found):
        return 0
    (known,) = _MASK.unpack_from(found)
    if not known & _BIRTH:
        return 0
    seconds, nanoseconds = _TIME.unpack_from(found, _TIME_AT)
    return int(seconds * 1_000_000_000 + nanoseconds)
