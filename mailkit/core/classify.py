"""What a response means, and the error for a call that did not succeed: pure functions."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

import attrs

from mailkit.core.call import CallResult, Gone, Raw
from mailkit.core.moments import spoken
from mailkit.core.retry import Outcome, parse_retry_after
from mailkit.core.secret import Secret, scrub
from mailkit.core.turned_away import STATUSES, turned_away
from mailkit.core.wire import Missing, Refusal, Response, Unclear, Unreadable, check_json
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    BadResponse,
    ErrorContext,
    NotFound,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Refused,
    RequestError,
    Unavailable,
)

__all__ = ["EnvelopeReader", "Failure", "already_done", "classify", "error_of"]

T = TypeVar("T")

EnvelopeReader = Callable[[Response], Raw | Refusal]
"""A service's envelope: the bytes of the value, or its own refusal, exact in shape; raises
Unreadable for what is not the service's, Unclear for what may be."""

_EXCERPT = 500  # characters of a body that an error shows
_FAILED = frozenset({500, 502, 503, 504})
_NO_REFUSAL = Refusal()


@attrs.frozen
class Failure:
    """An attempt that did not succeed; ``retry_after`` is the wait that the service asks for.

    A ``refusal`` of credentials may be *not now*, too: whoever turned the request away.
    """

    outcome: Outcome
    text: str
    response: Response | None = None
    refusal: Refusal = attrs.field(factory=Refusal)
    retry_after: float | None = None


def classify(
    response: Response,
    unwrap: EnvelopeReader,
    reader: Callable[[Raw], T],
    secrets: Callable[[], tuple[Secret, ...]],
    now: Callable[[], float],
    *,
    repeatable: bool,
) -> CallResult[T] | Failure:
    """Which outcome a response is; only *not sent* can't be told from one.

    Only the service's own envelope can be a success or a refusal. What else comes with a status
    that gateways give before they pass a request on is *not now*, unless it may be a program's that
    has failed; all the rest is *unknown*, as is a refusal with 408, a redirect or a 5xx other than
    503, which may follow an act. Credentials that the service repeats are taken out of its words
    here.
    """
    status = response.status
    if response.body.startswith(BOM_UTF8):
        response = attrs.evolve(response, body=response.body.removeprefix(BOM_UTF8))
    outcome, fault, refusal = Outcome.UNKNOWN, "", _NO_REFUSAL
    try:
        if not repeatable:
            check_json(response.body)
        unwrapped = unwrap(response)
        if not isinstance(unwrapped, Refusal):
            if 200 <= status < 300:
                return CallResult(status, response.headers, reader(unwrapped))
        elif _may_refuse(status) or (unwrapped.later and 500 <= status < 600):
            return _refused(response, unwrapped, secrets(), now)
    except Missing as error:
        return _refused(response, Refusal((str(error),), missing=True), secrets(), now)
    except Unclear as error:
        fault = str(error)
    except (Unreadable, RecursionError) as error:
        fault = str(error)
        words = turned_away(status, response.body) if status in STATUSES else None
        if words is not None:
            outcome, words = Outcome.NOT_NOW, _shown(words, secrets())
            fault = f"the request was turned away: {words}"
            refusal = Refusal((words,), credentials=True) if status == 401 else refusal
        elif status in _FAILED:
            fault = f"the service or a gateway failed: {HTTPStatus(status).phrase}"
    text = _shown(fault, secrets()) or f"HTTP {status}"
    return Failure(outcome, text, response, refusal, _retry_after(response, now))


def already_done(
    failure: Failure, gone: Gone | None, reader: Callable[[Raw], T]
) -> CallResult[T] | Failure:
    """What a failure is after an attempt whose outcome is unknown: a success, if the service
    refuses because there is nothing left to do.
    """
    response = failure.response
    if response is None or failure.outcome is not Outcome.REFUSED or gone is None:
        return failure
    if not gone.refuses(failure.refusal):
        return failure
    return CallResult(response.status, response.headers, reader(gone.response))


def _may_refuse(status: int) -> bool:
    return 200 <= status < 300 or (400 <= status < 500 and status != 408) or status == 503


def _retry_after(response: Response, now: Callable[[], float]) -> float | None:
    return parse_retry_after(response.headers.get("Retry-After"), now())


def _refused(
    response: Response, refusal: Refusal, secrets: tuple[Secret, ...], now: Callable[[], float]
) -> Failure:
    status = response.status
    refusal = attrs.evolve(
        refusal,
        reasons=tuple(_shown(reason, secrets) for reason in refusal.reasons),
        code=_shown(refusal.code, secrets) if isinstance(refusal.code, str) else refusal.code,
        later=refusal.later or status in (429, 503),
        credentials=refusal.credentials or (status in (401, 403) and not refusal.account),
        missing=refusal.missing or status == 404,
    )
    text = "; ".join(refusal.reasons) or f"refused with HTTP {status}"
    if refusal.remedy:
        text = f"{text}; {refusal.remedy}"
    retry_after = _retry_after(response, now)
    return Failure(
        Outcome.REFUSED,
        text,
        response,
        refusal,
        refusal.retry_after if retry_after is None else retry_after,
    )


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
    response, refusal, retry_after = failure.response, failure.refusal, failure.retry_after
    status = None if response is None else response.status
    context = ErrorContext(provider, call, status, refusal.code, _excerpt(response, secrets))
    text = failure.text
    if failure.outcome is Outcome.NOT_SENT:
        return NotSent(text, context)
    if failure.outcome is Outcome.NOT_NOW:
        if refusal.credentials and not repeatable:
            return AuthenticationFailed(text, context, reasons=refusal.reasons)
        return Unavailable(text, context, retry_after=retry_after)
    if failure.outcome is Outcome.UNKNOWN:
        if not repeatable:
            return OutcomeUnknown(
                f"{text}; the service may have processed it: check there", context
            )
        if status == 429:
            return RateLimited(text, context, retry_after=retry_after)
        if status is None or status >= 400:
            return Unavailable(text, context, retry_after=retry_after)
        return BadResponse(text, context)
    reasons = refusal.reasons
    if refusal.later:
        if retry_after is not None:
            text = f"{text}; try again in {spoken(retry_after)}"
        if refusal.quota:
            at = None if retry_after is None else datetime.fromtimestamp(now + retry_after, UTC)
            return QuotaExhausted(text, context, available_at=at)
        kind = Unavailable if status == 503 else RateLimited
        return kind(text, context, retry_after=retry_after)
    if refusal.credentials:
        return AuthenticationFailed(text, context, reasons=reasons)
    if refusal.account:
        return AccountRefused(text, context, reasons=reasons)
    if refusal.missing:
        return NotFound(text, context, reasons=reasons)
    return Refused(text, context, reasons=reasons)


def _excerpt(response: Response | None, secrets: tuple[Secret, ...]) -> str:
    if response is None:
        return ""
    return _shown(response.body[: 4 * _room(secrets)].decode("utf-8", "replace"), secrets)


def _shown(text: str, secrets: tuple[Secret, ...]) -> str:
    """The beginning of a text, scrubbed before it is cut, so that no half credential stays."""
    return scrub(text[: _room(secrets)], secrets)[:_EXCERPT]


def _room(secrets: tuple[Secret, ...]) -> int:
    return _EXCERPT + 3 * max((len(secret.reveal()) for secret in secrets), default=0)
