"""White space around the cells of a table, and around quotes.

Looking for it is fast, because every list is searched; stripping is slow, but done only where there
is any.
"""

from __future__ import annotations

import re
from collections import defaultdict

from mailkit.text import BLANKS

__all__ = ["Edges", "has_rare_blanks"]

_CONTROLS = "".join(char for char in BLANKS if char.isascii() and char not in " \r\n")


def _rare() -> dict[bytes, re.Pattern[bytes]]:
    """One pattern for each first byte of such a blank in UTF-8, which most texts don't have."""
    tails = defaultdict(list)
    for char in BLANKS:
        if not char.isascii():
            encoded = char.encode()
            tails[encoded[:1]].append(encoded[1:])
    return {
        lead: re.compile(re.escape(lead) + b"(?:" + b"|".join(map(re.escape, rest)) + b")")
        for lead, rest in tails.items()
    }


_RARE = _rare()


def has_rare_blanks(encoded: bytes) -> bool:
    """Whether a text in UTF-8 has blanks outside of ASCII anywhere."""
    return any(lead in encoded and pattern.search(encoded) for lead, pattern in _RARE.items())


def _opening(end: str, blank: str) -> str:
    """That a blank begins a cell, after ``end``, within its quotes or not."""
    return "|".join(rf"(?<={before}{blank})" for before in (end, rf'{end}"', r"\A", r'\A"'))


class Edges:
    """What stands next to this delimiter, the quotes and the ends of lines."""

    def __init__(self, delimiter: str) -> None:
        end = rf"[{re.escape(delimiter)}\r\n]"
        closing = rf"(?=\"?(?:{end}|\Z))"
        blanks = re.escape(BLANKS.translate({ord(char): None for char in f"{delimiter}\r\n"}))
        any_blank = f"[{blanks}]"
        # A literal space first: that is looked for as quickly as the machine can.
        self._space = re.compile(f" (?:{_opening(end, ' ')}|{closing})").search
        self._any = re.compile(f"{any_blank}(?:{_opening(end, '.')}|{closing})", re.DOTALL).search
        self._controls = _CONTROLS.replace(delimiter, "")
        self._quoted_delimiter: re.Pattern[str] | None = None
        if delimiter in BLANKS:  # a tab, which is a blank within quotes
            own = re.escape(delimiter)
            beside = rf"{own}\"{own}|(?:\A|[\r\n])\"{own}|{own}\"(?=[\r\n]|\Z)"
            self._quoted_delimiter = re.compile(beside)
        # Not two quotes and text: those are one within a quoted cell.
        unescaped = rf"(?!\"(?![\"{re.escape(delimiter)}\r\n]|{any_blank}|\Z))"
        before = rf"(?<={end} \")|(?<=  \")|(?<=\A \")"
        self._space_and_quote = re.compile(rf' "(?:{before}){unescaped}').search
        self._before_quote = re.compile(rf"(?:\A|{end}){any_blank}++\"{unescaped}").search
        after = rf"(?=[{re.escape(delimiter)}\r\n]|\Z)"
        self._after_quote = f'"{delimiter}\n', f'"{delimiter}\r'
        # No possessive quantifier after a group: before Python 3.11.5 it matches wrongly.
        quoted = r'"[^"]*+(?:""[^"]*+)*'
        self._line = re.compile(rf'(?:\A|[\r\n]){quoted}"{re.escape(delimiter)}++[\r\n]').search
        between = rf'[^"<>{re.escape(delimiter)}\r\n]*+'
        named = rf'{quoted}"{between}<{between}>'
        self._name = re.compile(rf"(?:\A|(?<=[{re.escape(delimiter)}])) *+({named}) *+{after}")
        self._cell = re.compile(
            rf'{any_blank}*+(?:({quoted}"){any_blank}*+{after}|({quoted})\Z)'
            rf"|([^{re.escape(delimiter)}\r\n]++)|([{re.escape(delimiter)}\r\n]++)"
        )

    def have_controls(self, text: str) -> bool:
        """Whether the text has blanks in ASCII besides spaces and line ends."""
        return any(char in text for char in self._controls)

    def have_blanks(self, text: str, *, rare: bool) -> bool:
        """Whether a cell in these lines may have blanks at its ends; ``rare``: other ones than
        spaces may be among them.
        """
        if self._quoted_delimiter is not None and self._quoted_delimiter.search(text):
            return True
        if rare:
            return self._any(text) is not None
        return " " in text and self._space(text) is not None

    def have_blanks_before_quotes(self, text: str, *, rare: bool) -> bool:
        """Whether a cell may begin with blanks and a quote."""
        return (self._before_quote if rare else self._space_and_quote)(text) is not None

    def have_quoted_lines(self, text: str) -> bool:
        """Whether a line may be quoted as a whole, and then have had empty cells put behind it."""
        return any(end in text for end in self._after_quote) and self._line(text) is not None

    def with_names(self, line: str) -> str:
        """The line with quotes around cells like ``"Petrova, Anna" <a@b.by>``, whose own quotes are
        those of a name.
        """
        if "<" not in line:
            return line
        return self._name.sub(lambda cell: '"' + cell[1].replace('"', '""') + '"', line)

    def quoted(self, text: str) -> str:
        """The lines, which begin with a cell, without the blanks around the quotes of cells."""
        return self._cell.sub(r"\1\2\3\4", text)
