"""Matching what a provider says of a chunk with the chunk's rows: nobody may be missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mailkit.address import dedupe_key, normalise
from mailkit.bulk.journal import ChunkKeys, Findings, RowChange
from mailkit.core.dispatch import RowStatus
from mailkit.errors import InvalidArgument
from mailkit.events import FINAL

__all__ = ["match"]


def match(chunk: ChunkKeys, statuses: Sequence[RowStatus], doubt: str | None) -> Findings:
    """Join rows and statuses by address; statuses of strangers are ignored.

    An address named as refused is rejected, also if it is named as taken too; a row in doubt that
    is named is in doubt no more. Deliveries only go up (see DeliveryStatus). Rows that no status
    names are left as they are, or become doubtful for the reason ``doubt``.
    """
    heard = _by_key(statuses)
    common = chunk.delivery
    following: list[tuple[int, int | None, int]] = []  # delivery, own delivery so far, row id
    changed: list[RowChange] = []
    missing = unfinished = 0
    for row_id, key, state, own in chunk.rows:
        delivery = own if own is not None else common if state is None else 0
        status = heard.get(key)
        if status is None:
            if state is None:
                missing += 1
                if doubt is not None:
                    changed.append(RowChange(row_id, "in doubt", doubt, delivery))
                else:
                    unfinished += delivery not in FINAL
                    following.append((delivery, own, row_id))
            else:
                unfinished += state == "in doubt"
            continue
        _, news, refused, reason = status
        if refused:
            if state != "rejected":
                changed.append(RowChange(row_id, "rejected", reason or "refused", delivery))
            continue
        before = delivery
        if news is not None and news > delivery:
            delivery = int(news)
        unfinished += delivery not in FINAL
        now = None if state == "in doubt" else state
        if now != state or (reason and delivery != before):
            changed.append(RowChange(row_id, now, reason or None, delivery))
        elif state is None:
            following.append((delivery, own, row_id))
        elif delivery != before:
            changed.append(RowChange(row_id, state, None, delivery))
    return _settled(common, following, changed, unfinished, missing)


def _settled(
    common: int,
    following: Sequence[tuple[int, int | None, int]],
    changed: Sequence[RowChange],
    unfinished: int,
    missing: int,
) -> Findings:
    """What most rows that follow their chunk have in common goes to the chunk."""
    counts = Counter(delivery for delivery, _, _ in following)
    if counts:
        common = counts.most_common(1)[0][0]
    deliveries: list[tuple[int | None, int]] = []
    for delivery, own, row_id in following:
        wanted = None if delivery == common else delivery
        if wanted != own:
            deliveries.append((wanted, row_id))
    # A row that changes keeps its delivery for itself.
    apart = len(following) - counts[common] + sum(row.state is None for row in changed)
    return Findings(common, apart, deliveries, changed, unfinished, missing)


def _by_key(statuses: Sequence[RowStatus]) -> Mapping[str, RowStatus]:
    heard = {status.address.strip().lower(): status for status in statuses}
    if len(heard) == len(statuses) and "".join(heard).isascii():
        return heard
    heard = {}
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
