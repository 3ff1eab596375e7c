"""Matching what a provider says of a chunk with the chunk's rows: nobody may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from mailkit.address import dedupe_key, normalise
from mailkit.bulk.journal import RowChange, RowKey
from mailkit.core.dispatch import RowStatus
from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryStatus

__all__ = ["Match", "doubted", "match", "unfinished"]


@attrs.frozen
class Match:
    """What a poll found: rows whose delivery alone moved on (delivery, id), rows that change
    their state or reason, those it does not name, and how many are still on their way.
    """

    deliveries: Sequence[tuple[int, int]]
    changes: Sequence[RowChange]
    missing: Sequence[RowKey]
    unfinished: int


def match(rows: Iterable[RowKey], statuses: Iterable[RowStatus]) -> Match:
    """Join rows and statuses by address; statuses of strangers are ignored.

    An address named as refused is rejected, also if it is named as taken too; a row in doubt that
    is named is in doubt no more. Deliveries only go up (see DeliveryStatus).
    """
    heard = _by_key(statuses)
    deliveries: list[tuple[int, int]] = []
    changes: list[RowChange] = []
    missing: list[RowKey] = []
    moving = 0
    for row in rows:
        status = heard.get(row.key)
        if status is None:
            if row.state is None:
                missing.append(row)
            moving += row.state == "in doubt"
            continue
        if status.refused:
            if row.state != "rejected":
                changes.append(RowChange(row.id, "rejected", status.reason or "refused", None))
            continue
        delivery = max(row.delivery or 0, status.delivery or 0) or None
        moving += not _final(delivery)
        state = None if row.state == "in doubt" else row.state
        if state != row.state or (status.reason and delivery != row.delivery):
            changes.append(RowChange(row.id, state, status.reason or None, delivery))
        elif delivery is not None and delivery != row.delivery:
            deliveries.append((delivery, row.id))
    return Match(deliveries, changes, missing, moving)


def unfinished(rows: Iterable[RowKey]) -> int:
    """How many of these rows are still on their way, as far as was heard before."""
    return sum(not _final(row.delivery) for row in rows)


def doubted(rows: Iterable[RowKey], why: str) -> list[RowChange]:
    """These rows were in an accepted chunk, but the provider never named them: in doubt."""
    return [RowChange(row.id, "in doubt", why, None) for row in rows]


def _final(delivery: int | None) -> bool:
    return delivery is not None and DeliveryStatus(delivery).final


def _by_key(statuses: Iterable[RowStatus]) -> dict[str, RowStatus]:
    heard: dict[str, RowStatus] = {}
    for status in statuses:
        key = _key(status.address)
        before = heard.get(key)
        if before is None or _weight(status) > _weight(before):
            heard[key] = status
    return heard


def _weight(status: RowStatus) -> tuple[bool, int]:
    return status.refused, status.delivery or 0


def _key(address: str) -> str:
    key = address.strip().lower()
    if key.isascii():
        return key
    try:
        return dedupe_key(normalise(key))
    except InvalidArgument:
        return key
