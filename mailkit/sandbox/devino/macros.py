"""The macros `[Name]` of a Devino message."""

import re
from collections.abc import Mapping

UNSUBSCRIBE = "[Unsubscribe]"

_MACRO = re.compile(r"\[([^\[\]]+)\]")
_SITE = "https://devino.sandbox.example"


def rendered(template: str, fields: Mapping[str, object], address: str) -> str:
    """The template with the recipient's fields; a macro that nobody knows stays as it is.

    Blanks around a field's name do not count.
    """
    known = {name.strip(): _text(value) for name, value in fields.items()}
    known["Unsubscribe"] = f"{_SITE}/unsubscribe/{address}"
    known["WebVersion"] = f"{_SITE}/web/{address}"
    return _MACRO.sub(lambda macro: known.get(macro[1].strip(), macro[0]), template)


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
