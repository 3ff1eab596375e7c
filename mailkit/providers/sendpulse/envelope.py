"""What SendPulse wraps its answers in, and how it says no.

Most answers come bare. Errors are ``{"message":…,"error_code":…}``, whose code is no HTTP status
though it can look like one. Some failures come with HTTP 200: ``{"result":false}``,
``{"success":false}``, ``{"success":true,"data":[false]}``; in the cost of a campaign, though,
``result`` tells whether there is money enough.
"""

from __future__ import annotations

import msgspec

from mailkit.core.wire import Answer, Refusal, Unreadable

__all__ = ["opened"]

_CAMPAIGNS_USED_UP = 791
_TOO_FAST = 2020202020  # more than 10 requests in a second
_HOUR, _SECOND = 3600.0, 1.0
_OF_THE_ACCOUNT = (707, 708, 3030303030)  # no money, more than the plan holds, above the plan


class _Envelope(msgspec.Struct):
    result: object = None
    success: object = None
    data: msgspec.Raw = msgspec.Raw()
    message: object = None
    error: object = None
    error_description: object = None
    errors: object = None
    description: object = None
    error_code: object = None
    max_emails_per_task: object = None  # of a cost, as are the next two
    sent_emails_qty: object = None
    cur: object = None


_decode = msgspec.json.Decoder(_Envelope).decode
_flags = msgspec.json.Decoder(list[bool]).decode


def opened(answer: Answer) -> bytes | msgspec.Raw | Refusal:
    """What the envelope holds, or the service's no; Unreadable if it is none of SendPulse's."""
    good = 200 <= answer.status < 300
    if good and answer.body.lstrip()[:1] in (b"[", b"n"):  # a list, or null
        return answer.body
    try:
        envelope = _decode(answer.body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not an answer of SendPulse: {error}") from None
    if good and not _refused(envelope):
        return envelope.data if envelope.success is not None and envelope.data else answer.body
    code = _code(envelope.error_code)
    if not good and code is None and (answer.status >= 500 or not _reasons(envelope)):
        raise Unreadable("no word of SendPulse's own")  # a gateway may have said it
    return Refusal(
        _reasons(envelope) or ("the service answers false",),
        code,
        later=code in (_CAMPAIGNS_USED_UP, _TOO_FAST),
        wait={_CAMPAIGNS_USED_UP: _HOUR, _TOO_FAST: _SECOND}.get(code) if code else None,
        quota=code == _CAMPAIGNS_USED_UP,
        account=code in _OF_THE_ACCOUNT,
    )


def _refused(envelope: _Envelope) -> bool:
    for mark in (envelope.result, envelope.success):
        if mark not in (None, True, False):  # 1 and 0 are equal to these
            raise Unreadable("neither yes nor no in the answer")
    if envelope.error_code or isinstance(envelope.error, str):
        return True
    if envelope.success is not None and not envelope.success:
        return True
    if envelope.result is not None and not envelope.result:
        cost = (envelope.max_emails_per_task, envelope.sent_emails_qty, envelope.cur)
        return cost == (None, None, None)
    if envelope.success is None or not envelope.data:
        return False
    try:
        return False in _flags(envelope.data)
    except ValueError:  # not a list of yes and no
        return False


def _reasons(envelope: _Envelope) -> tuple[str, ...]:
    said = (
        envelope.message,
        envelope.error,
        envelope.error_description,
        envelope.errors,
        envelope.description,
    )
    return tuple(dict.fromkeys(_text(one) for one in said if one))


def _text(said: object) -> str:
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()


def _code(code: object) -> int | None:
    if isinstance(code, str) and code.isascii() and code.isdigit():
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None
