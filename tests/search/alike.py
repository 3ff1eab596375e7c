"""When two states are alike: whatever can follow the one can follow the other.

So are those that differ in when something happened, but not in how long ago; in the numbers of
workers, grants and takes, but not in which of them are the same; in who of several processes does
what; in what is only there for people to read. What is not known to make no difference makes one.
"""

from __future__ import annotations

import marshal
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from mailkit.bulk.journal.leases import REQUEST_SECONDS
from mailkit.bulk.journal.records import ChunkState
from mailkit.bulk.journal.resolving import held_up_until
from mailkit.core.lateness import BEGINS_WITHIN
from mailkit.core.quota import SLACK

from .choices import ARRIVES_WITHIN, WINDOW
from .database import Content
from .journal import CLOCK, EPOCH
from .state import Hand, News, Phase, State
from .world import World

__all__ = ["Alike"]

LONG_AGO = 200.0
"""Seconds after which nothing depends on how long ago something was."""
_FOR_PEOPLE = {"process", "why", "message", "reason", "attempt", "looks"}
_OPEN = {ChunkState.SENDING, ChunkState.IN_DOUBT}

Form = tuple[Any, ...]
Tickets = dict[tuple[int, int], int]
"""Names for the tickets of chunks, by chunk and number."""


class _Chunk(NamedTuple):
    """``rest`` is compared as it is. Who ``owns`` it, and until when its request may be held up,
    matters only while it is being sent or in doubt.
    """

    n: int
    takes: int
    owns: int
    held_up: float | None
    rest: Form


class _Tables(NamedTuple):
    """A content, without what is only there for people."""

    chunks: list[_Chunk]
    workers: list[tuple[int, float | None]]  # those that have not ended, and their leases
    waiters: list[tuple[int, str, float]]  # worker, needs, due
    permits: list[tuple[int, str, int, float]]  # grant, quota, amount, at
    quotas: list[tuple[str, float, float]]  # name, per, blocked
    granted: int
    rest: Form


class Alike:
    """Tells the states of a world apart."""

    def __init__(self, world: World) -> None:
        self._rows = world.journal.database.rows
        self._failovers = world.size.failovers
        self._zero = CLOCK if world.size.shared else 0.0
        self._tables = lru_cache(maxsize=10_000)(self._read)

    def digest(self, state: State) -> bytes:
        """The same for states that are alike."""
        return blake2b(marshal.dumps(self.form(state), 2), digest_size=16).digest()

    def end(self, state: State) -> Form:
        """The same for states that end alike if every process dies now."""
        tables = self._tables(state.content)
        return tables.rest, tuple(chunk.rest for chunk in tables.chunks), state.mailed

    def form(self, state: State) -> Form:
        """What is left of a state without what makes no difference."""
        contents = [self._tables(state.content)]
        if state.failovers < self._failovers:
            contents.append(self._tables(state.standby))
        tickets = _tickets(state, contents)
        grants = self._grants(state, contents)
        ago = _Ago(state.time)
        living = {process.worker for process in state.processes}
        marks: dict[int, list[Form]] = {}
        for at, tables in enumerate(contents):
            for worker, lease in tables.workers:
                marks.setdefault(worker, []).append((at, "lives", ago(lease, REQUEST_SECONDS)))
            for chunk in tables.chunks:
                if chunk.owns:
                    marks.setdefault(chunk.owns, []).append((at, "owns", chunk.n))
            for place, (worker, _, due) in enumerate(tables.waiters):
                if due < state.time and worker not in living:
                    continue
                marks.setdefault(worker, []).append((at, "waits", place))
        requests = []
        for one in state.flights:
            ticket = tickets[one.chunk, one.number]
            request = one.chunk, ticket, ago(one.started), ago(one.left, ARRIVES_WITHIN + 1)
            requests.append((one.worker, request))
            marks.setdefault(one.worker, []).append((2, "sends", request))
        processes = []
        for process in state.processes:
            hands = [(hand.worker, _hand(hand, tickets, grants, ago)) for hand in process.hands]
            if len(hands) > 1:  # in any order
                hands.sort(key=repr)
            news = _news(process.news, contents[0], tickets)
            inside = (*process[2:-1], bool(process.worker), [hand for _, hand in hands], news)
            outside = [marks.get(process.worker), [marks.get(worker) for worker, _ in hands]]
            processes.append((repr((inside, outside)), process.worker, inside, hands))
        processes.sort()
        names = {0: 0}
        for _, worker, _, hands in processes:
            for number in (worker, *(worker for worker, _ in hands)):
                names.setdefault(number, len(names))
        for _, worker in sorted((repr(marks[worker]), worker) for worker in marks):
            names.setdefault(worker, len(names))
        return (
            [_form(tables, tickets, names, grants, ago) for tables in contents],
            [
                (names[worker], inside, [names[number] for number, _ in hands])
                for _, worker, inside, hands in processes
            ],
            sorted((names[worker], request) for worker, request in requests),
            state.mailed,
            [ago(one) for one in state.arrivals],
            state.failovers,
        )

    def _grants(self, state: State, contents: list[_Tables]) -> dict[int, int]:
        """Names for the grants of permits that may still count."""
        known = {
            hand.permit.id
            for process in state.processes
            for hand in process.hands
            if hand.permit is not None
        }
        for tables in contents:
            known |= {id for id, _, _, at in tables.permits if at + WINDOW > state.time}
        granted = contents[0].granted
        return {id: max(id - granted, 0) * 100 + rank for rank, id in enumerate(sorted(known))}

    def _read(self, content: Content) -> _Tables:
        def rows(table: str) -> list[dict[str, Any]]:
            return [row._asdict() for row in self._rows(content, table)]

        chunks = []
        for row in rows("chunks"):
            is_open = row["state"] in _OPEN
            started, ended, worker = row.pop("started"), row.pop("ended"), row.pop("worker")
            chunks.append(
                _Chunk(
                    row["n"],
                    row.pop("takes"),
                    worker if is_open else 0,
                    held_up_until(started, ended) - EPOCH if is_open else None,
                    (started is None, *_rest(row)),
                )
            )
        workers = [
            (row["id"], None if row["lease"] is None else row["lease"] - CLOCK)
            for row in rows("workers")
            if not row["ended"]
        ]
        waiters = [
            (int(row["key"].removeprefix("worker ")), row["needs"], row["due"] - self._zero)
            for row in rows("waiters")
        ]
        accounts = rows("accounts")
        return _Tables(
            chunks,
            workers,
            waiters,
            [
                (row["id"], row["quota"], row["amount"], row["at"] - self._zero)
                for row in rows("permits")
            ],
            [(row["name"], row["per"], row["blocked"]) for row in rows("quotas")],
            accounts[0]["granted"] if accounts else 0,
            tuple(_rest(row) for row in rows("jobs")),
        )


def _rest(row: dict[str, Any]) -> Form:
    return tuple(value for name, value in row.items() if name not in _FOR_PEOPLE)


class _Ago:
    """How long ago something was, as far as that matters; what is to come is below zero."""

    def __init__(self, time: float) -> None:
        self._time = time

    def __call__(self, moment: float | None, most: float = LONG_AGO) -> float | None:
        return None if moment is None else min(self._time - moment, most)


def _tickets(state: State, contents: list[_Tables]) -> Tickets:
    """The last ticket of a chunk, and its others: it makes no difference how old these are, as long
    as their numbers can't come again, after the database has forgotten or undone some.
    """
    numbers = {(chunk.n, chunk.takes) for tables in contents for chunk in tables.chunks}
    is_forgotten = len(numbers) > len(contents[0].chunks)
    numbers |= {(flight.chunk, flight.number) for flight in state.flights}
    numbers |= {(hand.chunk, hand.number) for one in state.processes for hand in one.hands}
    numbers |= {one.news[:2] for one in state.processes if one.news is not None}
    last = {chunk.n: chunk.takes for chunk in contents[0].chunks}
    ranks = dict.fromkeys(last, 0)
    named: Tickets = {}
    for chunk, number in sorted(numbers, reverse=True):
        behind = last[chunk] - number
        if behind > 0 and not is_forgotten:
            ranks[chunk] += 1
            behind = ranks[chunk]
        named[chunk, number] = behind
    return named


def _hand(hand: Hand, tickets: Tickets, grants: dict[int, int], ago: _Ago) -> Form:
    permit, moments = None, list[float | None]()
    if hand.permit is not None:
        permit = grants[hand.permit.id]
        if hand.phase in (Phase.ASKED, Phase.TAKEN, Phase.SENT):
            moments.append(ago(hand.permit.latest - hand.permit.zero, -SLACK))
    if hand.phase in (Phase.ASKED, Phase.TAKEN):
        moments.append(ago(hand.asked, BEGINS_WITHIN + 1))
    return (
        int(hand.phase),
        hand.chunk,
        tickets[hand.chunk, hand.number],
        permit,
        moments,
        hand.acted,
        int(hand.outcome),
        hand.again,
    )


def _news(news: News | None, tables: _Tables, tickets: Tickets) -> Form | None:
    """Whether it is too old to be believed, is all that matters of its time."""
    if news is None:
        return None
    held_up = next(chunk.held_up for chunk in tables.chunks if chunk.n == news.chunk)
    is_old = held_up is None or news.asked < held_up
    return news.chunk, tickets[news.chunk, news.number], news.has_it, is_old


def _form(
    tables: _Tables, tickets: Tickets, names: dict[int, int], grants: dict[int, int], ago: _Ago
) -> Form:
    return (
        [
            (tickets[one.n, one.takes], names[one.owns], ago(one.held_up, 0.0), one.rest)
            for one in tables.chunks
        ],
        sorted((names[worker], ago(lease, REQUEST_SECONDS)) for worker, lease in tables.workers),
        [
            (names[worker], needs, ago(due, 1.0))
            for worker, needs, due in tables.waiters
            if worker in names
        ],
        sorted(
            (grants[id], quota, n, ago(at)) for id, quota, n, at in tables.permits if id in grants
        ),
        [(name, per, ago(blocked) if blocked else None) for name, per, blocked in tables.quotas],
        tables.rest,
    )
