"""What SendPulse wraps its responses in, and how it says no.

Most responses come bare. Errors are ``{"message":…,"error_code":…}``, see ``error_codes``. Some
failures come with HTTP 200: ``{"result":false}``, ``{"success":false}``,
``{"success":true,"data":[false]}``; in the cost of a campaign, though, ``result`` says whether
there is enough money. A call that returns nothing has succeeded if ``result`` or ``success`` says
so, and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mailkit.core.failure_words import about_failure
from mailkit.core.reading import decode, php_list
from mailkit.core.wire import Refusal, Response, Unclear, Unreadable
from mailkit.core.words import says_only
from mailkit.providers.sendpulse.error_codes import refusal_of

__all__ = ["confirmed", "each_confirmed", "unwrap", "unwrap_token"]

_IN_AN_ERROR = {"message", "error_code", "error", "error_description", "errors", "is_error"}
_NO_TOKEN = ("invalid_client", "invalid_grant", "unauthorized_client")  # RFC 6749, 5.2


class _Envelope(msgspec.Struct):
    result: object = None
    success: object = None
    data: msgspec.Raw = msgspec.Raw()
    message: object = None
    error: object = None  # as the next five, a no where it is something
    errors: object = None
    error_code: object = None
    is_error: object = None
    failure: object = None
    failed: object = None
    max_emails_per_task: object = None  # of a cost, as are the next two
    sent_emails_qty: object = None
    cur: object = None
    id: object = None  # of what was made; a cost has none


_decode = msgspec.json.Decoder(_Envelope).decode
_flags = msgspec.json.Decoder(list[bool] | dict[str, bool]).decode


def unwrap(response: Response) -> bytes | msgspec.Raw | Refusal:
    """What the envelope holds, or the service's no; Unreadable if it is none of SendPulse's."""
    good = 200 <= response.status < 300
    if good and response.body.lstrip()[:1] in (b"[", b"n"):  # a list, or null
        return _bare(response.body)
    try:
        envelope = _decode(response.body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not a response of SendPulse: {error}") from None
    if good and _says_yes(envelope):
        if envelope.success and envelope.data:
            return envelope.data
        return response.body if _marked(envelope) else _bare(response.body)
    if good and envelope.success is True and False in _truths(envelope.data):
        return Refusal(("the service says false",))
    return _refusal(response)


def unwrap_token(response: Response) -> bytes | msgspec.Raw | Refusal:
    """The same for the request that fetches a token, which may be refused in OAuth's words."""
    tree = _tree(response) if response.status in (400, 401) else {}
    if tree.get("error") in _NO_TOKEN:
        return Refusal(_reasons(tree), credentials=True)
    return unwrap(response)


def confirmed(tree: Any) -> None:
    """For a call that returns nothing: Unreadable unless the response says yes."""
    _all_true(_marks(tree) if isinstance(tree, dict) else [])


def each_confirmed(tree: Any) -> None:
    """The same for a response whose data is a list of yes and no."""
    tree = php_list(tree)
    _all_true(tree if isinstance(tree, list) else [])


def _all_true(marks: list[object]) -> None:
    if not marks or any(mark is not True for mark in marks):
        raise Unreadable("the response does not say that it is done")


def _marks(tree: Mapping[str, object]) -> list[object]:
    return [tree[name] for name in ("result", "success") if tree.get(name) is not None]


def _says_yes(envelope: _Envelope) -> bool:
    if envelope.error_code or envelope.error or envelope.errors:
        return False
    if envelope.is_error or envelope.failure or envelope.failed:
        return False
    marks = _marked(envelope)
    if not marks:
        return not isinstance(envelope.message, str)
    if (envelope.max_emails_per_task, envelope.sent_emails_qty, envelope.cur) != (None, None, None):
        return len(marks) == 1 and isinstance(marks[0], bool) and envelope.id is None
    return all(mark is True for mark in marks) and False not in _truths(envelope.data)


def _marked(envelope: _Envelope) -> list[object]:
    return [mark for mark in (envelope.result, envelope.success) if mark is not None]


def _bare(body: bytes) -> bytes:
    """A body that says neither yes nor no, but is the value; Unclear if it is nothing but yes and
    no, which have an envelope.
    """
    if _truths(body):
        raise Unclear("yes or no in the response, and not where they belong")
    return body


def _truths(raw: bytes | msgspec.Raw) -> list[bool]:
    """The items of a list of yes and no; of anything else, none."""
    try:
        found = php_list(_flags(raw)) if raw else []
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def _tree(response: Response) -> Mapping[str, object]:
    tree = decode(response.body)
    if not isinstance(tree, dict):
        raise Unreadable(f"a response of SendPulse is not {type(tree).__name__}")
    return {key: value for key, value in tree.items() if value is not None}


def _refusal(response: Response) -> Refusal:
    tree = _tree(response)
    marks = _marks(tree)
    if 200 <= response.status < 300 and len(tree) == 1 and marks and marks[0] is False:
        return Refusal(("the service says false",))
    said, code = tree.get("message"), tree.get("error_code")
    if True in marks or type(tree.get("id")) is int:
        raise Unclear("neither a success nor a refusal in the response")
    keys = {key for key, value in tree.items() if value is not False}
    words = said.strip() if isinstance(said, str) and keys <= _IN_AN_ERROR else ""
    if not words or type(code) is not int or (response.status == 503 and says_only(503, words)):
        raise Unreadable("not a response of SendPulse: neither a success nor a refusal")
    refusal = refusal_of(_reasons(tree), code)
    known = refusal.later or refusal.account or refusal.missing or response.status == 503
    if not known and about_failure(words):
        raise Unclear(f"the service failed: {words}")
    return refusal


def _reasons(tree: Mapping[str, object]) -> tuple[str, ...]:
    said = (tree.get(key) for key in ("message", "error", "error_description", "errors"))
    return tuple(dict.fromkeys(_text(one) for one in said if one))


def _text(said: object) -> str:
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()
