"""Where a journal stands, for whoever looks after it: all of it at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import attrs
import msgspec

from mailkit.bulk.journal.ends import Phase, phase_of
from mailkit.bulk.journal.jobs import every
from mailkit.bulk.journal.keeping import Keeper, StoreFacts
from mailkit.bulk.journal.ownership import living
from mailkit.bulk.journal.presence import Presence, WorkerInfo, present
from mailkit.bulk.journal.records import JobRecord
from mailkit.bulk.journal.store import Connection
from mailkit.core.clock import Clock

__all__ = ["AccountUse", "JobMark", "JournalInfo", "QuotaUse", "read_info"]


@attrs.frozen
class JobMark:
    """A job by its name, and when it was created."""

    name: str
    created: datetime


@attrs.frozen
class QuotaUse:
    """The permits of a quota that count now, over so many seconds; until when the provider has
    ``blocked`` it.
    """

    name: str
    seconds: float
    used: int
    blocked: datetime | None


@attrs.frozen
class AccountUse:
    """An account with quotas, and how many ``wait`` for permits of it."""

    provider: str
    account: str
    quotas: Sequence[QuotaUse]
    waiting: int


@attrs.frozen
class JournalInfo:
    """What `Journal.info` gives. ``jobs`` are counted by how far they are, ``handler_calls`` that
    are still to be made by their handler; ``rows`` are those that all jobs have read, ``parked``
    events wait for the request that they are about. ``workers`` has no dead ones.
    """

    place: str
    store: StoreFacts
    jobs: Mapping[Phase, int]
    rows: int
    oldest: JobMark | None
    newest: JobMark | None
    suppressions: int
    parked: int
    handler_calls: Mapping[str, int]
    accounts: Sequence[AccountUse]
    workers: Sequence[WorkerInfo]

    def to_dict(self) -> dict[str, object]:
        """The same as plain values, ready for JSON; times are ISO 8601 in UTC."""
        facts = self.store
        return {
            "journal": self.place,
            "database": facts.database,
            "version": facts.version,
            "bytes": facts.size,
            "free_bytes": facts.free,
            "relies_on": list(facts.reliance),
            "jobs": {phase.name.lower(): count for phase, count in self.jobs.items()},
            "rows": self.rows,
            "oldest_job": _mark(self.oldest),
            "newest_job": _mark(self.newest),
            "suppressions": self.suppressions,
            "parked_events": self.parked,
            "handler_calls": dict(self.handler_calls),
            "accounts": [
                {
                    "provider": one.provider,
                    "account": one.account,
                    "waiting": one.waiting,
                    "quotas": [
                        {**attrs.asdict(quota), "blocked": _iso(quota.blocked)}
                        for quota in one.quotas
                    ],
                }
                for one in self.accounts
            ],
            "workers": [worker.to_dict() for worker in self.workers],
        }

    def to_json(self) -> str:
        """The same as one JSON object."""
        return msgspec.json.encode(self.to_dict()).decode()


def _mark(job: JobMark | None) -> dict[str, object] | None:
    return None if job is None else {"name": job.name, "created": _iso(job.created)}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


async def read_info(store: Keeper, place: str, clock: Clock) -> JournalInfo:
    """Read all of it."""
    facts = await store.facts()

    def work(db: Connection) -> JournalInfo:
        jobs = every(db)
        phases = dict.fromkeys(Phase, 0)
        workers: list[WorkerInfo] = []
        for job in jobs:
            alive = living(db, store.liveness, job.id)
            phases[phase_of(db, job, at_work=bool(alive))] += 1
            workers += present(db, store.liveness, job, alive)
        return JournalInfo(
            place=place,
            store=facts,
            jobs=phases,
            rows=sum(job.read for job in jobs),
            oldest=_job_mark(jobs[0]) if jobs else None,
            newest=_job_mark(jobs[-1]) if jobs else None,
            suppressions=_count(db, "suppressions WHERE job = 0"),
            parked=_count(db, "parked"),
            handler_calls=dict(
                db.execute(
                    "SELECT handler, count(*) FROM handler_calls GROUP BY handler ORDER BY handler"
                ).fetchall()
            ),
            accounts=[*_accounts(db, clock, store.dialect.clock or "NULL")],
            workers=[one for one in workers if one.presence is not Presence.DEAD],
        )

    return await store.read(work)


def _job_mark(job: JobRecord) -> JobMark:
    return JobMark(job.name, datetime.fromtimestamp(job.created, UTC))


def _count(db: Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _accounts(db: Connection, clock: Clock, time: str) -> list[AccountUse]:
    accounts = db.execute(
        f"SELECT id, provider, account, boot, base, mark, wall, {time} FROM accounts "
        "ORDER BY provider, account"
    ).fetchall()
    return [_use(db, clock, *account) for account in accounts]


def _use(
    db: Connection,
    clock: Clock,
    id: int,
    provider: str,
    account: str,
    boot: str,
    base: float,
    mark: float,
    wall: float,
    time: float | None,
) -> AccountUse:
    """The ledger's time is told as it tells it: see ledger.py."""
    if time is None:
        same = boot == clock.boot()
        time = base + clock.elapsed() if same else mark + clock.now() - wall
    now = max(mark, time)
    found = db.execute(
        "SELECT name, per, blocked, (SELECT coalesce(sum(amount), 0) FROM permits "
        "WHERE permits.account = quotas.account AND quota = name AND at > ? - per) "
        "FROM quotas WHERE account = ? ORDER BY name",
        (now, id),
    ).fetchall()
    quotas = [
        QuotaUse(
            name,
            per,
            int(used),
            datetime.fromtimestamp(clock.now() + blocked - now, UTC) if blocked > now else None,
        )
        for name, per, blocked, used in found
    ]
    (waiting,) = db.execute("SELECT count(*) FROM waiters WHERE account = ?", (id,)).fetchone()
    return AccountUse(provider, account, quotas, int(waiting))
