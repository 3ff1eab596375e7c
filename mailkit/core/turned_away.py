"""Whether a response that is not the service's turns a request away before the service sees it.

Gateways do that with a few statuses, in pages and JSON of their own. But a program that has acted,
and then fails, may respond with the same statuses: then its words say so, or nothing says why.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from http import HTTPStatus

import msgspec

from mailkit.core.failure_words import about_failure, about_refusal
from mailkit.core.words import says_only
from mailkit.text import plain

__all__ = ["STATUSES", "turned_away"]

STATUSES = frozenset({400, 401, 403, 404, 405, 407, 411, 413, 414, 421, 431})
"""What gateways say before they pass a request on."""

_PAGE = 65_536  # bytes of a page; what is longer is not read
_TEXT = 4_000  # characters of its words, the same
_WORDS = 200  # characters of them that are shown
_MARKS = frozenset({"status", "code", "type", "kind", "level", "severity"})
_SUCCESS = frozenset(
    {"accepted", "delivered", "done", "enqueued", "ok", "pending", "processed", "processing"}
    | {"queued", "scheduled", "sending", "sent", "submitted", "success", "successful", "true"}
)
_CLOUDFLARE = range(1000, 1100)  # its codes, such as "error code: 1020"

_is_page = re.compile(r"(?i)<(?:!doctype|html|head|title|body)\b").search
_title = re.compile(r"(?i)<title[^<>]*>([^<]*)").search
_hidden = re.compile(r"(?i)<(?:script|style)\b").split
_shown_again = re.compile(r"(?i)</(?:script|style)\b").split
_markup = re.compile(r"<!--|-->|<[^<>]*>").sub
_status_alone = re.compile(r"(?i)(?:error )?(?:status|code)?:? ?(\d{3,4})").fullmatch
_number = re.compile(r"[-+\d.e]+").fullmatch
_a_code = re.compile(r"(?i)code|status|error").search
_server_failed = re.compile(r"499|5\d\d").fullmatch
_php_notice = re.compile(
    r"(?i)^(?:php )?(?:warning|notice|deprecated)\s*:"
    r"|<b>(?:warning|notice|deprecated|[a-z]+ error)</b>"
).search
_json_inside = re.compile(r'[{\[]\s*"').search


def turned_away(status: int, body: bytes) -> str | None:
    """The words with which the request was turned away; None if the response may come after the
    act.

    It may if it speaks of a failure, if it is JSON that is cut off or has something around it, and,
    but for a page, if it gives no reason: a program's output.
    """
    text = body[: _PAGE + 1].decode("utf-8", "replace").strip()
    if not text:
        return HTTPStatus(status).phrase
    if len(body) > _PAGE or _php_notice(text):
        return None
    if text[0] in '{["':
        return _in_json(status, text)
    if "\ufffd" in text and _failed(_visible(body.decode("cp1251", "replace"))):
        return None
    visible = _visible(text)
    if _json_inside(visible) or _failed(visible):
        return None
    if _is_page(text):
        title = _title(text)
        return (title and _short(html.unescape(title[1]))) or HTTPStatus(status).phrase
    return _short(visible) if _gives_reason(status, visible) else None


def _in_json(status: int, text: str) -> str | None:
    if len(text) > _TEXT:
        return None
    try:
        leaves = list(_leaves("", msgspec.json.decode(text)))
    except (ValueError, RecursionError):
        return None
    if any(_failed_in(key, said) or _taken_in(key, said) for key, said in leaves):
        return None
    reasons = [said for _, said in leaves if _gives_reason(status, said)]
    return _short(max(reasons, key=len)) if reasons else None


def _failed_in(key: str, said: str) -> bool:
    if _number(said):
        return _a_code(key) is not None and _server_failed(said) is not None
    return _failed(f"{key}: {said}") or (key.casefold() not in _MARKS and _failed(said))


def _taken_in(key: str, said: str) -> bool:
    """Whether it is a mark of success."""
    return said.casefold() in _SUCCESS and key.casefold() in {*_MARKS, *_SUCCESS, "result", "state"}


def _leaves(key: str, tree: object) -> Iterator[tuple[str, str]]:
    """The texts and numbers in JSON, and what is true, each with its key."""
    if isinstance(tree, dict):
        for name, item in tree.items():
            yield from _leaves(name, item)
    elif isinstance(tree, list):
        for item in tree:
            yield from _leaves(key, item)
    elif isinstance(tree, str | int | float) and tree is not False:
        yield key, str(tree)


def _visible(page: str) -> str:
    """What a page shows, and its comments: without scripts, styles and tags."""
    first, *others = _hidden(page)
    parts = [first, *(_shown_again(other, maxsplit=1)[-1] for other in others)]
    return " ".join(html.unescape(_markup(" ", " <".join(parts))).split())


def _failed(said: str) -> bool:
    return len(said) > _TEXT or (not _status_alone(said) and about_failure(said, by_gateway=True))


def _gives_reason(status: int, said: str) -> bool:
    if number := _status_alone(said):
        return int(number[1]) == status or int(number[1]) in _CLOUDFLARE
    return says_only(status, said) or about_refusal(said)


def _short(words: str) -> str:
    return plain(" ".join(words.split()))[:_WORDS]
