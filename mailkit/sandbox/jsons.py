"""Reading JSON, no deeper than a later walk through it can follow."""

import msgspec

from mailkit.sandbox.forms import Malformed

DEEPEST = 64

_CONTAINERS = (dict, list)


def read_json(text: bytes | str) -> object:
    """The value; Malformed says what is wrong with the text."""
    if not text:
        raise Malformed("JSON is missing: the body is empty")
    try:
        value: object = msgspec.json.decode(text)
    except RecursionError:
        raise Malformed("not JSON: nested too deeply") from None
    except ValueError as error:  # msgspec's own, or bytes that are not UTF-8
        raise Malformed(f"not JSON: {error}") from None
    if _is_deep(value):
        raise Malformed(f"JSON that is nested more than {DEEPEST} levels deep")
    return value


def _is_deep(value: object) -> bool:
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(DEEPEST):
        level = [
            part
            for one in level
            for part in (one.values() if isinstance(one, dict) else one)
            if isinstance(part, _CONTAINERS)
        ]
        if not level:
            return False
    return True


def json_or_text(text: str) -> object:
    """The value that the text is as JSON, or else the text itself."""
    try:
        value: object = msgspec.json.decode(text)
    except ValueError:
        return text
    return value
