"""The witness: a small file on each machine, with what it knows of the requests of a journal.

A copy of the server's files that is put back, or started as a second server, looks like the server
itself; and so does the database if its rows alone are restored. But it has forgotten requests, and
calls planned what may have been sent since. So each take is noted here, after its commit and before
the request's first byte, and so are permits of long quotas. Whenever the journal is opened, and
every few seconds while it is, the last takes of all machines are noted, too. A journal without one
of these is an older one. Since commits follow each other, the last few will do.

A person's word begins a new history of the journal, which is named after its time. After ``--adopt
older`` all that could be missing is in doubt. After ``--adopt latest`` nothing is said to be
missing from the histories before, its ancestors: so their takes must be there. A journal of an
earlier history than was seen, on whichever server, is an older one, too: the original of a copy
that is in use.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
import threading
import time
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

import attrs

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.locks import alone
from mailkit.bulk.journal.records import Adopt
from mailkit.bulk.journal.restoring import words_for
from mailkit.bulk.journal.state import state_folder
from mailkit.errors import JournalError

__all__ = [
    "KEPT",
    "Gap",
    "Lineage",
    "Mark",
    "Witness",
    "last_known",
    "lineage",
    "missing",
    "place_of",
]

KEPT = 16
"""So many takes of a history are kept: more than a process commits at the same time."""
LONGEST = 32_768
"""Bytes of the file; then what need not be kept is removed."""
_LOOKS, _LOOK_SECONDS = 5, 0.02
_LINE = re.compile(
    rb"(\S{1,60}) ([0-9a-f]{16}) (\d{1,15}) (\d{1,15}) (\d{1,15}) (\d{1,12}\.\d{1,9});", re.ASCII
)
_log = logging.getLogger("mailkit.journal")


@attrs.frozen
class Mark:
    """A chunk that was taken: for so many ``times`` by then, and when (seconds since 1970); in a
    ``history`` of the journal, on a ``system``, which is a server and a database in it. Without a
    ``job``, the ``chunk`` is an account, which had so many grants of permits by then; without that,
    too, all that is known is the history.
    """

    system: str
    history: str
    job: int = 0
    chunk: int = 0
    times: int = 0
    at: float = 0.0

    def is_in(self, takes: float, started: float | None) -> bool:
        """Whether this take is among those of the chunk: so many, the last one then."""
        return takes > self.times or (takes == self.times and started in (None, self.at))


@attrs.frozen
class Gap:
    """What a journal is known to lack: a ``mark``, on this machine or that of the name ``by``; or,
    without one, what came after a person's word.
    """

    mark: Mark | None = None
    by: str = ""

    def __str__(self) -> str:
        if self.mark is None:
            return "it predates an --adopt that this machine knows of"
        who = f"the machine {self.by}" if self.by else "this machine"
        if not self.mark.job:
            return f"it lacks permits of a quota that {who} knows of"
        at = datetime.fromtimestamp(self.mark.at, UTC)
        return f"it lacks a request that {who} knows of, from {at:%Y-%m-%d %H:%M:%S} UTC"

    def line(self, machine: str) -> str:
        """As the journal itself keeps it, for all machines; empty for a person's word, which may be
        about another copy.
        """
        return "" if self.mark is None else f"{machine}{_text([self.mark]).decode()}"

    @classmethod
    def of(cls, line: str | None) -> Gap | None:
        """What the journal keeps; None: it lacks nothing."""
        if line is None:
            return None
        machine, _, text = line.partition("\n")
        found = _parsed(text.encode())
        return cls(found[0] if found else None, machine)


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
    if "history" not in found:
        raise JournalError("its tables are not complete: a backup may be being restored")
    return Lineage(system, found["history"], found.get("ancestors", "").split())


def last_known(db: Connection, system: str) -> list[Mark]:
    """The history, the last takes, by whomever, and how many grants each account has had."""
    history = lineage(db, system).history
    accounts = db.execute("SELECT 0, id, granted FROM accounts WHERE granted > 0").fetchall()
    takes = db.execute(
        "SELECT job, n, takes, started FROM chunks WHERE started > 0 AND takes > 0 "
        "ORDER BY started DESC LIMIT ?",
        (KEPT,),
    ).fetchall()
    return [Mark(system, history, *one) for one in ((), *accounts, *reversed(takes))]


def missing(
    db: Connection, found: Lineage, known: Collection[Mark], *, is_latest: bool = False
) -> Gap | None:
    """Why the journal is older than what is known of it; None if it isn't. By a person's word it
    ``is_latest``: then a later history counts only if it was seen at this system.
    """
    systems = {one.system for one in known if one.history > found.history}
    if found.system in systems or (systems and not is_latest):
        return Gap()
    whole = {found.history, *found.ancestors}
    for one in reversed([*known]):
        if (one.job or one.chunk) and one.history in whole and not _has(db, one):
            return Gap(one)
    return None


def _has(db: Connection, one: Mark) -> bool:
    """Whether it was: a chunk that a copy has handed out itself was taken at another time."""
    if not one.job:
        found = db.execute("SELECT granted FROM accounts WHERE id = ?", (one.chunk,)).fetchone()
        return found is not None and found[0] >= one.times
    found = db.execute(
        "SELECT takes, started FROM chunks WHERE job = ? AND n = ?", (one.job, one.chunk)
    ).fetchone()
    return found is not None and one.is_in(*found)


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
        """The last take that this process knows of: the journal must have it at each step."""
        self._own: tuple[Mark, ...] = ()
        self._guard = threading.Lock()
        if place is None:
            self.trouble = "this user has no home directory: set XDG_STATE_HOME"

    def read(self) -> Collection[Mark]:
        """What is known by now, other processes' knowledge included."""
        with self._guard:
            if self.place is None:
                return self._own
            try:
                text = _text_of(self.place)
            except (FileNotFoundError, NotADirectoryError):
                return self._own
            except OSError as error:
                is_denied = isinstance(error, PermissionError)
                raise JournalError(
                    f"{self.place} can't be read: {error.strerror}. It tells what this machine has "
                    + (
                        "sent: make it and its folder readable and writable for this user"
                        if is_denied
                        else "sent: remove what is in its place"
                    )
                ) from error
            known = dict.fromkeys(_parsed(text))
            if not known:
                raise JournalError(
                    f"{self.place} is damaged, and can't tell whether the journal is the latest. "
                    "If the database was not restored from a copy, remove that file; if it was, "
                    f"open the journal once with {words_for(Adopt.OLDER)}"
                )
            return _kept([*known, *(one for one in self._own if one not in known)])

    def own(self) -> Collection[Mark]:
        """What this process has noted."""
        with self._guard:
            return self._own

    def forget(self) -> None:
        """Remove what is known, be the file damaged: a person has said that it is to be doubted."""
        with self._guard, contextlib.suppress(OSError):
            self._own, self.last = (), None
            if self.place is not None:
                self.place.unlink(missing_ok=True)

    def learn(self, gap: Gap) -> None:
        """Note what another machine has said that the journal lacks."""
        if gap.by and gap.mark is not None:
            self.note([gap.mark])

    def note(self, marks: Sequence[Mark], *, known: Collection[Mark] = ()) -> None:
        """These were taken, and what follows relies on it; some may be ``known`` to the file."""
        with self._guard:
            new = [one for one in marks if one not in self._own]
            if not new:
                return
            self._own = _kept([*self._own, *new])
            self.last = next((one for one in reversed(new) if one.job), self.last)
            with self._telling():
                unknown = [one for one in new if one not in known]
                if self.place is not None and unknown:
                    _append(self.place, unknown)

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


def _text_of(place: Path) -> bytes:
    """All of the file; who makes it writes to it at once."""
    for _ in range(_LOOKS):
        with _opened(place, os.O_RDONLY) as file:
            if text := file.read():
                return text
        time.sleep(_LOOK_SECONDS)
    return b""


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
    descriptor = os.open(place, flags | getattr(os, "O_NONBLOCK", 0), 0o600)  # it may be a pipe
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "Not a regular file")
    shared = flags == os.O_RDONLY
    with (
        os.fdopen(descriptor, "rb" if shared else "r+b", buffering=0) as file,
        alone(descriptor, shared=shared),
    ):
        yield file


def _kept(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """The last takes of each history, in their order, and the last word of each account."""
    takes = defaultdict[tuple[str, str], deque[Mark]](lambda: deque(maxlen=KEPT))
    accounts: dict[tuple[str, str, int], Mark] = {}
    for one in marks:
        if one.job:
            takes[one.system, one.history].append(one)
        else:
            accounts[one.system, one.history, one.chunk] = one
    return (*accounts.values(), *(one for some in takes.values() for one in some))


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
