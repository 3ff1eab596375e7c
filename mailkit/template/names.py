"""Which column a placeholder means, and what looks like another service's placeholder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from html import unescape
from typing import NamedTuple
from urllib.parse import unquote

from mailkit.errors import InvalidArgument
from mailkit.template.placeholders import is_filter
from mailkit.text import column_name

__all__ = ["ColumnNames", "ForeignTag", "foreign_tags", "readings"]

_SHOWN = 20  # columns in an error
_NEAR = 1_000  # columns among which the nearest name is looked for


def readings(name: str) -> Sequence[str]:
    """The names that a placeholder's may stand for, without regard to case: as it is, and as an
    editor for html has written it, with its own signs for ``&`` and for blanks.
    """
    found = [name]
    if "&" in name:
        found.append(unescape(name))
    if "%" in name:
        found.append(unquote(name))
    return [column_name(one).casefold() for one in found]


class ColumnNames:
    """The columns of a list. A placeholder's name is that of a column letter for letter, or else of
    the only one that it equals without regard to case.
    """

    def __init__(self, columns: Iterable[str]) -> None:
        self.columns = list(columns)
        last = len(self.columns) - 1  # of two, the first counts: that of the address
        self._places = {name: last - n for n, name in enumerate(reversed(self.columns))}

    @cached_property
    def _exact(self) -> Mapping[str, int]:
        places: dict[str, int] = {}
        for place, name in enumerate(self.columns):
            places.setdefault(column_name(name), place)
        return places

    @cached_property
    def _folded(self) -> Mapping[str, Sequence[int]]:
        places: dict[str, list[int]] = {}
        for name, place in self._exact.items():
            places.setdefault(name.casefold(), []).append(place)
        return places

    @cached_property
    def tags(self) -> Mapping[str, str]:
        """The columns by their names as tags have them."""
        return {_squeezed(name): name for name in reversed(self.columns)}

    def find(self, name: str) -> Sequence[int]:
        """The places of the columns that a placeholder of this name may mean."""
        place = self._places.get(name)
        if place is None:
            place = self._exact.get(name)
        if place is not None:
            return (place,)
        found = (self._folded.get(reading) for reading in readings(name))
        return next(filter(None, found), ())

    def place(self, name: str, *, filtered: bool = False) -> int:
        """The place of the one that it means; InvalidArgument says why there is not one.
        ``filtered``: something follows the name, behind a bar.
        """
        if filtered:
            self._check_twin(name)
        found = self.find(name)
        if len(found) == 1:
            return found[0]
        if found:
            several = " and ".join(f"{{{{ {self.columns[one][:80]} }}}}" for one in found[:3])
            raise InvalidArgument(
                f"{_shown(name)}: several columns differ from it only in case; spell it exactly as "
                f"in the list: {several}"
            )
        raise InvalidArgument(self._missing(name))

    def _check_twin(self, name: str) -> None:
        """A column may be called what else is a name and what follows it."""
        for column in [column for column in self.columns if "|" in column]:
            head, _, rest = column.partition("|")
            if column_name(head).casefold() == name.casefold() and is_filter(f"|{rest}"):
                raise InvalidArgument(
                    f"{_shown(column)} is the name of a column, but could also mean {_shown(name)} "
                    "with a filter: rename the column"
                )

    def _missing(self, name: str) -> str:
        head, bar, filter_ = name.partition("|")
        if bar and (places := self.find(column_name(head))):
            head = self.columns[places[0]]
            return (
                f"{_shown(name)}: {filter_.strip()[:80]!r} can't follow the |; write "
                f"{{{{ {head} | 'default' }}}} or {{{{ {head} | url }}}}"
            )
        if (bare := column_name(_markup("", name))) != name and self.find(bare):
            return f"{_shown(name)}: there is HTML inside the braces; write {{{{ {bare} }}}}"
        if _logic(name):
            return f"{_shown(name)}: {_NO_LOGIC}"
        bare = column_name(_owner("", name.strip(_SIGNS + "&^()'\"")))
        if bare != name and (places := self.find(bare)):
            return f"{_shown(name)}: write {{{{ {self.columns[places[0]]} }}}}, as in the list"
        from difflib import get_close_matches  # an import that only an error needs

        known = list(self._exact)
        folded = {column.casefold(): column for column in known[:_NEAR]}
        near = get_close_matches(name.casefold(), folded, 1)
        hint = f"; did you mean {{{{ {folded[near[0]]} }}}}?" if near else ""
        shown = ", ".join(one[:80] for one in known[:_SHOWN]) + ", …" * (len(known) > _SHOWN)
        return (
            f"{_shown(name)}: the list has no such column; "
            f"it has {shown or 'only the address'}{hint}"
        )


_markup = re.compile(r"<[^<>]*+>").sub


def _shown(name: str) -> str:
    return f"{{{{ {name if len(name) <= 80 else name[:80] + '…'} }}}}"


class ForeignTag(NamedTuple):
    """What another service would fill in, such as ``*|NAME|*``, and what to do instead."""

    tag: str
    remedy: str


# The signs of other services around a name, which is the one group; no pattern looks far.
_TAGS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\*\|([^|*\n]{1,200}+)\|\*",
        r"<%([^%<>\n]{1,200}+)%>",
        r"&lt;%([^%<>\n]{1,200}+)%&gt;",
        r"<<([^<>\n]{1,200}+)>>",
        r"&lt;&lt;([^<>&\n]{1,200}+)&gt;&gt;",
        r"%7[Bb]%7[Bb]([^{}<>\"'\n]{1,200}?)%7[Dd]%7[Dd]",  # our own, from an editor of links
        r"%%([^%\n]{1,200}+)%%",
        r"(?<![\d%{\[])%(?![0-9A-Fa-f]{2}%)(?=([^%\s](?:[^%\n]{0,200}[^%\s])?)%)",
        r"\[([^\[\]\n]{1,200}+)\]",
        r"[$#]?(?<!\{)\{([^{}\n]{1,200}+)\}(?!\})",
        r"##([^#\n]{1,200}+)##",
    )
)
_SIGNS = " \t$%#=:@.!?/*|-"  # which some have within
_between = re.compile(r"[ _.-]++").sub
_owner = re.compile(
    r"^(?:recipient|contact|subscriber|customer|user|person|row|item|if|ifnot|elseif)[.: ]",
    re.IGNORECASE,
).sub
_logic = re.compile(
    r"[^\w{}]{0,9}(?:if|ifnot|elseif|elsif|elif|else|unless|each|for|foreach|endif|endfor|end)\b",
    re.IGNORECASE,
).match
_words = re.compile(r"[^\w-]+").split
_NO_LOGIC = (
    "there are no conditions or loops; give a default, as in {{ name | 'friend' }}, or put the "
    "text that differs into a column"
)


def foreign_tags(text: str, names: ColumnNames) -> Iterator[ForeignTag]:
    """The tags of other services in the text that name a column, each once. Braces that name none
    are style sheets, scripts, or simply braces.
    """
    seen = set[str]()
    for pattern in _TAGS:
        for found in pattern.finditer(text):
            tag = found[0] if len(found[0]) > 1 else f"%{found[1]}%"
            inner = found[1].strip(_SIGNS)
            logic = bool(_logic(inner))
            words = _words(inner)[1:] if logic and tag[1] == "%" else ()
            for name in (found[1], inner, _owner("", inner), *words):
                column = names.tags.get(_squeezed(unescape(unquote(name))))
                if column is not None and tag not in seen:
                    seen.add(tag)
                    is_name = name in (found[1], inner) or not logic
                    yield ForeignTag(tag, f"write {{{{ {column} }}}}" if is_name else _NO_LOGIC)


def _squeezed(name: str) -> str:
    """The name as tags have it: ``FIRST_NAME`` for ``First name``."""
    return _between("", column_name(name).casefold()) or name
