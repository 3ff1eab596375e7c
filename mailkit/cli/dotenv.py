"""The file ``.env``: a line ``NAME=value`` for each variable, as shells and other tools have it."""

from __future__ import annotations

import re
from pathlib import Path

from mailkit.errors import InvalidArgument

__all__ = ["read_dotenv"]

_OURS = re.compile(r"\s*(?:export\s+)?(MAILKIT_\w+)(.*)", re.DOTALL)
_VALUE = re.compile(
    r"""\s*+=\s*+(?:'([^']*+)'|"((?:[^"\\]|\\.)*)"|([^'"#\s](?:(?!\s#).)*))?\s*+(?:(?<=\s)#.*)?"""
)
_ESCAPE = re.compile(r"\\(.)")


def read_dotenv(path: Path) -> dict[str, str]:
    """Those of mailkit's variables; nothing if there is no such file. All other lines are others'.

    A value in double quotes may have ``\\"``, ``\\\\`` and ``\\n``, one in single quotes is taken
    as it is. InvalidArgument names the line that can't be read, and shows nothing of its value.
    """
    if not path.is_file():  # it may be a virtual environment
        return {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidArgument(f"{path} can't be read: {why}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if (ours := _OURS.fullmatch(line)) is None:
            continue
        value = _VALUE.fullmatch(ours[2])
        if value is None:
            raise InvalidArgument(
                f"{path}, line {number}: write {ours[1]}=value, and put a value that contains "
                "spaces or quotes in quotes"
            )
        literal, escaped, bare = value.groups("")
        found[ours[1]] = literal or _unescaped(escaped) or bare.rstrip()
    return found


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text)
