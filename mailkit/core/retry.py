"""Outcomes of a request, and whether and when to try again: pure functions."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from random import Random

import attrs

from mailkit.core.checks import number

__all__ = ["Outcome", "Policy", "delay", "parse_retry_after"]

_YEAR = 366 * 86400.0


class Outcome(Enum):
    """The outcome of a request: the service accepted it, refused it in its own words, never saw a
    byte of it, or it is unknown. *Not now*: a gateway turned it away before the service saw it.
    """

    ANSWERED = "answered"
    REFUSED = "refused"
    NOT_SENT = "not sent"
    NOT_NOW = "not now"
    UNKNOWN = "unknown"


@attrs.frozen
class Policy:
    """How often and how long: ``attempts`` at most, ``total`` seconds in all.

    The wait before attempt n+1 is random between half of ``first`` * 2**(n-1) seconds and all of
    it, at most ``longest``.
    """

    attempts: int = attrs.field(default=3, validator=number(least=1, whole=True))
    total: float = 60.0
    first: float = 0.5
    longest: float = 20.0


def delay(
    outcome: Outcome,
    *,
    later: bool,
    retry_after: float | None,
    attempt: int,
    elapsed: float,
    repeatable: bool,
    policy: Policy,
    random: Random,
) -> float | None:
    """The seconds to wait before the next attempt, or None for no other attempt.

    ``later``: the service refused but may accept the same request after a wait. ``retry_after``:
    the wait it asks for. ``attempt`` counts from 1; ``elapsed`` is seconds since the first began.
    A request that is not repeatable goes out again only if it was certainly not acted upon; a
    gateway's word is not enough for that.
    """
    again = (
        outcome is Outcome.NOT_SENT
        or (outcome is Outcome.REFUSED and later)
        or (outcome in (Outcome.UNKNOWN, Outcome.NOT_NOW) and repeatable)
    )
    if not again or attempt >= policy.attempts:
        return None
    longest = min(policy.first * 2 ** min(attempt - 1, 30), policy.longest)
    wait = longest * (0.5 + random.random() / 2)
    if retry_after is not None:
        wait = max(wait, retry_after)
    return wait if elapsed + wait <= policy.total else None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """A Retry-After header in seconds from ``now`` (seconds since 1970), or None.

    Seconds or a date; a date in the past is 0, anything beyond a year is a year. What is neither,
    or negative, is None.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _YEAR)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, moment.timestamp() - now), _YEAR)
