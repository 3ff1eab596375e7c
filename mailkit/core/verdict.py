"""What an answer means, and the error for a call that did not succeed: pure functions."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

import attrs

from mailkit.core.call import Raw, Reply
from mailkit.core.retry import Outcome, retry_after
from mailkit.core.secret import Secret, scrub
from mailkit.core.wire import Answer, Refusal, Unclear, Unreadable, check_json
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
"""A service's envelope: the bytes of the value, or its own refusal, exact in shape; raises
Unreadable for what is not the service's, Unclear for what may be."""

_HEAD = 500  # characters of a body that an error shows
_BEFORE_PASSING_ON = frozenset({400, 403, 404, 405, 407, 411, 413, 414, 421, 431})


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
    *,
    repeatable: bool,
) -> Reply[T] | Failure:
    """Which outcome an answer is; only *not sent* can't be told from one.

    Only the service's own envelope can be a success or a refusal. What else comes with a status
    that gateways give before they pass a request on is *not now*; all the rest is *unknown*, as
    is a refusal with 408, a redirect or a 5xx other than 503, which may follow an act. Credentials
    that the service repeats are taken out of its words here.
    """
    status = answer.status
    if answer.body.startswith(BOM_UTF8):
        answer = attrs.evolve(answer, body=answer.body.removeprefix(BOM_UTF8))
    outcome, fault = Outcome.UNKNOWN, f"HTTP {status}"
    try:
        if not repeatable:
            check_json(answer.body)
        opened = opener(answer)
        if isinstance(opened, Refusal):
            if _may_refuse(status) or (opened.later and 500 <= status < 600):
                return _refused(answer, opened, secrets, now)
        elif 200 <= status < 300:
            return Reply(status, answer.headers, reader(opened))
    except Unclear as error:
        fault = str(error)
    except (Unreadable, RecursionError) as error:
        fault = str(error)
        if status in _BEFORE_PASSING_ON:
            outcome = Outcome.NOT_NOW
            fault = f"a gateway turned the request away: {HTTPStatus(status).phrase}"
    return Failure(outcome, _shown(fault, secrets), answer, asked=_asked(answer, now))


def _may_refuse(status: int) -> bool:
    return 200 <= status < 300 or (400 <= status < 500 and status != 408) or status == 503


def _asked(answer: Answer, now: Callable[[], float]) -> float | None:
    return retry_after(answer.headers.get("Retry-After"), now())


def _refused(
    answer: Answer, refusal: Refusal, secrets: tuple[Secret, ...], now: Callable[[], float]
) -> Failure:
    status = answer.status
    refusal = attrs.evolve(
        refusal,
        reasons=tuple(_shown(reason, secrets) for reason in refusal.reasons),
        code=_shown(refusal.code, secrets) if isinstance(refusal.code, str) else refusal.code,
        later=refusal.later or status in (429, 503),
        credentials=refusal.credentials or (status in (401, 403) and not refusal.account),
    )
    text = "; ".join(refusal.reasons) or f"refused with HTTP {status}"
    asked = _asked(answer, now)
    return Failure(Outcome.REFUSED, text, answer, refusal, refusal.wait if asked is None else asked)


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
    if failure.outcome is Outcome.NOT_NOW:
        return Unavailable(text, where, retry_after=asked)
    if failure.outcome is Outcome.UNKNOWN:
        if not repeatable:
            return OutcomeUnknown(f"{text}; the service may have acted, look there", where)
        if status == 429:
            return RateLimited(text, where, retry_after=asked)
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
