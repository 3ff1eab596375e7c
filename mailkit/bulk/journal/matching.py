"""Matching what a provider says of a chunk with the chunk's rows: nobody may be missing.

Pure functions of values; the journal calls them inside the transaction that reads and writes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import attrs

from mailkit.address import dedupe_key, normalize
from mailkit.bulk.journal.records import RowState
from mailkit.bulk.journal.suppressions import SUPPRESSES
from mailkit.bulk.policy import suspects
from mailkit.core.dispatch import RowStatus, RowStatuses
from mailkit.errors import InvalidArgument
from mailkit.events import DeliveryStatus

__all__ = [
    "Alike",
    "ChunkKeys",
    "ReconcileResult",
    "RowChange",
    "RowKey",
    "common_news",
    "judge",
    "key_of",
    "keys_of",
    "match",
]

_SUPPRESSES = int(min(SUPPRESSES))
_TAKEN = int(DeliveryStatus.QUEUED)  # how far a message got at least that is named as taken

RowKey = tuple[int, str, str | None, int | None]
"""A row of an accepted chunk, as the journal gives it: its id, what to match it by, its own state
and its own delivery."""
_Said = tuple[DeliveryStatus | None, bool, str, bool]  # a RowStatus without its address
Alike = Mapping[tuple[str | None, int | None, _Said | None], Sequence[RowKey]]
"""Rows together whose state and own delivery are the same, and of which the same was said: what
follows from that is the same, too."""
_Following = tuple[int, int | None, Sequence[RowKey]]  # their delivery, their own one so far


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
    none of their own, the ids of rows of which the own delivery alone changes, by what it becomes,
    and whole rows. ``missing`` rows were never named; ``reconciled`` says that nobody is looked for
    any longer. ``held`` has the words in which rows were refused for the account's sake, if any
    were. ``suppressed`` are the keys of people who are not to be mailed any more, with the
    deliveries that say so. ``rises`` has how many rows went from one delivery to another. ``found``
    are the keys of people who were rejected, as it seemed.
    """

    delivery: int
    deliveries: Mapping[int | None, Sequence[int]]
    changes: Sequence[RowChange]
    missing: int
    reconciled: bool
    held: str | None = None
    suppressed: Sequence[tuple[str, int]] = ()
    rises: Mapping[tuple[int, int], int] = attrs.field(factory=dict)
    found: Sequence[str] = ()


def match(chunk: ChunkKeys, statuses: RowStatuses, doubt: str | None) -> ReconcileResult:
    """Join rows and statuses by address; statuses of strangers are ignored.

    A good word wins: an address that is named as taken, now or in an earlier poll, is not rejected
    for being named as refused too, and one that was rejected or in doubt is so no more. Deliveries
    only go up (see DeliveryStatus). Rows that were never named are left as they are, or become
    doubtful for the reason ``doubt``, but only until the chunk is reconciled.
    """
    if chunk.reconciled:
        doubt = None
    alike = _alike(chunk.rows, statuses)
    return judge(chunk.delivery, alike, doubt, reconciled=chunk.reconciled, all=chunk.all)


def judge(
    common: int, alike: Alike, doubt: str | None, *, reconciled: bool = False, all: bool = False
) -> ReconcileResult:
    """What `match` gives for rows and what was said of them, of chunks with this delivery; unless
    they are ``all`` of a chunk, that stays as it is.
    """
    following: list[_Following] = []
    changed: list[RowChange] = []
    missing = 0
    held: str | None = None
    suppressed: list[tuple[str, int]] = []
    found: list[str] = []
    rises: dict[tuple[int, int], int] = defaultdict(int)
    rejected: dict[int, tuple[str, str]] = {}
    for (state, own, said), rows in alike.items():
        delivery = own if own is not None else common if state is None else 0
        if said is None:
            if state is None:
                missing += 0 if delivery else len(rows)
                if doubt is None or delivery:
                    following.append((delivery, own, rows))
                else:
                    changed += _changes(rows, RowState.IN_DOUBT, doubt, delivery)
            continue
        news, refused, reason, account = said
        if refused:
            named = delivery if all else own  # what holds for all is less than its own word
            if state != RowState.REJECTED and not named:
                changed += _changes(rows, RowState.REJECTED, reason or "refused", 0)
                rejected |= {row_id: (key, reason) for row_id, key, _, _ in rows}
                if delivery:
                    rises[delivery, 0] += len(rows)
                if account:
                    held = held or reason
            elif state is None:
                following.append((delivery, own, rows))
            continue
        if state == RowState.REJECTED:
            found += [key for _, key, _, _ in rows]
        before = delivery
        delivery = max(delivery, news or _TAKEN)
        if delivery != before:
            rises[before, delivery] += len(rows)
            if delivery >= _SUPPRESSES:
                suppressed += [(key, delivery) for _, key, _, _ in rows]
        now = RowState.ACCEPTED if state == RowState.ACCEPTED else None
        if now != state or (reason and delivery != before):
            changed += _changes(rows, now, reason or None, delivery)
        elif state is None:
            following.append((delivery, own, rows))
        elif delivery != before:
            changed += _changes(rows, now, None, delivery)
    if rejected:
        held = held or next(iter(suspects(rejected).values()), None)
    common, deliveries = _shared(common, following, settled=not all)
    reconciled = reconciled or doubt is not None or not missing
    return ReconcileResult(
        common, deliveries, changed, missing, reconciled, held, suppressed, rises, found
    )


def common_news(statuses: RowStatuses) -> tuple[int, Sequence[str]] | None:
    """How far all messages came that are named, and the keys of whom they went to; None unless the
    same is said of each, and is about nobody in particular.
    """
    said = _by_word(statuses)
    if len(said) != 1:
        return None
    [((news, refused, reason, _), addresses)] = said.items()
    if refused or reason or (news or 0) >= _SUPPRESSES:
        return None
    return news or _TAKEN, keys_of(addresses)


def _alike(rows: Iterable[RowKey], statuses: RowStatuses) -> Alike:
    said, heard = _by_key(statuses)
    alike: dict[tuple[str | None, int | None, int], list[RowKey]] = defaultdict(list)
    for row in rows:
        _, key, state, own = row
        alike[state, own, heard.get(key, -1)].append(row)
    words = [*said, None]
    return {(state, own, words[at]): rows for (state, own, at), rows in alike.items()}


def _changes(
    rows: Iterable[RowKey], state: RowState | None, reason: str | None, delivery: int
) -> Iterator[RowChange]:
    return (RowChange(row_id, state, reason, delivery) for row_id, *_ in rows)


def _shared(
    common: int, following: Sequence[_Following], *, settled: bool
) -> tuple[int, Mapping[int | None, Sequence[int]]]:
    """What most rows that follow their chunk have in common goes to the chunk, unless that is
    settled.
    """
    if following and not settled:
        counts: Counter[int] = Counter()
        for delivery, _, rows in following:
            counts[delivery] += len(rows)
        common = counts.most_common(1)[0][0]
    deliveries: dict[int | None, list[int]] = defaultdict(list)
    for delivery, own, rows in following:
        wanted = None if delivery == common else delivery
        if wanted != own:
            deliveries[wanted] += [row_id for row_id, *_ in rows]
    return common, deliveries


def _by_key(statuses: RowStatuses) -> tuple[Sequence[_Said], Mapping[str, int]]:
    """What is said, and which of it of whom: the best, where it is several things."""
    said = sorted(_by_word(statuses).items(), key=lambda one: _weight(one[0]))
    heard: dict[str, int] = {}
    for place, (_, addresses) in enumerate(said):
        heard.update(dict.fromkeys(keys_of(addresses), place))
    return [word for word, _ in said], heard


def _by_word(statuses: RowStatuses) -> Mapping[_Said, Sequence[str]]:
    said: dict[_Said, list[str]] = defaultdict(list)
    for one in statuses:
        if isinstance(one, RowStatus):
            said[one[1:]].append(one.address)
        else:
            said[one.delivery, one.rejected, one.reason, one.held] += one.addresses
    return said


def _weight(said: _Said) -> tuple[bool, int]:
    news, refused, _, _ = said
    return not refused, news or 0


def keys_of(addresses: Sequence[str]) -> Sequence[str]:
    """The keys of all of them, at once where nothing about them is odd."""
    text = "".join(addresses)
    if not (text.isascii() and text.isprintable()) or " " in text:
        return [key_of(address) for address in addresses]
    return addresses if text == text.lower() else [address.lower() for address in addresses]


def key_of(address: str) -> str:
    """What to match a row by that a provider names by this address."""
    key = address.strip().lower()
    if key.isascii():
        return key
    try:
        return dedupe_key(normalize(key))
    except InvalidArgument:
        return key
