"""The many envelopes of one host.

``{"status":"OK","result":…}``, ``{"status":"success","data":…}``, ``{"success":"OK","uuid":…}`` are
successes; ``{"error":"…"}`` at HTTP 200, ``{"status":"error","message":"…"}`` and all else of that
kind are refusals.
"""

from __future__ import annotations

import re

import msgspec

from mailkit.core.wire import Answer, Refusal, Unreadable, about_money

__all__ = ["opened"]


class _Envelope(msgspec.Struct):
    status: object = None
    success: object = None
    error: object = None
    message: object = None
    code: object = None
    result: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Envelope).decode
_of_the_token = re.compile(r"(?i)\b(token|api[ _-]?key|unauthori[sz]ed|токен|авторизац)").search


def opened(answer: Answer) -> bytes | msgspec.Raw | Refusal:
    """What the envelope holds, or the service's no; Unreadable if it is none of sms.by's."""
    try:
        envelope = _decode(answer.body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not an answer of sms.by: {error}") from None
    mark = envelope.success if envelope.status is None else envelope.status
    if not envelope.error and _good(mark):
        return envelope.result or envelope.data or answer.body
    told = envelope.message is not None and answer.status < 500  # else a gateway may say that
    if mark is None and envelope.error is None and not told:
        raise Unreadable("neither a status nor an error in the answer")
    reasons = tuple(_text(said) for said in (envelope.error, envelope.message) if said)
    code = envelope.code if isinstance(envelope.code, int | str) else None
    return Refusal(
        reasons or (f"status {_text(mark)}",),
        code,
        credentials=any(_of_the_token(reason) for reason in reasons),
        account=about_money(reasons),
    )


def _good(mark: object) -> bool:
    return mark is True or (isinstance(mark, str) and mark.casefold() in ("ok", "success"))


def _text(said: object) -> str:
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()
