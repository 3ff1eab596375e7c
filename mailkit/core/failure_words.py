"""Whether words report a failure, on the way or inside, and no refusal.

All that is between words counts as a space, so that ``internal_error``, ``InternalError`` and
``internal.error`` are one.
"""

from __future__ import annotations

import re

from mailkit.core.words import about_account, about_recipient

__all__ = ["about_failure", "about_refusal"]

_addresses = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w.-]*").sub
_between_words = re.compile(r"[\W_]+|(?<=[a-zа-яё])(?=[A-ZА-ЯЁ])").sub
_latin_i = re.compile(r"(?<=[а-яўё])i|i(?=[а-яўё])").sub  # as many keyboards write Belarusian
_letters = str.maketrans("ёў", "еу")
_negated = re.compile(r"\b(?:not?|n t|cannot|only|must|never|without|не|нет|ня|няма)\b").search


def about_failure(said: str, *, by_gateway: bool = False) -> bool:
    """Whether the words report a failure on the way or inside, or that the request was met before:
    they may come after the act.

    Words without a cause, such as "an error occurred, try again later", count only if the rest has
    none either that lies in the request: a recipient, the account, a limit, a wrong value. So do
    words of a success, such as "queued". A gateway names itself and its kind: ``by_gateway``, that
    is no failure.
    """
    from mailkit.core import failure_patterns as found

    said = _addresses("…", said)  # which may have such words in them
    words = _words(said)
    if found.on_the_way(words) or found.of_the_server(words) or found.done_already(words):
        return True
    if found.of_the_program(words) or found.of_the_program(said.lower()):  # its signs count
        return True
    if not by_gateway and found.about_gateway(words):
        return True
    if found.of_code(words) and not found.about_template(words):
        return True
    if _has_cause(said, words):
        return False
    return bool(found.no_cause(words) or (found.taken(words) and not _negated(words)))


def about_refusal(said: str) -> bool:
    """Whether the words say what in the request, or of its sender, is not let through."""
    from mailkit.core import failure_patterns as found

    words = _words(said)
    return _has_cause(said, words) or bool(found.denial(words) or found.about_gateway(words))


def _words(said: str) -> str:
    return _latin_i("і", _between_words(" ", said).strip().lower()).translate(_letters)


def _has_cause(said: str, words: str) -> bool:
    from mailkit.core import failure_patterns as found

    return bool(found.cause(words) or about_recipient(said) or about_account((said,)))
