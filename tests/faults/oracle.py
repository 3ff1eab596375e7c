"""What an answer may be taken for at most, read from the services' documents with other means than
the clients': one function for a success, one for a refusal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BOM = b"\xef\xbb\xbf"
_MONEY = ("money", "fund", "balance", "credit", "средств", "денег")


_COMPLAINTS = ("error", "errors", "is_error", "failure", "error_code", "failed")
"""What says no where it is true, sms.by's four first."""


class NoJson(ValueError):
    """It is not JSON, or an object in it has a key twice."""


def may_succeed(call: str, once: bool, status: int, body: bytes) -> bool:
    """Whether the answer carries the documented mark of a success of this call."""
    if not 200 <= status < 300:
        return False
    try:
        tree = _tree(body, strict=once)
    except NoJson:
        return False
    if call.startswith("smsby."):
        return _smsby_succeeds(call, tree)
    if call.startswith("devino."):
        return _devino_succeeds(call, _lower(tree))
    return _sendpulse_succeeds(call, tree)


def may_refuse(call: str, once: bool, status: int, body: bytes) -> bool:
    """Whether the answer is a refusal in the exact form of the service."""
    if not (200 <= status < 300 or (400 <= status < 600 and status != 408)):
        return False
    try:
        tree = _tree(body, strict=once)
    except NoJson:
        return False
    if call == "sendpulse.mailing_lists.get" and status < 300:
        marked = isinstance(tree, dict) and tree.get("success") is True
        if (tree.get("data") if marked else tree) == []:
            return True
    if not isinstance(tree, dict):
        return False
    if call.startswith("smsby."):
        return _smsby_refuses(status, _given(tree))
    if call.startswith("devino."):
        return _devino_refuses(status, _lower(tree))
    return _sendpulse_refuses(status, _given(tree))


# sms.by


def _smsby_succeeds(call: str, tree: Any) -> bool:
    if not isinstance(tree, dict):
        return False
    marks = [tree[name] for name in ("status", "success") if tree.get(name) is not None]
    good = [isinstance(mark, str) and mark.lower() in ("ok", "success") for mark in marks]
    if not good or not all(good) or any(tree.get(name) for name in _COMPLAINTS[:4]):
        return False
    inner = next((tree[name] for name in ("result", "data") if name in tree), tree)
    wanted = {
        "smsby.emails.send": "email_id",
        "smsby.emails.send_to_list": "message_id",
        "smsby.mailing_lists.create": "list_id",
    }
    if call == "smsby.bulk.send":
        uuid = inner.get("uuid") if isinstance(inner, dict) else None
        return isinstance(uuid, str) and uuid.isprintable() and " " not in uuid and uuid != ""
    if call in wanted:
        number = inner.get(wanted[call]) if isinstance(inner, dict) else None
        return (found := _number(number)) is not None and found >= 1
    return True


def _smsby_refuses(status: int, tree: Mapping[str, Any]) -> bool:
    if status not in (200, 400, 404, 421, 429):
        return False
    told = {key: value for key, value in tree.items() if value != ""}
    if told.keys() == {"status", "message"}:
        mark = told["status"]
        return isinstance(mark, str) and mark.lower() == "error" and _words(told["message"])
    return told.keys() == {"error"} and _words(told["error"])


# Devino


def _devino_succeeds(call: str, tree: Any) -> bool:
    if not isinstance(tree, dict) or tree.get("reasons") or not tree.get("result"):
        return False
    marks = [tree[name] for name in ("code", "description") if tree.get(name) is not None]
    if not all(isinstance(mark, str) and mark.strip().lower() == "ok" for mark in marks):
        return False
    if call == "devino.files.upload":
        return isinstance(tree["result"], dict) and tree["result"].get("fileid") is not None
    return bool(marks) and isinstance(tree["result"], list)


def _devino_refuses(status: int, tree: Any) -> bool:
    if status >= 500 and status != 503:
        return False
    if not isinstance(tree, dict) or tree.get("result"):
        return False
    said, why = tree.get("description"), tree.get("reasons")
    if not isinstance(said, str) or said.strip().lower() == "ok":
        return False
    if isinstance(why, list) and why:
        return all(isinstance(one, dict) and _words(one.get("key")) for one in why)
    own = tree.keys() <= {"code", "description", "reasons"}
    return own and any(word in f"{said}{why}".lower() for word in _MONEY)


# SendPulse

_YES_NO = ("result", "success")


def _sendpulse_succeeds(call: str, tree: Any) -> bool:
    if isinstance(tree, list):
        return call not in (*_SAY_YES, *_MAKE) and not _only_yes_and_no(tree)
    if not isinstance(tree, dict) or any(tree.get(name) for name in _COMPLAINTS):
        return False
    marks = [tree[name] for name in _YES_NO if tree.get(name) is not None]
    if call == "sendpulse.mailing_lists.cost":
        return all(isinstance(mark, bool) for mark in marks)
    if any(mark is not True for mark in marks):
        return False
    if call in _MAKE:
        inner = tree.get("data", tree) if marks else tree
        number = inner.get("id") if isinstance(inner, dict) else None
        made = (_number(number) or 0) > 0
        return made or (call == "sendpulse.campaigns.send_test" and bool(marks))
    return (
        bool(marks) if call in _SAY_YES else bool(marks) or not isinstance(tree.get("message"), str)
    )


def _only_yes_and_no(tree: list[Any]) -> bool:
    return bool(tree) and all(isinstance(one, bool) for one in tree)


_MAKE = ("sendpulse.campaigns.create", "sendpulse.campaigns.send_test")
_SAY_YES = {
    "sendpulse.mailing_lists.add_contacts_double_opt_in",
    "sendpulse.mailing_lists.add_contacts",
    "sendpulse.mailing_lists.unsubscribe",
    "sendpulse.mailing_lists.remove_contacts",
    "sendpulse.senders.add",
    "sendpulse.senders.request_code",
    "sendpulse.blacklist.add",
    "sendpulse.campaigns.cancel",
}


def _sendpulse_refuses(status: int, tree: Mapping[str, Any]) -> bool:
    if 200 <= status < 300:
        if len(tree) == 1 and any(tree.get(name) is False for name in _YES_NO):
            return True
        data = tree.get("data")
        rows = data
        if isinstance(data, dict) and all(key.isdigit() for key in data):
            rows = list(data.values())
        if tree.get("success") is True and isinstance(rows, list) and False in rows:
            return True
    code = tree.get("error_code")
    if isinstance(code, bool) or not isinstance(code, int) or not _words(tree.get("message")):
        return False
    if status >= 500 and status != 503 and code not in (791, 2020202020):
        return False
    others = {key for key, value in tree.items() if value is not False}
    return others <= {"message", "error_code", "error", "error_description", "errors", "is_error"}


# JSON


def _tree(body: bytes, *, strict: bool) -> Any:
    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if strict and len({key for key, _ in pairs}) != len(pairs):
            raise NoJson("a key twice")
        return dict(pairs)

    def constant(word: str) -> Any:
        raise NoJson(word)

    text = body.removeprefix(BOM)
    try:
        return json.loads(text.decode(), object_pairs_hook=object_of, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise NoJson(str(error)) from None


def _lower(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key.lower(): _lower(value) for key, value in tree.items()}
    return [_lower(one) for one in tree] if isinstance(tree, list) else tree


def _given(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if value is not None}


def _words(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _number(value: Any) -> float | None:
    """The whole number that it is, or that is written in it."""
    try:
        number = float(value)
        return number if not isinstance(value, bool) and number == int(number) else None
    except (TypeError, ValueError, OverflowError):
        return None
