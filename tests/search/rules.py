"""The rules by which nobody is mailed twice, and the world without each of them.

A search that finds nothing proves little, unless it finds what happens where a rule is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import StrEnum
from itertools import chain
from math import inf
from typing import Any
from unittest.mock import patch

from mailkit.bulk.journal.ledger import Grant, Ledger
from mailkit.bulk.journal.records import ChunkState, JobRecord, Ticket
from mailkit.bulk.journal.store import Connection
from mailkit.bulk.journal.workers import CUT_OFF, reap

from .choices import Choices
from .journal import Journal, Tickets
from .state import Hand, News, Outcome
from .world import World

__all__ = ["RULES", "Rule", "without"]

_JOURNAL = "mailkit.bulk.journal"


class Rule(StrEnum):
    """What holds, and ``--without`` does not."""

    WORD = "word"
    TICKET = "ticket"
    NUMBER = "number"
    NAME = "name"
    DURABLE = "durable"
    SOON = "soon"
    HELD_UP = "held-up"
    DOUBT = "doubt"
    QUESTION = "question"
    PERMIT = "permit"


RULES: Mapping[Rule, str] = {
    Rule.WORD: (
        "A chunk that was being sent is planned again by the word of its worker or of a person, "
        "and never because time has passed."
    ),
    Rule.TICKET: "Only the holder of a chunk's ticket says how its request ended.",
    Rule.NUMBER: "The number of a ticket never comes again, even if the database undoes the take.",
    Rule.NAME: (
        "What was taken without an answer is released by its ticket, and not by what the worker "
        "knows to have."
    ),
    Rule.DURABLE: "A take outlives the failure of the database.",
    Rule.SOON: "A request begins within ten seconds after its chunk was asked for, or not at all.",
    Rule.HELD_UP: (
        "A person's word that nothing was sent is not taken as long as the request may be held up."
    ),
    Rule.DOUBT: "A chunk is in doubt whose request has no response.",
    Rule.QUESTION: "What the service says of a doubt is as old as the question.",
    Rule.PERMIT: "A permit counts from when its request is certainly over.",
}
"""The rules in words."""


@contextmanager
def without(rule: Rule) -> Iterator[None]:
    """Inside of the block the rule does not hold."""
    with ExitStack() as block:
        for broken in _BROKEN[rule]():
            block.enter_context(broken)
        yield


def _by_time() -> Iterator[AbstractContextManager[Any]]:
    def planned_again(db: Connection, lives: Any, job: int) -> frozenset[int]:
        alive = reap(db, lives, job)
        db.execute(
            f"UPDATE chunks SET state = '{ChunkState.PLANNED}' WHERE job = ? AND reason = ? "
            f"AND state = '{ChunkState.IN_DOUBT}'",
            (job, CUT_OFF),
        )
        return alive

    yield patch(f"{_JOURNAL}.workers.reap", planned_again)
    yield patch(f"{_JOURNAL}.resolving.reap", planned_again)


def _by_anybody() -> Iterator[AbstractContextManager[Any]]:
    def settle(
        db: Connection,
        job: JobRecord,
        ticket: Ticket,
        state: ChunkState,
        reason: str | None,
        now: float | None,
    ) -> None:
        db.execute(
            "UPDATE chunks SET state = ?, reason = ?, ended = coalesce(?, ended) "
            "WHERE job = ? AND n = ?",
            (state, reason, now, job.id, ticket.chunk),
        )

    yield patch(f"{_JOURNAL}.chunks.settle", settle)
    yield patch(f"{_JOURNAL}.outcomes.settle", settle)


def _drawn_again() -> Iterator[AbstractContextManager[Any]]:
    take = Journal.take

    def drawn_again(
        journal: Journal, worker: int, after: int, drawn: Tickets
    ) -> tuple[Hand | None, int, bool]:
        return take(journal, worker, after, ())

    yield patch.object(Journal, "take", drawn_again)


def _all_but_known() -> Iterator[AbstractContextManager[Any]]:
    def released(journal: Journal, hand: Hand, known: Tickets) -> None:
        kept = " AND ".join("NOT (n = ? AND takes = ?)" for _ in known) or "1 = 1"
        journal.write(
            f"UPDATE chunks SET state = '{ChunkState.PLANNED}' WHERE worker = ? "
            f"AND state = '{ChunkState.SENDING}' AND {kept}",
            (hand.worker, *chain(*known)),
        )

    yield patch.object(Journal, "release", released)


def _forgotten() -> Iterator[AbstractContextManager[Any]]:
    yield patch.object(Journal, "takes_are_durable", False)


def _at_any_time() -> Iterator[AbstractContextManager[Any]]:
    yield patch.object(Choices, "begins_within", inf)


def _at_once() -> Iterator[AbstractContextManager[Any]]:
    yield patch(f"{_JOURNAL}.resolving.HELD_UP_SECONDS", -inf)


def _taken_for_sent() -> Iterator[AbstractContextManager[Any]]:
    yield patch.object(World, "unknown", Outcome.ACCEPTED)


def _as_of_now() -> Iterator[AbstractContextManager[Any]]:
    def believed_from(journal: Journal, news: News) -> float:
        return journal.time.now()

    yield patch.object(Journal, "believed_from", believed_from)


def _from_its_grant() -> Iterator[AbstractContextManager[Any]]:
    grant = Ledger._grant

    def granted(ledger: Ledger, db: Connection, moment: Any, *rest: Any) -> Grant:
        given = grant(ledger, db, moment, *rest)
        db.execute("UPDATE permits SET at = ? WHERE id = ?", (moment.now, given.id))
        return given

    yield patch.object(Ledger, "_grant", granted)


_BROKEN = {
    Rule.WORD: _by_time,
    Rule.TICKET: _by_anybody,
    Rule.NUMBER: _drawn_again,
    Rule.NAME: _all_but_known,
    Rule.DURABLE: _forgotten,
    Rule.SOON: _at_any_time,
    Rule.HELD_UP: _at_once,
    Rule.DOUBT: _taken_for_sent,
    Rule.QUESTION: _as_of_now,
    Rule.PERMIT: _from_its_grant,
}
