"""The columns of a list, whether it has a header or each row names its fields."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from mailkit.bulk.rows import EMAIL_NAMES
from mailkit.core.dispatch import Provider
from mailkit.errors import InvalidArgument
from mailkit.template import InvalidRow, LinkTemplate, Template, check_columns

__all__ = ["Columns", "link_of"]

GAPS = 10_000_000  # empty values that rows with ever new keys may cost


class Columns:
    """The fields' order: a table's header, or, where rows are mappings, first the fields that
    the message uses and then the others as they appear.
    """

    def __init__(
        self, template: Template, header: Sequence[str] | None, link: LinkTemplate | None = None
    ) -> None:
        self.fixed = header is not None
        used = dict.fromkeys((*template.fields, *(link.fields if link else ())))
        self.names = [name for name in used if name != "email"]
        if header is not None:
            self.names = list(header)
        self._template, self._link = template, link
        self._seen: set[str] = set(header or ())
        self._index = {_spelling(name): index for index, name in enumerate(self.names)}
        self._aliases = False
        self._given = self._gaps = 0
        if header is not None:
            check_columns(template, ("email", *header))

    def values(self, fields: tuple[str, ...] | Mapping[str, str]) -> Sequence[str]:
        """The values in the columns' order; raises InvalidRow for names that can't be columns'."""
        if isinstance(fields, tuple):
            return fields
        if self._aliases or not fields.keys() <= self._seen:
            self._add(fields)
        values = [""] * len(self.names)
        for name, value in fields.items():
            values[self._index[name]] = value
        self._given += len(fields)
        self._gaps += len(values) - len(fields)
        if self._gaps > max(GAPS, 100 * self._given):
            raise InvalidArgument(
                f"the rows have {len(self.names):,} different keys, and hardly two the same ones: "
                "give all rows the same keys"
            )
        return values

    def _add(self, fields: Mapping[str, str]) -> None:
        spellings: dict[str, str] = {}
        for name in fields:  # in their order, which is the same in every process
            spelling = _spelling(name)
            if spelling.casefold() in EMAIL_NAMES:
                raise InvalidRow(f"a field {name[:80]!r} beside the address")
            if spelling in spellings:
                twin = spellings[spelling]
                raise InvalidRow(f"the fields {twin[:80]!r} and {name[:80]!r} have one name")
            spellings[spelling] = name
        for spelling, name in spellings.items():
            self._seen.add(name)
            if spelling not in self._index:
                self._index[spelling] = len(self.names)
                self.names.append(name.strip())
            self._index[name] = self._index[spelling]
            self._aliases = self._aliases or name != spelling

    def check(self) -> None:
        """No row had a field that the message uses: InvalidArgument names it."""
        if not self.fixed:
            names = ("email", *sorted(self._seen))
            check_columns(self._template, names)
            if self._link is not None:
                self._link.check(names)


def link_of(provider: Provider, template: Template) -> LinkTemplate | None:
    """What the provider puts in place of ``{{ unsubscribe }}``, if mailkit fills that in."""
    link = getattr(provider, "unsubscribe_link", None) if template.unsubscribe else None
    return link if isinstance(link, LinkTemplate) else None


def _spelling(name: str) -> str:
    """What two names of one column share; also how a table's header would be read again."""
    return unicodedata.normalize("NFC", name.strip())
