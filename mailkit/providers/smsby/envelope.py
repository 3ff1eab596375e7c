"""The many envelopes of one host.

``{"status":"OK","result":…}``, ``{"status":"success","data":…}``, ``{"success":"OK","uuid":…}`` are
successes; ``{"error":"…"}`` and ``{"status":"error","message":"…"}`` with a documented status are
refusals. An error's form is that of many gateways, so its words count too: those that tell of a
failure on the way, or only repeat the HTTP status, are not taken for sms.by's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from mailkit.core.reading import decode
from mailkit.core.wire import Answer, Refusal, Unclear, Unreadable, about_money, says_only

__all__ = ["opened"]


class _Envelope(msgspec.Struct):
    status: object = None
    success: object = None
    error: object = None
    result: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Envelope).decode
_REFUSES_WITH = (200, 400, 404, 421, 429)  # 500 is documented too, but may follow an act
_MADE = frozenset({"uuid", "email_id", "message_id"})
_of_the_token = re.compile(r"(?i)\b(token|api[ _-]?key|unauthori[sz]ed|токен|авторизац)").search
_of_a_failure = re.compile(
    r"(?i)timed?[ -]?out|deadline exceeded|execution time|out of memory|memory size|exception"
    r"|fatal error|unexpected (?:end|eof|token|response)|went wrong|unknown error|internal error"
    r"|server error|status code|\b50[234]\b|temporar(?:y|ily) (?:error|failure|unavailable)"
    r"|service (?:is )?unavailable|overloaded|server (?:is )?busy|maintenance|upstream|gateway"
    r"|proxy|backend|\borigin\b|circuit|no healthy|(?:no|bad|invalid|empty) response|not respond"
    r"|connection|ECONN|disconnect|(?:to|not) connect\b|connect error|socket|network error"
    r"|unreachable|hang up|aborted|context cancel|broken pipe|EPIPE|EHOST|ENOTFOUND|EAI_|\bEOF\b"
    r"|fetch failed|failed to fetch|resolve host|TLS|handshake|SQLSTATE|deadlock|lock wait"
    r"|gone away|header|cookie|no such route|no route|page not found|authori[sz]ation field"
    r"|firewall|captcha|(?:время|времени) ожидания|тайм-?аут|соединени|внутренняя ошибка"
    r"|ошибка сервера|неизвестная ошибка|технические работы"
    r"|(?:сервис|сервер) (?:временно )?(?:недоступ|занят|перегруж)"
).search


def opened(answer: Answer) -> bytes | msgspec.Raw | Refusal:
    """What the envelope holds, or the service's no; Unreadable if it is none of sms.by's."""
    try:
        envelope = _decode(answer.body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not an answer of sms.by: {error}") from None
    marks = [mark for mark in (envelope.status, envelope.success) if mark is not None]
    if marks and all(map(_good, marks)) and not envelope.error:
        return envelope.result or envelope.data or answer.body
    tree: Mapping[str, object] = {
        key: value for key, value in decode(answer.body).items() if value not in (None, "")
    }
    if any(map(_good, marks)) or _names_what_it_made(tree):
        raise Unclear("neither a success nor a refusal in the answer")
    said = _said(tree) if answer.status in _REFUSES_WITH else None
    if said is None or _may_be_a_gateway_s(said, answer.status):
        raise Unreadable("not an answer of sms.by: neither a success nor a refusal")
    reasons = (said,)
    return Refusal(
        reasons, credentials=_of_the_token(said) is not None, account=about_money(reasons)
    )


def _said(tree: Mapping[str, object]) -> str | None:
    """The words of a refusal that has exactly one of the two forms; else None."""
    mark = tree.get("status")
    if tree.keys() == {"error"}:
        said = tree["error"]
    elif tree.keys() == {"status", "message"} and isinstance(mark, str):
        said = tree["message"] if mark.casefold() == "error" else None
    else:
        said = None
    return said if isinstance(said, str) and said.strip() else None


def _names_what_it_made(tree: Mapping[str, object]) -> bool:
    parts = (tree, tree.get("result"), tree.get("data"))
    return any(isinstance(part, dict) and part.keys() & _MADE for part in parts)


def _may_be_a_gateway_s(said: str, status: int) -> bool:
    """Whether it tells of a failure, or only repeats a status that gateways give."""
    return _of_a_failure(said) is not None or (status != 429 and says_only(status, said))


def _good(mark: object) -> bool:
    return isinstance(mark, str) and mark.casefold() in ("ok", "success")
