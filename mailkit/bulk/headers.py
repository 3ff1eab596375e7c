"""The names of a list's columns or keys, and which one has the addresses.

That is the column ``email`` (or ``e-mail``, in any case); without one, the only column whose name
consists of words that exports use: Email Address, E-mail 1 - Value, Эл. почта, Рабочий e-mail.
Recipient comes last, because it may as well be a name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

import attrs

from mailkit.errors import InvalidArgument
from mailkit.remedies import remedy
from mailkit.text import column_name

__all__ = ["EMAIL_NAMES", "Naming", "address_columns", "called", "look_alike", "shown_names"]

EMAIL_NAMES = frozenset({"email", "e-mail"})
"""What the addresses' column or key is called first of all, in any case."""

_MAIL = """
email emails mail emailaddress emailaddresses useremail mailaddress
eмейл eмайл емейл емайл емэйл имейл имэйл емаил мейл мэйл почта почты почте пошта пошты
"""
_BESIDES = """
1 account address addresses addr adress billing business client company contact customer
default for home id main member my newsletter newsletters of person personal preferred
primary private recipient required s shipping subscriber the to uf user value work your
адрес адреса адрас ваш ваша главный главная для домашний домашняя доставки е и
заказчика клиента компании контакт контакта контактная контактный корпоративная
корпоративный личная личный обязательно организации осн основная основной партнера получателя
покупателя пользователя подписчика плательщика рабочая рабочий рассылка рассылки рассылок сотрудника
участника частный частная эл элект электр электрон электронная электронной электронный
электронны электроннай электронная електронна асноўны асабісты працоўны
"""
_NAMES = frozenset(_MAIL.split())
_WORDS = _NAMES | frozenset(_BESIDES.split())
_ALONE = frozenset(
    {"электронный адрес", "эл адрес", "адрес эп", "электронны адрас", "електронна адреса"}
)
_LAST = frozenset({"recipient", "recipients", "получатель", "получатели", "атрымальнік"})

_camel = re.compile(r"(?<=[a-zа-яё])(?=[A-ZА-ЯЁ])").sub
_hyphen = re.compile(r"(?<![^\W_])([eеи])[\W_]+(?=(?:mail|мейл|мэйл|майл|маил)\w*)").sub
_words = re.compile(r"[^\W\d_]+|\d+").findall

# Letters that look alike in most fonts, small or, for some, capital.
_LATIN, _CYRILLIC = "aekmhopctyxbisj", "аекмнорстухвіѕј"
_TO_LATIN = str.maketrans(_CYRILLIC + "αεικνορτυχ", _LATIN + "aeiknoptux")
_TO_CYRILLIC = str.maketrans(_LATIN, _CYRILLIC)


@lru_cache(maxsize=10_000)
def _is_email(name: str) -> bool:
    """Whether a column of this name has addresses, as far as the name can say."""
    words = _words(_hyphen(r"\1", _camel(" ", name).casefold().replace("ё", "е")))
    if " ".join(words) in _ALONE:
        return True
    return not _NAMES.isdisjoint(words) and _WORDS.issuperset(words)


def address_columns(names: Sequence[str]) -> list[int]:
    """The places of the columns that may have the addresses: one, if that is clear."""
    found = [n for n, name in enumerate(names) if name.casefold() in EMAIL_NAMES]
    found = found or [n for n, name in enumerate(names) if name and _is_email(name)]
    return found or [n for n, name in enumerate(names) if name.casefold() in _LAST]


def look_alike(names: Sequence[str]) -> str:
    """A sentence about the first name that would be the address column if its letters were what
    they look like; else an empty string.
    """
    for name in names:
        folded = unicodedata.normalize("NFKC", name).casefold()
        for table in (_TO_LATIN, _TO_CYRILLIC):
            meant = folded.translate(table)
            if meant != name.casefold() and len(meant) == len(name) and _is_email(meant):
                odd, right = next(
                    pair for pair in zip(name, meant, strict=True) if pair[0].casefold() != pair[1]
                )
                kind = unicodedata.name(odd, "a letter").lower()
                return f"in {name!r}, {odd!r} ({kind}, U+{ord(odd):04X}) only looks like {right!r}"
    return ""


def shown_names(names: Sequence[str]) -> str:
    """The names for a sentence, the first of many."""
    shown = ", ".join(repr(name) for name in names[:20]) + ", …" * (len(names) > 20)
    return shown[:1000]


@attrs.frozen
class Naming:
    """What the caller says of the columns: which one has the addresses (None: find out), and new
    names for some of them. ``likely`` has the addresses if it is there: the column of the
    list that this one, which ``is_stop``, stops.
    """

    email: str | None
    renamed: Mapping[str, str]
    likely: str | None = None
    is_stop: bool = False

    @property
    def choice(self) -> str:
        """How to choose the addresses' column."""
        command = "mailkit suppress import " if self.is_stop else ""
        return remedy("email_column=…", f"{command}--email-column NAME")

    @classmethod
    def of(cls, email_column: str | None, rename: Mapping[str, str] | None) -> Naming:
        """With all names as columns have them; InvalidArgument if one is no name."""
        given = dict(rename or {})
        names: list[object] = [*given, *given.values()]
        if email_column is not None:
            names.append(email_column)
        for name in names:
            if not isinstance(name, str) or not column_name(name):
                raise InvalidArgument(f"{name!r} can't be the name of a column: use its header")
        renamed = {column_name(old): column_name(new) for old, new in given.items()}
        if len(renamed) < len(given):
            raise InvalidArgument("rename: a column is renamed twice; give it one new name")
        return cls(None if email_column is None else column_name(email_column), renamed)

    def knows(self, names: Sequence[str]) -> bool:
        """Whether one of the names is that of a column the caller speaks of."""
        own = {*self.renamed, *(name for name in (self.email, self.likely) if name is not None)}
        return bool(own) and any(name in own for name in names)

    def rename(self, names: Sequence[str], shown: str) -> list[str]:
        """A table's columns by their new names; InvalidArgument if there is no such column."""
        changed = list(names)
        for old, new in self.renamed.items():
            changed[self._find(names, old, shown, remedy("rename", "--map"))] = new
        return changed

    def address_columns(
        self, names: Sequence[str], renamed: Sequence[str], shown: str
    ) -> Sequence[int]:
        """The places of the addresses' column, which may be given by its old name or its new one,
        and which may be there several times, in any case; InvalidArgument unless there is exactly
        one name.
        """
        if self.email is not None:
            among = names if self.email in names else renamed
            found = called(self.email, among)
            if not found:
                option = remedy("email_column", "--email-column")
                raise _not_one("no column", self.email, among, shown, option)
        else:
            found = [] if self.likely is None else called(self.likely, names)
            found = found or address_columns(renamed)
        if len({renamed[n].casefold() for n in found}) == 1:
            return found
        if found:
            several = ", ".join(repr(renamed[n]) for n in found[:20])
            raise InvalidArgument(
                f"{shown}: more than one column may have the addresses: {several}; choose one with "
                f"{self.choice}"
            )
        if odd := look_alike(renamed):
            raise InvalidArgument(
                f"{shown} has no column 'email': {odd}; retype the name, or choose "
                f"the column with {self.choice}"
            )
        raise InvalidArgument(
            f"{shown} has no column 'email', only {shown_names(renamed)}; rename the column "
            f"of the addresses to email, or choose it with {self.choice}"
        )

    def _find(self, names: Sequence[str], name: str, shown: str, option: str) -> int:
        found = called(name, names)
        if len(found) == 1:
            return found[0]
        fault = "more than one column" if found else "no column"
        raise _not_one(fault, name, names, shown, option)


def _not_one(
    fault: str, name: str, names: Sequence[str], shown: str, option: str
) -> InvalidArgument:
    return InvalidArgument(f"{option}: {shown} has {fault} {name!r}: it has {shown_names(names)}")


def called(name: str, names: Sequence[str]) -> list[int]:
    """The places of the columns or keys of this name, else of those that have it in any case."""
    spelled = list(map(column_name, names))
    folded = name.casefold()
    found = [n for n, one in enumerate(spelled) if one == name]
    return found or [n for n, one in enumerate(spelled) if one.casefold() == folded]
