"""The one envelope, in any letter case.

``{"result":…,"description":"ok"}`` is a success, ``{"Description":"Validation failed","Reasons":
[{"Key":…,"Reference":…}]}`` a refusal. The keys of what is opened here are in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from mailkit.core.reading import decode
from mailkit.core.wire import Answer, Refusal, Unreadable, about_money

__all__ = ["good", "opened", "reasons"]

_of_the_key = re.compile(r"(?i)unauthori[sz]ed|api[ ._-]?key").search


def opened(answer: Answer) -> bytes | Refusal:
    """The answer with its keys in lower case, or the service's no; Unreadable if it is neither.

    A result counts as one whatever the description says: some of its recipients may be taken.
    """
    tree = _folded(decode(answer.body))
    if not isinstance(tree, dict):
        raise Unreadable(f"an answer of Devino is no {type(tree).__name__}")
    if answer.status < 300 and (tree.get("result") or good(tree)):
        return msgspec.json.encode(tree)
    said = reasons(tree)
    if not said:
        raise Unreadable("neither a result nor a reason in the answer")
    code = tree.get("code")
    return Refusal(
        said,
        code if isinstance(code, int | str) else None,
        credentials=any(_of_the_key(reason) for reason in said),
        account=about_money(said),
    )


def good(tree: Mapping[str, object]) -> bool:
    """Whether its code, or without one its description, is ``ok``."""
    mark = tree.get("code")
    if mark is None:
        mark = tree.get("description")
    return isinstance(mark, str) and mark.strip().casefold() == "ok"


def reasons(tree: Mapping[str, object]) -> tuple[str, ...]:
    """The service's words, as ``validation.subject.is.empty (subject)``; else its description, or
    its code.
    """
    said = tree.get("reasons")
    listed = said if isinstance(said, list) else [] if said is None else [said]
    words = tuple(text for text in map(_reason, listed) if text)
    if words:
        return words
    word = tree.get("description") or tree.get("code")
    return () if word is None else (_text(word),)


def _reason(said: object) -> str:
    if isinstance(said, dict) and said.get("key"):
        reference = said.get("reference") or said.get("ref")
        return f"{_text(said['key'])} ({_text(reference)})" if reference else _text(said["key"])
    return _text(said) if said else ""


def _text(said: object) -> str:
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()


def _folded(tree: object) -> object:
    if isinstance(tree, dict):
        return {key.lower(): _folded(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_folded(item) for item in tree]
    return tree
