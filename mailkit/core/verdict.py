"""What an answer means, and the error for a call that did not succeed: pure functions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import attrs

from mailkit.core.call import Raw, Reply
from mailkit.core.retry import Outcome, retry_after
from mailkit.core.secret import Secret, scrub
from mailkit.core.wire import Answer, Refusal, Unreadable
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    BadAnswer,
    NotFound,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    RequestError,
    Unavailable,
    Where,
)

__all__ = ["Failure", "Opener", "error_of", "judge"]

T = TypeVar("T")

Opener = Callable[[Answer], Raw | Refusal]
"""A service's envelope: the bytes of the value, or a refusal; raises Unreadable."""

_HEAD = 500  # characters of a body that an error shows


@attrs.frozen
class Failure:
    """An attempt that did not succeed; ``asked`` is the wait in seconds that the service asks."""

    outcome: Outcome
    text: str
    answer: Answer | None = None
    refusal: Refusal = attrs.field(factory=Refusal)
    asked: float | None = None


def judge(
    answer: Answer,
    opener: Opener,
    reader: Callable[[Raw], T],
    secrets: tuple[Secret, ...],
    now: Callable[[], float],
) -> Reply[T] | Failure:
    """Which of the four outcomes an answer is; only *not sent* can't be told from one.

    4xx and refusing envelopes are *refused*, as is 503 if the service itself says so. Redirects,
    408, the other 5xx and 2xx without a readable value are *unknown*. Credentials that the service
    repeats are taken out of its words here.
    """
    status = answer.status
    try:
        opened = opener(answer)
        if 200 <= status < 300 and not isinstance(opened, Refusal):
            return Reply(status, answer.headers, reader(opened))
    except Unreadable as error:
        opened = None
        fault = str(error)
    else:
        fault = f"HTTP {status}"
    asked = retry_after(answer.headers.get("Retry-After"), now())
    refusal = opened if isinstance(opened, Refusal) else None
    if 400 <= status < 500 and status != 408:
        refusal = refusal or Refusal()
    elif refusal is not None and not (status < 300 or status == 503 or refusal.later):
        refusal = None
    if refusal is None:
        return Failure(Outcome.UNKNOWN, _shown(fault, secrets), answer, asked=asked)
    if asked is None:
        asked = refusal.wait
    refusal = attrs.evolve(
        refusal,
        reasons=tuple(_shown(reason, secrets) for reason in refusal.reasons),
        code=_shown(refusal.code, secrets) if isinstance(refusal.code, str) else refusal.code,
        later=refusal.later or status in (429, 503),
        credentials=refusal.credentials or status in (401, 403),
    )
    text = "; ".join(refusal.reasons) or f"refused with HTTP {status}"
    return Failure(Outcome.REFUSED, text, answer, refusal, asked)


def error_of(
    failure: Failure,
    *,
    provider: str,
    call: str,
    repeatable: bool,
    secrets: tuple[Secret, ...],
    now: float,
) -> RequestError:
    """The error that tells the caller what to do next."""
    answer, refusal, asked = failure.answer, failure.refusal, failure.asked
    status = None if answer is None else answer.status
    where = Where(provider, call, status, refusal.code, _head(answer, secrets))
    text = failure.text
    if failure.outcome is Outcome.NOT_SENT:
        return NotSent(text, where)
    if failure.outcome is Outcome.UNKNOWN:
        if not repeatable:
            return OutcomeUnknown(f"{text}; the service may have acted, look there", where)
        if status is None or status >= 400:
            return Unavailable(text, where, retry_after=asked)
        return BadAnswer(text, where)
    reasons = refusal.reasons
    if refusal.later:
        if asked is not None:
            text = f"{text}; try again in {asked:.0f} s"
        if refusal.quota:
            at = None if asked is None else datetime.fromtimestamp(now + asked, UTC)
            return QuotaExhausted(text, where, available_at=at)
        kind = Unavailable if status == 503 else RateLimited
        return kind(text, where, retry_after=asked)
    if refusal.credentials:
        return AuthenticationFailed(text, where, reasons=reasons)
    if refusal.account:
        return AccountRefused(text, where, reasons=reasons)
    if status == 404:
        return NotFound(text, where, reasons=reasons)
    return Refused(text, where, reasons=reasons)


def _head(answer: Answer | None, secrets: tuple[Secret, ...]) -> str:
    if answer is None:
        return ""
    return _shown(answer.body[: 4 * _room(secrets)].decode("utf-8", "replace"), secrets)


def _shown(text: str, secrets: tuple[Secret, ...]) -> str:
    """The beginning of a text, scrubbed before it is cut, so that no half credential stays."""
    return scrub(text[: _room(secrets)], secrets)[:_HEAD]


def _room(secrets: tuple[Secret, ...]) -> int:
    return _HEAD + 3 * max((len(secret.reveal()) for secret in secrets), default=0)
