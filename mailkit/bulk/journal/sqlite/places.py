"""What a journal's place lacks: permission to write there, or room for SQLite's temporary files."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["has_temporary_folder", "is_writable", "why_not_writable"]

_LOOK = "only status, report, suppress list, journal info and journal backup work there"


def is_writable(path: Path) -> bool:
    """Whether the journal at this path, and files next to it, can be written."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)


def why_not_writable(path: Path) -> str | None:
    """Why the journal can't be written where it is, and what can be done all the same."""
    if is_writable(path):
        return None
    if hasattr(os, "ST_RDONLY") and os.statvfs(path.parent).f_flag & os.ST_RDONLY:
        why = "it is on a read-only file system"
    else:
        why = "this user needs permission to write to it and its folder"
    if os.path.lexists(f"{path}-wal") and not os.path.lexists(f"{path}-shm"):
        return f"{why}, and its -wal file has no -shm file: open it once where it is writable"
    return f"{why}: {_LOOK}"


def has_temporary_folder() -> bool:
    """Whether SQLite finds a folder for its temporary files by itself, where it looks for one."""
    named = (os.environ.get(name, "") for name in ("SQLITE_TMPDIR", "TMPDIR"))
    folders = [*named, "/var/tmp", "/usr/tmp", "/tmp", "."]  # noqa: S108 - SQLite's own list
    usable = (folder for folder in folders if folder and Path(folder).is_dir())
    return os.name == "nt" or any(os.access(folder, os.W_OK | os.X_OK) for folder in usable)
