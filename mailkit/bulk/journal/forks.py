"""What a forked child must leave alone: its parent's journals and locks.

A child has its parent's SQLite connections in its memory, and with them locks that the system does
not know it by: whatever it wrote, and be it through a connection of its own to the same file, would
be unprotected; closing one could remove a -wal that is in use. And an flock belongs to the open
file, which both have: a child that lives on would keep its dead parent's lock.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import threading

__all__ = ["Identity", "descriptors", "guard", "inherited", "keep", "let_go", "watch"]

Identity = tuple[int, int]
"""A file's device and inode."""

guard = threading.RLock()
"""Held by whoever opens a file, until it is noted here; a fork waits for it."""
descriptors: set[int] = set()
"""Of the locks that this process holds."""
inherited: set[Identity] = set()
"""The journals that were open when this process was forked."""
_connections: dict[int, tuple[sqlite3.Connection, Identity]] = {}


def keep(db: sqlite3.Connection, file: Identity) -> None:
    """Note an open connection; the caller holds the guard."""
    _connections[id(db)] = db, file


def let_go(db: sqlite3.Connection) -> None:
    """Forget a connection that is closed."""
    _connections.pop(id(db), None)


@functools.cache
def watch() -> None:
    """Be told of forks from now on."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=guard.acquire, after_in_parent=guard.release, after_in_child=_in_child
        )


def _in_child() -> None:
    for descriptor in descriptors:
        os.close(descriptor)  # not unlocked: that would end the parent's lock
    descriptors.clear()
    inherited.update(file for _, file in _connections.values())
    guard.release()  # the connections stay noted, so that nothing closes them
