"""Events of webhooks in the journal: each counts once, and moves the rows that it is about.

Whoever gets them writes all of a batch in one transaction, next to the workers that send: see
hearing.py for what they do to a row, and parking.py for those that come too early. Of each event a
*mark* is kept for some days, by which a repeat is known. It begins with the time of the event, so
that marks of one time lie together: a batch writes few pages, and old ones are found at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

import attrs
import msgspec

from mailkit.bulk.journal.batches import in_parts, in_rows
from mailkit.bulk.journal.hearing import News, hear, hear_at
from mailkit.bulk.journal.jobs import by_id
from mailkit.bulk.journal.matching import keys_of
from mailkit.bulk.journal.parking import KEPT, forget_parked, may_be_ours, park
from mailkit.bulk.journal.records import ChunkState, JobRecord
from mailkit.bulk.journal.row_ids import row_id
from mailkit.bulk.journal.store import Connection, Store
from mailkit.bulk.journal.tokens import journal_id, place_of
from mailkit.events import CampaignEvent, DeliveryEvent, DeliveryStatus, WebhookEvent

__all__ = ["Events", "HandlersOf", "Recorded"]

HandlersOf = Callable[[WebhookEvent], Sequence[str]]
"""The names of the handlers that an event has."""

_FORGET_EVERY = 3600.0
_LATEST = 2**32 - 1


@attrs.frozen
class Recorded:
    """What became of the events of a batch. ``applied`` ones are about this journal's messages,
    whether they changed something or said what was known; ``parked`` ones may turn out to be;
    ``foreign`` ones are about messages that it never sent, and ``other`` ones about no message.
    ``repeated`` ones had come before, and count nowhere else.
    """

    applied: int = 0
    parked: int = 0
    foreign: int = 0
    other: int = 0
    repeated: int = 0

    @property
    def new(self) -> int:
        """The events that had not come before."""
        return self.applied + self.parked + self.foreign + self.other


class Events:
    """Writes down what providers say of themselves."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._forget_at = 0.0

    async def record(
        self, events: Sequence[WebhookEvent], *, now: float, handlers: HandlersOf | None = None
    ) -> Recorded:
        """Write down a batch of events in one transaction; once this returns, the disk has it all.

        ``handlers`` names those that an event has: their calls are written down with it, to be made
        later (`HandlerCalls`).
        """
        marked: dict[bytes, WebhookEvent] = {}
        for event in events:
            marked.setdefault(_mark(event), event)

        def work(db: Connection) -> Recorded:
            new = _new(db, marked, now)
            if not new:
                return Recorded(repeated=len(events))
            recorded = _write(db, new, len(events) - len(new), now)
            if handlers is not None:
                _call(db, new, handlers, now)
            forget_parked(db, now)
            if now >= self._forget_at:
                _forget(db, now - KEPT)
            return recorded

        recorded = await self._store.write(work)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY
        return recorded


def _mark(event: WebhookEvent) -> bytes:
    """What is equal for an event and its repeats alone."""
    at = 0 if event.at is None else _whole(event.at.timestamp())
    return at.to_bytes(4, "big") + blake2b(event.identity.encode(), digest_size=12).digest()


def _whole(at: float) -> int:
    """Whole seconds, as many as four bytes can say."""
    return int(at) if 0 <= at <= _LATEST else 0 if at < 0 else _LATEST


def _new(
    db: Connection, marked: Mapping[bytes, WebhookEvent], now: float
) -> Sequence[WebhookEvent]:
    """Those of the events that were not known by their marks; they are from now on."""
    added = 0
    db.execute("SAVEPOINT heard")
    for marks, some in in_parts(sorted(marked)):
        places = marks.replace("?", "(?)")
        added += db.execute(
            f"INSERT INTO heard (mark, at) SELECT column1, ? FROM (VALUES {places}) AS marks "
            "WHERE true ON CONFLICT DO NOTHING",
            (now, *some),
        ).rowcount
    new = [*marked.values()]
    if added < len(new):  # to ask which ones were known takes as long again: few batches need it
        db.execute("ROLLBACK TO heard")
        unknown = _unknown(db, sorted(marked), now)
        new = [event for mark, event in marked.items() if mark in unknown]
    db.execute("RELEASE heard")
    return new


def _unknown(db: Connection, marks: Iterable[bytes], now: float) -> set[bytes]:
    """Those of the marks that were not known; they are from now on."""
    return {
        mark
        for places, values in in_rows((mark, now) for mark in marks)
        for (mark,) in db.execute(
            f"INSERT INTO heard (mark, at) VALUES {places} ON CONFLICT DO NOTHING RETURNING mark",
            values,
        ).fetchall()
    }


def _forget(db: Connection, before: float) -> None:
    """Forget marks of events that happened, and came, before then."""
    mark = _whole(before).to_bytes(4, "big")
    db.execute("DELETE FROM heard WHERE mark < ? AND at < ?", (mark, before))


def _call(db: Connection, events: Sequence[WebhookEvent], handlers: HandlersOf, now: float) -> None:
    db.executemany(
        "INSERT INTO handler_calls (handler, provider, event, due) VALUES (?, ?, ?, ?)",
        [
            (name, event.provider, msgspec.json.encode(event.raw).decode(), now)
            for event in events
            for name in handlers(event)
        ],
    )


def _write(db: Connection, events: Sequence[WebhookEvent], repeated: int, now: float) -> Recorded:
    by_token: list[WebhookEvent] = []
    by_reference: dict[tuple[str, str], list[DeliveryEvent]] = defaultdict(list)
    campaigns: list[CampaignEvent] = []
    other = 0
    for event in events:
        if isinstance(event, CampaignEvent):
            campaigns.append(event)
        elif event.token is not None:
            by_token.append(event)
        elif not isinstance(event, DeliveryEvent):
            other += 1
        elif event.reference is not None and event.address:
            by_reference[event.provider, event.reference].append(event)
    applied = _hear_by_token(db, by_token, now) + _hurry(db, campaigns, now)
    parked = 0
    for (provider, reference), some in by_reference.items():
        chunk = _chunk(db, provider, reference)
        if chunk is not None:
            applied += _hear_by_reference(db, *chunk, some, now)
        elif may_be_ours(db, provider):
            park(db, reference, some, now)
            parked += len(some)
    foreign = len(events) - applied - parked - other
    return Recorded(applied, parked, foreign, other, repeated)


def _hear_by_token(db: Connection, events: Sequence[WebhookEvent], now: float) -> int:
    """Events that say by themselves which rows they are about; gives how many are true of them."""
    if not events:
        return 0
    journal = journal_id(db)
    jobs: dict[int, JobRecord | None] = {}
    said: dict[int, dict[int, list[News]]] = defaultdict(lambda: defaultdict(list))
    for event, key in zip(events, _keys(events), strict=True):
        place = place_of(journal, event.token or "")
        if place is None:
            continue
        id, chunk, row = place
        if id not in jobs:
            jobs[id] = by_id(db, id)
        job = jobs[id]
        if job is not None and job.provider == event.provider:
            said[id][row_id(id, row)].append(_news(event, key, chunk))
    return sum(hear(db, job, said[id], now) for id, job in jobs.items() if job is not None)


def _hear_by_reference(
    db: Connection, job: JobRecord, n: int, events: Sequence[DeliveryEvent], now: float
) -> int:
    said: dict[str, list[News]] = defaultdict(list)
    for event, key in zip(events, _keys(events), strict=True):
        said[key].append(_news(event, key, n))
    return hear_at(db, job, n, said, now)


def _keys(events: Sequence[WebhookEvent]) -> Sequence[str]:
    return keys_of([event.address or "" for event in events])


def _news(event: WebhookEvent, key: str, chunk: int) -> News:
    """What the event says of its row: at the least that the provider has it."""
    at = None if event.at is None else event.at.timestamp()
    if not isinstance(event, DeliveryEvent):
        return key, chunk, DeliveryStatus.QUEUED, "", at
    return key, chunk, event.status, event.reason, at


def _hurry(db: Connection, events: Sequence[CampaignEvent], now: float) -> int:
    """Requests that came into another state: whoever follows them asks about them soon."""
    known = 0
    for event in events:
        chunk = _chunk(db, event.provider, event.reference)
        if chunk is not None:
            known += 1
            job, n = chunk
            db.execute(
                "UPDATE chunks SET until = ? WHERE job = ? AND n = ? AND until > ? "
                f"AND state = '{ChunkState.ACCEPTED}'",
                (now, job.id, n, now),
            )
    return known


def _chunk(db: Connection, provider: str, reference: str) -> tuple[JobRecord, int] | None:
    """The chunk that the provider calls so."""
    found = db.execute(
        "SELECT job, n FROM chunks JOIN jobs ON jobs.id = chunks.job WHERE reference = ? "
        "AND provider = ? ORDER BY job, n LIMIT 1",
        (reference, provider),
    ).fetchone()
    if found is None:
        return None
    job = by_id(db, found[0])
    return None if job is None else (job, found[1])
