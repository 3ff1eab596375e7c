"""A person's word on rows: in doubt, they were taken or not; rejected, they are ordered again."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailkit.address import dedupe_key, normalize
from mailkit.bulk.journal import Chosen, JobRecord, Journal, ReplanResult
from mailkit.core.arguments import checked
from mailkit.core.clock import Clock
from mailkit.errors import InvalidArgument

__all__ = ["replan_rejected", "resolve"]

_label = re.compile(r"(?:.*#)?(\d{1,9})(?:\.(\d{1,9}))?", re.DOTALL | re.ASCII).fullmatch


@checked
async def resolve(
    journal: Journal,
    name: str,
    *chunks: int | str,
    accepted: bool,
    addresses: Iterable[str] = (),
    clock: Clock = Clock(),
) -> int:
    """Say of rows in doubt that the provider took them (``accepted``) or that they were not sent.

    Name what you looked for: chunks, by their number or, exactly, by the label that the provider
    shows (``"autumn #12.2"``), single ``addresses``, or addresses of chunks. What was not sent is
    planned again, and the next ``resume`` sends it. Returns the number of rows.

    InvalidArgument, and nothing is changed, if something named is not in doubt, if nothing is
    named, and for a word *not sent* that comes so early that the request could still arrive: while
    the process lives that made it, or soon after.
    """
    chosen = _chosen(chunks, addresses)
    record = await journal.jobs.get(name)
    if chosen == Chosen():
        raise InvalidArgument(await _choice(journal, record))
    if accepted:
        return await journal.resolving.accepted(record, chosen)
    return await journal.resolving.not_sent(record, chosen, clock.now())


@checked
async def replan_rejected(
    journal: Journal, name: str, *chunks: int | str, addresses: Iterable[str] = ()
) -> ReplanResult:
    """Plan what the provider rejected again: all of it, or these chunks or ``addresses``.

    The next ``resume`` sends it. Rows whose people have the message from another job by now
    become duplicates instead. InvalidArgument, and nothing is changed, if something named is not
    rejected.
    """
    chosen = _chosen(chunks, addresses)
    return await journal.resolving.again(await journal.jobs.get(name), chosen)


def _chosen(chunks: Iterable[int | str], addresses: Iterable[str]) -> Chosen:
    keys = frozenset(dedupe_key(normalize(address)) for address in addresses)
    return Chosen(dict(map(_chunk, chunks)) or None, keys or None)


def _chunk(label: int | str) -> tuple[int, int | None]:
    """The number and the attempt in a label; a bare number in text is the first attempt."""
    if isinstance(label, int):
        return label, None
    parts = _label(label.strip())
    if parts is None:
        raise InvalidArgument(f"{label!r} is not a chunk: use its number, or its label: 12, 12.2")
    return int(parts[1]), int(parts[2] or 1)


async def _choice(journal: Journal, record: JobRecord) -> str:
    """What can be named, in a sentence."""
    doubts = await journal.reports.doubts(record)
    if not doubts:
        return f"nothing in the job {record.name} is in doubt"
    labels = [f"{one.n}.{one.attempt}" if one.attempt > 1 else f"{one.n}" for one in doubts]
    some = ", ".join(labels[:20]) + (", …" if len(labels) > 20 else "")
    return f"give the chunks of the job {record.name} that you checked; in doubt: {some}"
