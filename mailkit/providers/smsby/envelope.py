"""The many envelopes of one host.

``{"status":"OK","result":…}``, ``{"status":"success","data":…}``, ``{"success":"OK","uuid":…}`` are
successes; ``{"error":"…"}`` and ``{"status":"error","message":"…"}`` with a documented status are
refusals. An error's form is that of many gateways, so its words count too: those that only repeat
the HTTP status are not taken for sms.by's, and a reported failure may have come after the act.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from mailkit.core.failure_words import about_failure
from mailkit.core.reading import decode
from mailkit.core.wire import Refusal, Response, Unclear, Unreadable
from mailkit.core.words import about_account, says_only

__all__ = ["confirmed", "unwrap"]


class _Envelope(msgspec.Struct):
    status: object = None
    success: object = None
    error: object = None  # as the next three, a no where it is something
    errors: object = None
    is_error: object = None
    failure: object = None
    result: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Envelope).decode
_REFUSES_WITH = (200, 400, 404, 421, 429)  # 500 is documented too, but may follow an act
_MADE = frozenset({"uuid", "email_id", "message_id"})
_of_the_token = re.compile(
    r"(?i)\b(token|api[ _-]?key|(un)?authori[sz](ed|ation)\b|authentication (failed|error)"
    r"|токен|авториз|аутентифик|аўтарыз|аўтэнтыф)"
).search


def unwrap(response: Response) -> bytes | msgspec.Raw | Refusal:
    """What the envelope holds, or the service's no; Unreadable if it is none of sms.by's."""
    try:
        envelope = _decode(response.body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not a response of sms.by: {error}") from None
    status, success = envelope.status, envelope.success
    complains = envelope.error or envelope.errors or envelope.is_error or envelope.failure
    good = _good(success) if status is None else success is None or _good(success)
    if good and not complains and (status is None or _good(status)):
        return envelope.result or envelope.data or response.body
    tree: Mapping[str, object] = {
        key: value for key, value in decode(response.body).items() if value not in (None, "")
    }
    if _good(status) or _good(success) or _names_what_it_made(tree):
        raise Unclear("neither a success nor a refusal in the response")
    said, code = _said(tree), response.status
    echo = said is not None and code != 429 and says_only(code, said)
    if said is not None and not echo and about_failure(said):
        raise Unclear(f"the service failed: {said}")
    if said is None or echo or code not in _REFUSES_WITH:
        raise Unreadable("not a response of sms.by: neither a success nor a refusal")
    reasons = (said,)
    return Refusal(
        reasons, credentials=_of_the_token(said) is not None, account=about_account(reasons)
    )


def confirmed(tree: Any) -> None:
    """For a call that returns nothing: Unreadable if its success holds something that is not a yes,
    such as ``"result":false``.
    """
    envelope = isinstance(tree, dict) and bool(tree.keys() & {"status", "success"})
    if not envelope and tree is not None and tree is not True:
        raise Unreadable("the response does not say that it is done")


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


def _good(mark: object) -> bool:
    return isinstance(mark, str) and (mark == "OK" or mark.casefold() in ("ok", "success"))
