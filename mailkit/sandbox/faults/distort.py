"""Answers bent on purpose: other types, another order, rows too few and too many."""

from collections.abc import Mapping

STRANGER = "stranger@elsewhere.example"

_INSIDE = frozenset({"result", "data"})
_PERSON = frozenset({"email", "recipient", "address"})
_OUTSIDE = frozenset({"status", "success", "description", "message"})


def wrong_types(value: object) -> object:
    """The same envelope; lists become objects, and single values one-item lists.

    Where there is no envelope, everything but a status word is bent.
    """
    if not isinstance(value, Mapping):
        return _bent(value)
    inside = value.keys() & _INSIDE or value.keys() - _OUTSIDE
    return {key: _bent(part) if key in inside else part for key, part in value.items()}


def partial(value: object) -> object:
    """Every list of rows reversed, without its first row, and with a copy naming a stranger.

    A list of rows that hold lists themselves, and are not a person's, is only reversed: the
    change is made inside.
    """
    if isinstance(value, Mapping):
        return {key: partial(part) for key, part in value.items()}
    if not isinstance(value, list):
        return value
    if any(_holds_lists(row) for row in value):
        return [partial(row) for row in reversed(value)]
    rows = list(reversed(value[1:]))
    if value and isinstance(value[0], Mapping):
        rows.append({key: _estranged(key, part) for key, part in value[0].items()})
    return rows


def _bent(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _bent(part) for key, part in value.items()}
    if isinstance(value, list):
        return {str(index): _bent(part) for index, part in enumerate(value)}
    return [value]


def _holds_lists(row: object) -> bool:
    if not isinstance(row, Mapping) or row.keys() & _PERSON:
        return False
    return any(isinstance(part, list) for part in row.values())


def _estranged(key: object, value: object) -> object:
    if key in _PERSON:
        return STRANGER
    if key in ("email_id", "id", "task_id", "messageId"):
        return "999999999" if isinstance(value, str) else 999999999
    return value
