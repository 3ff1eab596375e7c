"""Matching what a provider says of a chunk with the chunk's rows: nobody may be missing.

Pure functions of values; the journal calls them inside the transaction that reads and writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import attrs

from mailkit.address import dedupe_key, normalize
from mailkit.bulk.journal.records import RowState
from mailkit.bulk.journal.suppressions import SUPPRESSES
from mailkit.bulk.policy import suspects
from mailkit.core.dispatch import RowStatus
from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryStatus

__all__ = ["ChunkKeys", "ReconcileResult", "RowChange", "RowKey", "key_of", "match"]

_SUPPRESSES = int(min(SUPPRESSES))
_TAKEN = int(DeliveryStatus.QUEUED)  # how far a message got at least that is named as taken

RowKey = tuple[int, str, str | None, int | None]
"""A row of an accepted chunk, as the journal gives it: its id, what to match it by, its own state
and its own delivery."""


@attrs.frozen
class ChunkKeys:
    """The rows of an accepted chunk, the delivery of those that have none of their own, and whether
    every row was found before, or the deadline has passed. Unless the rows are ``all`` of the
    chunk, they say nothing about the others.
    """

    delivery: int
    reconciled: bool
    rows: Sequence[RowKey]
    all: bool = True


class RowChange(NamedTuple):
    """A row's new state, reason and own delivery; ``state`` None: it follows its chunk."""

    id: int
    state: RowState | None
    reason: str | None
    delivery: int | None


@attrs.frozen
class ReconcileResult:
    """What statuses change in a chunk: the ``delivery`` of the rows that follow the chunk and have
    none of their own, own deliveries alone as (delivery, row id), and whole rows. ``missing`` rows
    were never named; ``reconciled`` says that nobody is looked for any longer. ``held`` has the
    words in which rows were refused for the account's sake, if any were. ``suppressed`` are the
    keys of people who are not to be mailed any more, with the deliveries that say so. ``rises`` has
    how many rows went from one delivery to another. ``found`` are the keys of people who were
    rejected, as it seemed.
    """

    delivery: int
    deliveries: Sequence[tuple[int | None, int]]
    changes: Sequence[RowChange]
    missing: int
    reconciled: bool
    held: str | None = None
    suppressed: Sequence[tuple[str, int]] = ()
    rises: Mapping[tuple[int, int], int] = attrs.field(factory=dict)
    found: Sequence[str] = ()


def match(chunk: ChunkKeys, statuses: Sequence[RowStatus], doubt: str | None) -> ReconcileResult:
    """Join rows and statuses by address; statuses of strangers are ignored.

    A good word wins: an address that is named as taken, now or in an earlier poll, is not rejected
    for being named as refused too, and one that was rejected or in doubt is so no more. Deliveries
    only go up (see DeliveryStatus). Rows that were never named are left as they are, or become
    doubtful for the reason ``doubt``, but only until the chunk is reconciled.
    """
    heard = _by_key(statuses)
    common = chunk.delivery
    if chunk.reconciled:
        doubt = None
    following: list[tuple[int, int | None, int]] = []  # delivery, own delivery so far, row id
    changed: list[RowChange] = []
    missing = 0
    held: str | None = None
    suppressed: list[tuple[str, int]] = []
    found: list[str] = []
    rises: Counter[tuple[int, int]] = Counter()
    rejected: dict[int, tuple[str, str]] = {}
    for row_id, key, state, own in chunk.rows:
        delivery = own if own is not None else common if state is None else 0
        status = heard.get(key)
        if status is None:
            if state is None:
                missing += not delivery
                if doubt is None or delivery:
                    following.append((delivery, own, row_id))
                else:
                    changed.append(RowChange(row_id, RowState.IN_DOUBT, doubt, delivery))
            continue
        _, news, refused, reason, account = status
        if refused:
            named = delivery if chunk.all else own  # what holds for all is less than its own word
            if state != RowState.REJECTED and not named:
                changed.append(RowChange(row_id, RowState.REJECTED, reason or "refused", 0))
                rejected[row_id] = key, reason
                if delivery:
                    rises[delivery, 0] += 1
                if account:
                    held = held or reason
            elif state is None:
                following.append((delivery, own, row_id))
            continue
        if state == RowState.REJECTED:
            found.append(key)
        before = delivery
        delivery = max(delivery, news or _TAKEN)
        if delivery != before:
            rises[before, delivery] += 1
            if delivery >= _SUPPRESSES:
                suppressed.append((key, delivery))
        now = RowState.ACCEPTED if state == RowState.ACCEPTED else None
        if now != state or (reason and delivery != before):
            changed.append(RowChange(row_id, now, reason or None, delivery))
        elif state is None:
            following.append((delivery, own, row_id))
        elif delivery != before:
            changed.append(RowChange(row_id, now, None, delivery))
    held = held or next(iter(suspects(rejected).values()), None)
    common, deliveries = _shared(common, following, settled=not chunk.all)
    reconciled = chunk.reconciled or doubt is not None or not missing
    return ReconcileResult(
        common, deliveries, changed, missing, reconciled, held, suppressed, rises, found
    )


def _shared(
    common: int, following: Sequence[tuple[int, int | None, int]], *, settled: bool
) -> tuple[int, Sequence[tuple[int | None, int]]]:
    """What most rows that follow their chunk have in common goes to the chunk, unless that is
    settled.
    """
    counts = Counter(delivery for delivery, _, _ in following)
    if counts and not settled:
        common = counts.most_common(1)[0][0]
    deliveries: list[tuple[int | None, int]] = []
    for delivery, own, row_id in following:
        wanted = None if delivery == common else delivery
        if wanted != own:
            deliveries.append((wanted, row_id))
    return common, deliveries


def _by_key(statuses: Sequence[RowStatus]) -> Mapping[str, RowStatus]:
    heard = {status.address.strip().lower(): status for status in statuses}
    if len(heard) == len(statuses) and "".join(heard).isascii():
        return heard
    heard = {}
    for status in statuses:
        key = key_of(status.address)
        before = heard.get(key)
        if before is None or _weight(status) > _weight(before):
            heard[key] = status
    return heard


def _weight(status: RowStatus) -> tuple[bool, int]:
    return not status.rejected, status.delivery or 0


def key_of(address: str) -> str:
    """What to match a row by that a provider names by this address."""
    key = address.strip().lower()
    if key.isascii():
        return key
    try:
        return dedupe_key(normalize(key))
    except InvalidArgument:
        return key
