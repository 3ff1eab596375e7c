"""The one envelope, in any letter case.

``{"result":…,"description":"ok"}`` is a success, an upload's without the description;
``{"Description":"Validation failed","Reasons":[{"Key":…,"Reference":…}]}`` is a refusal. The keys
of what is unwrap here are in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from mailkit.core.failure_words import about_failure
from mailkit.core.reading import decode
from mailkit.core.wire import Refusal, Response, Unclear, Unreadable
from mailkit.core.words import about_account

__all__ = ["failure_in", "oks", "reasons", "unwrap"]

_OWN = frozenset({"code", "description", "reasons"})
_of_the_key = re.compile(
    r"(?i)unauthori[sz]ed|api[ ._-]?key|authori[sz]ation[ ._](?:failed|error)"
    r"|authentication[ ._](?:failed|error)"
).search


def unwrap(response: Response) -> bytes | Refusal:
    """The response with its keys in lower case, or the service's no; Unreadable if it is neither.

    A description without reasons may be a gateway's, unless it speaks of money. Reasons that report
    a failure, such as ``internal.error``, may come after the act.
    """
    tree = _folded(decode(response.body))
    if not isinstance(tree, dict):
        raise Unreadable(f"a response of Devino is not {type(tree).__name__}")
    marks = oks(tree)
    if tree.get("result") and all(marks) and not tree.get("reasons"):
        return msgspec.json.encode(tree)
    if tree.get("result") or any(marks):
        raise Unclear("neither a success nor a refusal in the response")
    said = reasons(tree)
    money = tree.keys() <= _OWN and about_account(said)
    if not isinstance(tree.get("description"), str) or not (money or _listed(tree.get("reasons"))):
        raise Unreadable("not a response of Devino: neither a result nor reasons")
    if failure := failure_in(tree):
        raise Unclear(f"the service failed: {failure}")
    code = tree.get("code")
    return Refusal(
        said,
        code if type(code) in (int, str) else None,
        credentials=any(_of_the_key(reason) for reason in said),
        account=about_account(said),
    )


def oks(tree: Mapping[str, object]) -> list[bool]:
    """Of its code and its description, as far as it has them, whether they are ``ok``."""
    marks = [mark for mark in (tree.get("code"), tree.get("description")) if mark is not None]
    return [isinstance(mark, str) and mark.strip().casefold() == "ok" for mark in marks]


def reasons(tree: Mapping[str, object], *, references: bool = True) -> tuple[str, ...]:
    """The service's words, such as ``validation.subject.is.empty (subject)``; else its description,
    or its code.
    """
    said = tree.get("reasons")
    listed = said if isinstance(said, list) else [] if said is None else [said]
    words = tuple(text for one in listed if (text := _reason(one, references)))
    if words:
        return words
    word = tree.get("description") or tree.get("code")
    return () if word is None else (_text(word),)


def failure_in(tree: Mapping[str, object]) -> str | None:
    """The first of the service's words that reports a failure, without what it refers to."""
    return next(filter(about_failure, reasons(tree, references=False)), None)


def _listed(said: object) -> bool:
    """Whether these are reasons as the page has them, each with a key."""
    if not isinstance(said, list) or not said:
        return False
    keys = [one.get("key") if isinstance(one, dict) else None for one in said]
    return all(isinstance(key, str) and key.strip() for key in keys)


def _reason(said: object, references: bool) -> str:
    if isinstance(said, dict) and said.get("key"):
        reference = references and (said.get("reference") or said.get("ref"))
        return f"{_text(said['key'])} ({_text(reference)})" if reference else _text(said["key"])
    return _text(said) if said else ""


def _text(said: object) -> str:
    return said if isinstance(said, str) else msgspec.json.encode(said).decode()


def _folded(tree: object) -> object:
    if isinstance(tree, dict):
        folded = {
            key.lower(): item if type(item) is str else _folded(item) for key, item in tree.items()
        }
        if len(folded) != len(tree):
            raise Unclear("the same key twice in the response")
        return folded
    if isinstance(tree, list):
        return [_folded(item) for item in tree]
    return tree
