"""The witness: a small file on each machine that knows how far the journal had come there.

A copy of the server's files that is put back, or started as a second server, looks like the server
itself; and so does the database after ``pg_restore --clean``. But it has forgotten commits, and
calls planned what may have been sent since. So each durable commit has a number, from a sequence.
Before the first byte of a request, the number of the commit that took its chunk is noted here, and
so is that of whoever joins a job; the number counts what others have committed, too. A journal
that has not come as far is an older one.

A person may say that it is (``--adopt older``): that begins a new history, which is named after
its time. A journal of an earlier history than was seen here is an older one, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections.abc import Collection, Iterable, Iterator
from io import FileIO
from pathlib import Path

import attrs

from mailkit.bulk.journal.connection import Connection
from mailkit.bulk.journal.locks import alone
from mailkit.bulk.journal.state import state_folder

__all__ = ["Mark", "Witness", "lacking", "last_mark", "outrun", "place_of"]

_LINE = re.compile(rb"(\S{1,60}) ([0-9a-f]{16}) (\d{19})", re.ASCII)
_log = logging.getLogger("mailkit.journal")


@attrs.frozen(order=True)
class Mark:
    """How far a journal has come: the number of a commit, in one ``history`` of it, on the
    ``system``, which is the server and the database in it. Of one system, the later is the higher.
    """

    system: str
    history: str
    commit: int


def last_mark(db: Connection, system: str) -> Mark:
    """How far the journal has come that this connection leads to."""
    history, commit = db.execute(
        "SELECT (SELECT value FROM meta WHERE key = 'history'), last_value FROM commits"
    ).fetchone()
    return Mark(system, str(history), int(commit))


def lacking(known: Collection[Mark], found: Mark) -> str | None:
    """Why a journal that has come as far as this is older than what is known; None if it isn't."""
    last = max((one for one in known if one.system == found.system), default=found)
    if last.history > found.history:
        return "it is as it was before a person said, with --adopt older, how it goes on"
    if last.history == found.history and last.commit > found.commit:
        return f"it lacks {_changes(last.commit - found.commit)}"
    return None


def outrun(known: Collection[Mark], found: Mark) -> str | None:
    """Why a copy is not the latest, wherever its original was; None if nothing is known of that."""
    last = max((one.commit for one in known if one.history == found.history), default=0)
    return f"it lacks {_changes(last - found.commit)}" if last > found.commit else None


def _changes(number: int) -> str:
    return f"the last {number:,} changes" if number > 1 else "the last change"


def place_of(journal: str) -> Path | None:
    """Where the witness of the journal with this id is; None: this user has no place for it."""
    folder = state_folder()
    return None if folder is None else folder / "witnesses" / journal


class Witness:
    """What this machine knows of one journal. Without a file, that is what this process knows."""

    def __init__(self, place: Path | None) -> None:
        self.place = place
        self.marks: frozenset[Mark] = frozenset()
        self.trouble: str | None = None
        """Why it can't be kept in the file."""
        self._guard = threading.Lock()
        if place is None:
            self.trouble = "this user has no home directory: set XDG_STATE_HOME"

    def read(self) -> frozenset[Mark]:
        """What is known by now, other processes' knowledge included."""
        with self._guard, self._telling():
            if self.place is not None and self.place.exists():
                with _opened(self.place) as file:
                    self.marks = _last(self.marks | _parsed(file.read()))
        return self.marks

    def note(self, mark: Mark) -> None:
        """The journal has come as far as this, and what follows relies on it."""
        with self._guard:
            self.marks = _last(self.marks | {mark})
            with self._telling():
                if self.place is not None:
                    self._write(self.place)

    def _write(self, place: Path) -> None:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(place) as file:
            before = file.read()
            self.marks = _last(self.marks | _parsed(before))
            text = _text(self.marks)
            if text != before:
                file.seek(0)
                file.write(text)  # it is never shorter than before

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


@contextlib.contextmanager
def _opened(place: Path) -> Iterator[FileIO]:
    """The file, which nobody else writes meanwhile; made if there is none."""
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file, alone(descriptor):
        yield file


def _last(marks: Iterable[Mark]) -> frozenset[Mark]:
    """The last mark of each system."""
    return frozenset({one.system: one for one in sorted(marks)}.values())


def _text(marks: Iterable[Mark]) -> bytes:
    """A line for each system; numbers have their full width, so that none gets shorter."""
    lines = (f"{one.system} {one.history} {one.commit:019d}\n" for one in sorted(marks))
    return "".join(lines).encode()


def _parsed(text: bytes) -> frozenset[Mark]:
    """What can be read of the file; a line may be torn if the power has failed."""
    found = (_LINE.fullmatch(line) for line in text.split(b"\n"))
    return frozenset(
        Mark(one[1].decode(), one[2].decode(), int(one[3])) for one in found if one is not None
    )
