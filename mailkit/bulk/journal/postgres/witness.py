"""The witness: a small file on each machine, with what it knows of the requests of a journal.

A copy of the server's files that is put back, or started as a second server, looks like the server
itself; and so does the database after ``pg_restore --clean``. But it has forgotten requests, and
calls planned what may have been sent since. So each take is noted here, after its commit and before
the request's first byte; whoever joins a job notes its last take, and an open journal, every few
seconds, those of all who send. A journal without one of these takes is an older one. Since commits
follow each other, the last few will do.

A person's word begins a new history of the journal, which is named after its time. After ``--adopt
older`` all that could be missing is in doubt. After ``--adopt latest`` nothing is said to be
missing from the histories before, its ancestors: so their takes must be there. A journal of an
earlier history than was seen at the same server is an older one, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

import attrs

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.locks import alone
from mailkit.bulk.journal.records import ChunkState
from mailkit.bulk.journal.state import state_folder
from mailkit.errors import JournalError

__all__ = ["KEPT", "Lineage", "Mark", "Witness", "lineage", "missing", "place_of", "under_way"]

KEPT = 16
"""So many takes of a history are kept: more than a process commits at the same time."""
LONGEST = 32_768
"""Bytes of the file; then what need not be kept is removed."""
_LINE = re.compile(
    rb"(\S{1,60}) ([0-9a-f]{16}) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,12}\.\d{1,9});", re.ASCII
)
_log = logging.getLogger("mailkit.journal")


@attrs.frozen
class Mark:
    """A chunk that was taken: for so many ``times`` by then, and when (seconds since 1970); in a
    ``history`` of the journal, on a ``system``, which is a server and a database in it. Without a
    ``job``, all that is known is the history.
    """

    system: str
    history: str
    job: int = 0
    chunk: int = 0
    times: int = 0
    at: float = 0.0


@attrs.frozen
class Lineage:
    """The history of a journal, and those before it of which it is said to know everything."""

    system: str
    history: str
    ancestors: Sequence[str] = ()


def lineage(db: Connection, system: str) -> Lineage:
    """That of the journal that this connection leads to."""
    found = dict(
        db.execute("SELECT key, value FROM meta WHERE key IN ('history', 'ancestors')").fetchall()
    )
    return Lineage(system, found["history"], found.get("ancestors", "").split())


def under_way(db: Connection, system: str) -> list[Mark]:
    """The last takes of those who are sending now, whoever that is."""
    found = db.execute(
        "SELECT (SELECT value FROM meta WHERE key = 'history'), job, n, takes, started FROM chunks "
        f"WHERE state = '{ChunkState.SENDING}' AND started IS NOT NULL AND job IN "
        "(SELECT job FROM workers WHERE ended = 0) ORDER BY started DESC LIMIT ?",
        (KEPT,),
    )
    return [Mark(system, *taken) for taken in reversed(found.fetchall())]


def missing(
    db: Connection, found: Lineage, known: Collection[Mark], *, is_latest: bool = False
) -> str | None:
    """Why the journal is older than what is known of it; None if it isn't. By a person's word it
    ``is_latest``: then a history counts only if something was taken in it.
    """
    later = [one for one in known if one.system == found.system and one.history > found.history]
    if any(one.job or not is_latest for one in later):
        return "it is as it was before a person said how it goes on"
    whole = {found.history, *found.ancestors}
    for one in reversed([*known]):
        if one.job and one.history in whole and not _has(db, one):
            at = datetime.fromtimestamp(one.at, UTC)
            return f"it lacks a request that this machine knows of, from {at:%Y-%m-%d %H:%M:%S} UTC"
    return None


def _has(db: Connection, one: Mark) -> bool:
    """Whether the chunk was taken so often, and then: a chunk that a copy has handed out itself was
    taken at another time.
    """
    found = db.execute(
        "SELECT takes, started FROM chunks WHERE job = ? AND n = ?", (one.job, one.chunk)
    ).fetchone()
    if found is None:
        return False
    takes, started = found
    return bool(takes > one.times or (takes == one.times and started in (None, one.at)))


def place_of(journal: str) -> Path | None:
    """Where the witness of the journal with this id is; None: this user has no place for it."""
    folder = state_folder()
    return None if folder is None else folder / "witnesses" / journal


class Witness:
    """What this machine knows of one journal. Without a file, that is what this process knows."""

    def __init__(self, place: Path | None) -> None:
        self.place = place
        self.trouble: str | None = None
        """Why it can't be kept in the file."""
        self.last: Mark | None = None
        """What this process has noted last."""
        self._own: tuple[Mark, ...] = ()
        self._guard = threading.Lock()
        if place is None:
            self.trouble = "this user has no home directory: set XDG_STATE_HOME"

    def read(self) -> Collection[Mark]:
        """What is known by now, other processes' knowledge included."""
        with self._guard:
            if self.place is None or not os.path.lexists(self.place):
                return self._own
            try:
                with _opened(self.place, os.O_RDONLY) as file:
                    text = file.read()
            except OSError as error:
                raise JournalError(
                    f"{self.place} can't be read: {error.strerror}. It knows what this machine has "
                    "sent: make it readable to this user"
                ) from error
            known = dict.fromkeys(_parsed(text))
            if text and not known:
                raise JournalError(
                    f"{self.place} is damaged, and can't tell whether the journal is the latest. "
                    "If its database was not put back from a copy, remove that file"
                )
            return _kept([*known, *(one for one in self._own if one not in known)])

    def note(self, marks: Sequence[Mark]) -> None:
        """These were taken, and what follows relies on it."""
        with self._guard:
            new = [one for one in marks if one not in self._own]
            if not new:
                return
            self._own = _kept([*self._own, *new])
            self.last = new[-1]
            with self._telling():
                if self.place is not None:
                    _append(self.place, new)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """What goes wrong with the file is said once, and holds nobody up."""
        try:
            yield
        except OSError as error:
            if self.trouble is None:
                self.trouble = f"{self.place} can't be used: {error.strerror}"
                _log.warning(
                    "%s; a copy of the server's files that is put back will not be noticed by "
                    "processes that start here",
                    self.trouble,
                )


def _append(place: Path, marks: Sequence[Mark]) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _opened(place, os.O_RDWR | os.O_CREAT) as file:
        if file.seek(0, os.SEEK_END) < LONGEST:
            file.write(_text(marks))
            return
        file.seek(0)
        text = _text(_kept([*_parsed(file.read()), *marks]))
        file.seek(0)
        file.write(text)
        file.truncate()


@contextlib.contextmanager
def _opened(place: Path, flags: int) -> Iterator[FileIO]:
    """The file, which nobody else writes meanwhile."""
    descriptor = os.open(place, flags, 0o600)
    shared = flags == os.O_RDONLY
    with (
        os.fdopen(descriptor, "rb" if shared else "r+b", buffering=0) as file,
        alone(descriptor, shared=shared),
    ):
        yield file


def _kept(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """The last ones of each history, in their order."""
    found = defaultdict[tuple[str, str], deque[Mark]](lambda: deque(maxlen=KEPT))
    for one in marks:
        found[one.system, one.history].append(one)
    return tuple(one for some in found.values() for one in some)


def _text(marks: Iterable[Mark]) -> bytes:
    """A line for each. It begins with the line's end: the line before may be torn."""
    return b"".join(
        f"\n{one.system} {one.history} {one.job} {one.chunk} {one.times} {one.at:.9f};".encode()
        for one in marks
    )


def _parsed(text: bytes) -> list[Mark]:
    """What can be read of the file; a line that is torn counts for nothing."""
    return [
        Mark(
            found[1].decode(),
            found[2].decode(),
            int(found[3]),
            int(found[4]),
            int(found[5]),
            float(found[6]),
        )
        for found in map(_LINE.fullmatch, text.split(b"\n"))
        if found is not None
    ]
