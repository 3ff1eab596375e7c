"""The place of a journal, before it is opened: found or made, or refused.

Nothing but SQLite may open or close a journal that exists, nor its -wal and -shm: on POSIX, closing
any descriptor of a file drops all locks that the process has on it. So all is found out by stat.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from mailkit.bulk.journal import forks
from mailkit.bulk.journal.sqlite import mounts, witness
from mailkit.errors import JournalError
from mailkit.remedies import remedy

__all__ = ["elsewhere", "find", "gone"]


def elsewhere() -> str:
    """The remedy for a place that won't do."""
    return remedy(
        "pass another path, or set MAILKIT_JOURNAL",
        "choose another place with --journal or MAILKIT_JOURNAL",
    )


def find(path: Path, *, create: bool) -> os.stat_result:
    """The file at this resolved path, made if it isn't there, readable by its owner alone.

    JournalError if there is none and none may be made, or if a journal can't be there.
    """
    try:
        if not create and not path.exists():
            raise JournalError(f"there is no journal at {path}: a send creates one; {elsewhere()}")
        _refuse_leftovers(path)
        _make(path)
        _refuse_leftovers(path)  # it may have been moved away since, and an empty one made here
        found = path.lstat()
    except OSError as error:
        why = error.strerror or str(error)
        if isinstance(error, NotADirectoryError) or error.filename == str(path.parent):
            why = f"{path.parent} is not a folder"
        raise _unusable(path, f"{why}; {elsewhere()}") from error
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, f"it is not a regular file; {elsewhere()}")
    if found.st_nlink != 1:
        raise _unusable(
            path,
            f"it has {found.st_nlink} names (hard links), and each would get a -wal of its own; "
            "remove the others",
        )
    if (found.st_dev, found.st_ino) in forks.inherited:
        raise _unusable(
            path,
            "this process was forked while it was open, and has no locks on it; "
            "open it in a process of its own (in multiprocessing: spawn, not fork)",
        )
    return found


def _refuse_leftovers(path: Path) -> None:
    """SQLite would delete the -wal of a journal that was moved away, and the last of its takes."""
    if _size(path):
        return
    testimony = witness.read(witness.place(path))
    left = [witness.place(path)] if testimony is not None and testimony.last else []
    if _size(wal := path.with_name(path.name + "-wal")):
        left.append(wal)
    # Another process that is making the journal writes to it before it writes to these.
    if left and not _size(path):
        raise gone(path, left[0])


def gone(path: Path, left: Path) -> JournalError:
    """The refusal to begin an empty journal where another one has left something."""
    return _unusable(
        path,
        f"it is gone, but {left} is still there; put the journal back, or remove {left.name} "
        "too, to start with an empty one",
    )


def _make(path: Path) -> None:
    """Make the file and its folders. SQLite gives its own files the same mode."""
    for folder in reversed(path.parents):  # with parents=True they would get the umask's mode
        folder.mkdir(mode=0o700, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        table = mounts.MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        if fault := mounts.fault_of(path, path.parent.stat().st_dev, table):
            raise _unusable(path, f"{fault}; {elsewhere()}")
    forks.watch()
    with forks.guard, contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _unusable(path: Path, why: str) -> JournalError:
    return JournalError(f"the journal {path} can't be opened: {why}")
