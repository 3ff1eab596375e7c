"""The columns of a list, whether it has a header or each row names its fields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from mailkit.bulk.rows import Partial
from mailkit.bulk.source import RecipientSource
from mailkit.core.dispatch import Provider
from mailkit.errors import InvalidArgument
from mailkit.template import InvalidRow, LinkTemplate, Template, readings
from mailkit.template.names import ColumnNames
from mailkit.text import column_name

__all__ = ["Columns", "columns_of", "link_of"]

GAPS = 10_000_000  # empty values that rows with ever new keys may cost
SHAPES = 1_000  # rows' keys, in their order, that are remembered


class _Shape(NamedTuple):
    """How rows with certain keys are read: as so many columns, from their values in the keys' order
    and a blank behind them.
    """

    width: int
    read: Callable[[Sequence[str]], Sequence[str]]


class Columns:
    """The fields' order: a table's header, or, where rows are mappings, first the fields that
    the message uses and then the others as they appear.

    A key of a row is a field by its name, or else in any case, as in a table. ``address_column`` is
    what a table calls the addresses' column: a message may use that name, too. Then the addresses
    are a column as well, the last one (``has_addresses``).
    """

    def __init__(
        self,
        template: Template,
        header: Sequence[str] | None,
        link: LinkTemplate | None = None,
        address_column: str | None = None,
        repeated: Collection[str] = (),
    ) -> None:
        self.fixed = header is not None
        self._template, self._link = template, link
        used = dict.fromkeys((*template.fields, *(link.fields if link else ())))
        self._used = [name for name in used if "email" not in readings(name)]
        self.names = list(self._used if header is None else header)
        own = [] if header is None or address_column is None else [address_column]
        own = [name for name in own if "email" not in readings(name)]  # which it always is
        self.has_addresses = any(
            ColumnNames(own).find(name) and not ColumnNames(self.names).find(name)
            for name in self._used
        )
        if self.has_addresses:
            self.names += own
        self._index = {column_name(name): place for place, name in enumerate(self.names)}
        self._read = {reading: name for name in self._used for reading in readings(name)}
        self._seen: dict[str, None] = {}
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._given = self._gaps = 0
        twins = ColumnNames(repeated)
        for name in self._used:
            if (found := twins.find(name)) and not ColumnNames(self.names).find(name):
                raise InvalidArgument(
                    f"{{{{ {name[:80]} }}}}: the list has several columns "
                    f"{twins.columns[found[0]][:80]!r}; rename all but one of them in the list"
                )
        if header is not None:
            self._check([*self.names, *own])

    def values(self, fields: tuple[str, ...] | Mapping[str, str]) -> Sequence[str]:
        """The values in the columns' order; raises InvalidRow for names that can't be columns'."""
        if isinstance(fields, tuple):
            return fields
        if self.fixed and type(fields) is Partial:
            self._check_faults(fields)
            return list(fields.values())  # a table's row has them all, in order
        keys = tuple(fields)
        shape = self._shapes.get(keys)
        if shape is None or shape.width < len(self.names):
            shape = self._shape(keys)
            if len(self._shapes) >= SHAPES:
                self._shapes.clear()
            self._shapes[keys] = shape
        if type(fields) is Partial:
            self._check_faults(fields)
        values = shape.read((*fields.values(), ""))
        self._given += len(fields)
        self._gaps += len(values) - len(fields)
        if self._gaps > max(GAPS, 100 * self._given):
            raise InvalidArgument(
                f"the rows have {len(self.names):,} different keys, and hardly any rows have the "
                "same ones: give all rows the same keys"
            )
        return values

    def with_address(self, values: Sequence[str], address: str) -> Sequence[str]:
        """The values, and the address in the place that its own column has."""
        return [*values[: len(self.names) - 1], address]

    def _check_faults(self, fields: Partial) -> None:
        """What is no text matters only if the message uses it."""
        keys = ColumnNames(fields)
        for name in self._used:
            for place in keys.find(name):
                if fault := fields.faults.get(keys.columns[place]):
                    raise InvalidRow(f"the value of {{{{ {name[:80]} }}}} is {fault}")

    def _shape(self, keys: Sequence[str]) -> _Shape:
        spellings = {column_name(key): key for key in keys}
        read = self._read.get
        self._seen |= {
            key if key in self._used else read(key.casefold(), key): None for key in spellings
        }
        if email := next((key for key in spellings if key.casefold() == "email"), None):
            raise InvalidRow(f"a field {spellings[email][:80]!r} in addition to the address")
        if len(spellings) < len(keys):
            self._check_twins(keys)
        sources: dict[str, int] = {}  # where each column's value stands among the row's
        for name in self._used:
            if name in spellings:
                continue
            found = [key for key in spellings if key.casefold() in readings(name)]
            if len(found) > 1:
                raise InvalidRow(
                    f"the fields {found[0][:80]!r} and {found[1][:80]!r} both match "
                    f"{{{{ {name[:80]} }}}}: spell it exactly like one of them"
                )
            if found:
                sources[name] = keys.index(spellings[found[0]])
        claimed = {*sources.values()}
        for at, key in enumerate(keys):
            spelling = column_name(key)
            if at not in claimed or spelling in self._index:
                sources[spelling] = at
                if spelling not in self._index:
                    self._index[spelling] = len(self.names)
                    self.names.append(spelling)
        order = [len(keys)] * len(self.names)
        for name, at in sources.items():
            order[self._index[name]] = at
        return _Shape(len(order), _getter(order))

    def _check_twins(self, keys: Sequence[str]) -> None:
        """Two keys of one name matter if the message uses it; else the last one counts."""
        seen: dict[str, str] = {}
        for key in keys:  # in their order, which is the same in every process
            spelling = column_name(key)
            if spelling in seen and any(reading in self._read for reading in readings(spelling)):
                raise InvalidRow(
                    f"the fields {seen[spelling][:80]!r} and {key[:80]!r} have the same name"
                )
            seen[spelling] = key

    def check(self) -> None:
        """No row had a field that the message uses, or another service's tag names one that they
        had: InvalidArgument says which.
        """
        if self._shapes:  # else no row could be read, and each has a reason of its own
            self._check(sorted(self._seen))

    def _check(self, names: Sequence[str]) -> None:
        self._template.resolved(("email", *names))
        if self._link is not None:
            self._link.resolved(("email", *names))


async def columns_of(
    recipients: RecipientSource, template: Template, link: LinkTemplate | None
) -> Columns:
    """The columns of this list, for a message."""
    header = await recipients.columns()
    return Columns(template, header, link, recipients.address_column, recipients.repeated)


def _getter(order: Sequence[int]) -> Callable[[Sequence[str]], Sequence[str]]:
    if len(order) < 2:  # of one thing, an itemgetter makes no tuple
        return lambda row: [row[at] for at in order]
    return itemgetter(*order)


def link_of(provider: Provider, template: Template) -> LinkTemplate | None:
    """What the provider puts in place of ``{{ unsubscribe }}``, if mailkit fills that in."""
    link = getattr(provider, "unsubscribe_link", None) if template.unsubscribe else None
    return link if isinstance(link, LinkTemplate) else None
