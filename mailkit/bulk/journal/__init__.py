"""The journal: one file or database that knows every row of every job, and what became of it.

It is written before a request's first byte and after its response, so that after any crash it alone
tells who was handed to a provider, who was not, and whose fate is in doubt.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal, Self

import anyio.to_thread

from mailkit.bulk.journal.addresses import check_address, is_address
from mailkit.bulk.journal.calls import HandlerCall, HandlerCalls
from mailkit.bulk.journal.cancelling import Cancelling
from mailkit.bulk.journal.chunks import Chunks
from mailkit.bulk.journal.details import Details, Failure
from mailkit.bulk.journal.events import Events, HandlersOf, Recorded
from mailkit.bulk.journal.forgetting import ForgetResult, Forgetting
from mailkit.bulk.journal.info import JournalInfo, read_info
from mailkit.bulk.journal.jobs import Jobs, Overtaken, Twin, WhenPlanned
from mailkit.bulk.journal.keeping import Keeper
from mailkit.bulk.journal.ledger import Account, Ledger
from mailkit.bulk.journal.liveness import WorkerDead
from mailkit.bulk.journal.merging import MergeResult
from mailkit.bulk.journal.narrowing import Narrowing
from mailkit.bulk.journal.permits import RECIPIENTS, LedgerPermits
from mailkit.bulk.journal.planning import InvalidRecord, PlannedRow, Planning
from mailkit.bulk.journal.presence import Presence, WorkerInfo
from mailkit.bulk.journal.pruning import PruneResult, Pruning
from mailkit.bulk.journal.records import (
    Adopt,
    ChunkRecord,
    ChunkState,
    Counts,
    JobRecord,
    JobState,
    Later,
    RowRecord,
    RowState,
    Stopped,
    Ticket,
    Worker,
)
from mailkit.bulk.journal.reports import LeftBehind, OtherJob, Reports, Snapshot
from mailkit.bulk.journal.resolving import Chosen, ReplanResult, Resolving
from mailkit.bulk.journal.sqlite.finding import elsewhere
from mailkit.bulk.journal.sqlite.opening import Connector, version_at
from mailkit.bulk.journal.sqlite.places import is_writable
from mailkit.bulk.journal.sqlite.store import (
    READ,
    WRITE,
    Executor,
    InlineExecutor,
    SqliteStore,
    ThreadExecutor,
)
from mailkit.bulk.journal.state import state_folder
from mailkit.bulk.journal.statuses import DueChunk, Statuses
from mailkit.bulk.journal.store import outcome
from mailkit.bulk.journal.suppressions import Suppression, Suppressions
from mailkit.bulk.journal.tasks import Taken
from mailkit.bulk.journal.workers import Workers
from mailkit.core.arguments import checked
from mailkit.core.clock import Clock
from mailkit.core.quota import Limited
from mailkit.errors import InvalidArgument, JournalError
from mailkit.extras import needed

__all__ = [
    "RECIPIENTS",
    "Account",
    "Adopt",
    "Chosen",
    "ChunkRecord",
    "ChunkState",
    "Counts",
    "Details",
    "DueChunk",
    "Executor",
    "Failure",
    "ForgetResult",
    "HandlerCall",
    "HandlersOf",
    "InlineExecutor",
    "InvalidRecord",
    "JobRecord",
    "JobState",
    "Journal",
    "JournalInfo",
    "Later",
    "LedgerPermits",
    "LeftBehind",
    "MergeResult",
    "OtherJob",
    "Overtaken",
    "PlannedRow",
    "Presence",
    "PruneResult",
    "Recorded",
    "ReplanResult",
    "RowRecord",
    "RowState",
    "Snapshot",
    "Stopped",
    "Suppression",
    "Taken",
    "Ticket",
    "Twin",
    "WhenPlanned",
    "Worker",
    "WorkerDead",
    "WorkerInfo",
    "check_address",
    "check_shared",
    "default_place",
    "is_address",
]


def default_place() -> str | Path:
    """``MAILKIT_JOURNAL``, else ``journal.db`` in the user's state directory."""
    if named := os.environ.get("MAILKIT_JOURNAL"):
        return named
    if (folder := state_folder()) is not None:
        return folder / "journal.db"
    raise JournalError(f"this user has no home directory for a journal; {elsewhere()}")


class Journal:
    """One journal, open. Its parts are named after what they are asked for."""

    __how__: ClassVar = "an open Journal, as from await Journal.open(path)"

    def __init__(self, db: Keeper) -> None:
        if isinstance(db, str | Path):
            raise InvalidArgument("a journal is opened: await Journal.open(path)")
        self._db = db
        self.jobs = Jobs(db)
        self.planning = Planning(db)
        self.workers = Workers(db)
        self.chunks = Chunks(db)
        self.narrowing = Narrowing(db)
        self.statuses = Statuses(db)
        self.reports = Reports(db)
        self.resolving = Resolving(db)
        self.cancelling = Cancelling(db)
        self.suppressions = Suppressions(db)
        self.events = Events(db)
        self.handler_calls = HandlerCalls(db)
        self.forgetting = Forgetting(db)
        self.pruning = Pruning(db)

    def permits(self, client: Limited) -> LedgerPermits:
        """The permits of the client's account, which all processes on this journal share.

        For direct calls: ``client.with_permits(journal.permits(client))``. A call waits for its
        permit as long as the client's ``quota_wait`` says, else it raises QuotaExhausted with the
        time. The journal stays open for as long.
        """
        account = Account(client.name, client.account, client.quotas)
        return self.permits_of(account, client.clock)

    def permits_of(self, account: Account, clock: Clock) -> LedgerPermits:
        """The permits of an account, by this clock."""
        return LedgerPermits(self._db, Ledger(account, clock, self._db.dialect.clock))

    @property
    def path(self) -> Path | None:
        """The file; None: it is in memory, or in a database of a server."""
        return self._db.path

    @property
    def place(self) -> str:
        """Where it is, in words for people: without a password."""
        return self._db.place

    @classmethod
    @checked
    async def open(
        cls,
        path: str | Path | None = None,
        *,
        adopt: Adopt | Literal["latest", "older"] | None = None,
        create: bool = True,
        read_only: bool = False,
        single_server: bool = False,
        executor: Callable[[Connector], Executor] | None = None,
    ) -> Journal:
        """Open the journal at ``path``; create it if it doesn't exist (unless ``create`` is False),
        readable only by its owner. Nothing else in the process may open the file.

        None is the default place (see default_place); ``":memory:"`` keeps nothing on disk. An
        address ``postgresql://user@host/database`` is a database that workers on many machines
        share (extra ``postgres``).
        ``adopt`` is a person's word on a copied or restored file whose original is gone for good:
        ``"latest"`` if nothing was sent with the original since; else ``"older"``, and everything
        that this one was about to send is in doubt. With ``read_only`` the caller writes nothing,
        so the journal may be in a read-only place. ``single_server`` is a person's word that no
        standby of a database's server is ever promoted. ``executor`` replaces the two
        threads that the journal works in. JournalError says why a file can't be used.
        """
        if path == "":
            raise InvalidArgument("journal: the path is empty; None is the default place")
        word = None if adopt is None else Adopt(adopt)
        named = default_place() if path is None else path
        if isinstance(named, str) and is_address(named):
            check_address(named)
            return cls(await _opened(partial(_in_database, named, word, create, single_server)))
        place = None if named == ":memory:" else _resolved(named)
        connect = Connector(place, adopt=word, create=create)

        if executor is not None:
            only = executor(connect)
            return cls(SqliteStore(connect.file, only, only))

        def start() -> SqliteStore:
            if read_only and place and os.path.lexists(place) and not is_writable(place):
                only = ThreadExecutor(connect.onlooker, READ)
                return SqliteStore(connect.file, only, only)
            writer = ThreadExecutor(connect, WRITE, connect.file)
            try:
                reader = writer if place is None else ThreadExecutor(connect.reader, READ)
            except BaseException:
                writer.close()
                raise
            return SqliteStore(connect.file, writer, reader)

        return cls(await _opened(start))

    @classmethod
    @checked
    async def version_at(cls, path: str | Path | None = None) -> int | None:
        """The version of the journal at ``path``, which stays as it is; None if there is none.

        `open` brings a journal of the previous version to the present one, unless somebody sends
        with it.
        """
        named = default_place() if path is None else path
        if isinstance(named, str) and is_address(named):
            check_address(named)
            return await anyio.to_thread.run_sync(_version_in_database, named)
        return await anyio.to_thread.run_sync(version_at, _resolved(named))

    @property
    def has_leases(self) -> bool:
        """Whether a worker is alive as long as its lease; then it may join its job anew after it
        was taken for dead, as after a long pause. Else its lock tells, which it can't lose by that.
        """
        return self._db.dialect.clock is not None

    async def info(self) -> JournalInfo:
        """Where the journal stands: its database and size, its jobs, accounts and living workers,
        all of it at one moment.
        """
        return await read_info(self._db, self.place, Clock())

    async def backup(self, destination: str | Path) -> int:
        """Write a copy of the journal to a new file that only its owner can read, while others go
        on sending; returns its bytes. The copy has what was committed before it was begun.

        A copy is refused when it is opened, until ``adopt`` says what it is: see `open`.
        InvalidArgument if the file exists, or nothing may be written there; JournalError if it
        can't be written.
        """
        return await self._db.backup(Path(destination))

    async def prune(self, *, older_than: float, dry_run: bool = False) -> PruneResult:
        """Remove what jobs that ended ``older_than`` seconds ago, or longer, hold about people:
        addresses, fields and reasons. Returns these jobs. With ``dry_run`` nothing is changed.

        Every count of their reports stays, and so does, by codes that can't be read back, who has
        their messages: nobody is mailed these again by another list. Nothing more of such a job can
        be sent. Others go on sending meanwhile. Jobs with rows unsent, in doubt or looked for are
        left as they are, unless they were cancelled with nothing but unsent rows.
        """
        now = Clock().now()
        return await self.pruning.prune(now - older_than, now=now, dry_run=dry_run)

    async def forget(
        self, *addresses: str, drop_calls: bool = False, dry_run: bool = False
    ) -> ForgetResult:
        """Make what the journal knows about people unreadable; returns where they were. With
        ``dry_run`` nothing is changed.

        Codes that can't be read back take the place of their addresses: whoever has a message is
        not mailed it a second time, and whoever is suppressed stays so. InvalidArgument, and nobody
        is forgotten, while an address is still needed: it is unsent, in doubt, or looked for in the
        provider's statuses; or calls of webhook handlers about it are to be made, unless these are
        dropped.
        """
        if dry_run:
            return await self.forgetting.look(addresses, drop_calls=drop_calls)
        return await self.forgetting.forget(addresses, drop_calls=drop_calls)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what was handed over, and close the file. JournalError if it was written to, and
        is not in its place any more.
        """
        await anyio.to_thread.run_sync(self._db.close)


def check_shared(place: str) -> None:
    """InvalidArgument unless the journal at this place is one that several machines can share."""
    if not is_address(place):
        raise InvalidArgument(
            f"workers need a journal in PostgreSQL, and {place} is a file: name a database, "
            "postgresql://user@host/database"
        )


async def _opened(start: Callable[[], Keeper]) -> Keeper:
    """What is opened in another thread; nobody keeps it open for a caller who was cancelled."""
    thread = ThreadPoolExecutor(1, "mailkit-journal-open")
    opening = thread.submit(start)
    try:
        return await outcome(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise
    finally:
        thread.shutdown(wait=False)


def _close(opened: Future[Keeper]) -> None:
    if opened.exception() is None:
        opened.result().close()


def _in_database(address: str, adopt: Adopt | None, create: bool, single_server: bool) -> Keeper:
    with needed("postgres", "a journal in PostgreSQL needs", JournalError):
        from mailkit.bulk.journal.postgres.opening import open_store
    return open_store(address, adopt=adopt, create=create, single_server=single_server)


def _version_in_database(address: str) -> int | None:
    with needed("postgres", "a journal in PostgreSQL needs", JournalError):
        from mailkit.bulk.journal.postgres.opening import version_in
    return version_in(address)


def _resolved(path: str | Path) -> Path:
    """The file itself: what stands next to it must not depend on the link that leads to it."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise JournalError(f"the journal {path} can't be opened: {error}; {elsewhere()}") from error
