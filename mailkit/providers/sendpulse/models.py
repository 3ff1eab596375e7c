"""Responses of SendPulse that several resources share, or that come in several shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from mailkit.core.call import wire
from mailkit.core.model import Model
from mailkit.core.reading import php_list
from mailkit.providers.sendpulse.codes import CampaignStatus, ContactStatus, RecipientStatus

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = [
    "CampaignName",
    "Contact",
    "FileNames",
    "LinkClicks",
    "ListIds",
    "Statistics",
    "StatusCount",
    "Value",
    "Variables",
]

Value = str | int | float | bool | None


class Variables(dict[str, Value]):
    """A contact's variables by name; ``types`` holds their types where the response has them."""

    def __init__(
        self, values: Mapping[str, Value] | None = None, types: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(values or {})
        self.types = dict(types or {})

    @classmethod
    def _structure(cls, tree: Any) -> Variables:
        """A map, or a list of names with values; "" for none."""
        if isinstance(tree, dict) and not _is_list(tree):
            return cls({name: _value(value) for name, value in tree.items()})
        tree = php_list(tree)
        if tree not in ("", None) and not isinstance(tree, list):
            raise TypeError(f"variables are not {type(tree).__name__}")
        found = cls()
        for one in tree or ():
            found[str(one["name"])] = _value(one.get("value"))
            if one.get("type"):
                found.types[str(one["name"])] = str(one["type"])
        return found


def _is_list(tree: Mapping[str, object]) -> bool:
    """Whether it is a list as PHP may write it; a variable can be called 0, too."""
    rows = php_list(tree)
    return isinstance(rows, list) and all(isinstance(row, dict) and "name" in row for row in rows)


def _value(value: Any) -> Value:
    if value is None or isinstance(value, str | int | float):
        return value
    return msgspec.json.encode(value).decode()


class ListIds(tuple[int, ...]):
    """Mailing lists, by their ids; the service names one, several or none."""

    __slots__ = ()

    @classmethod
    def _structure(cls, tree: Any) -> ListIds:
        tree = php_list(tree)
        ids = tree if isinstance(tree, list) else () if tree in ("", None) else (tree,)
        return cls(map(int, ids))


class FileNames(tuple[str, ...]):
    """Names of attached files, which the service writes with commas between."""

    __slots__ = ()

    @classmethod
    def _structure(cls, tree: Any) -> FileNames:
        names: Iterable[object] = tree.split(",") if isinstance(tree, str) else php_list(tree) or ()
        return cls(text for name in names if (text := str(name).strip()))


@attrs.frozen
class Contact(Model):
    """An address in a mailing list.

    ``list_id`` and ``email`` are set where the response has them.
    """

    email: str = ""
    status: ContactStatus | int | None = None
    status_explain: str = ""
    phone: str = ""
    variables: Variables = attrs.field(factory=Variables)
    list_id: int | None = attrs.field(default=None, metadata=wire("book_id", "abook_id"))


@attrs.frozen
class CampaignName(Model):
    """A campaign of a mailing list: its id, name and status."""

    id: int = attrs.field(metadata=wire("task_id"))
    name: str = attrs.field(default="", metadata=wire("task_name"))
    status: CampaignStatus | int | None = attrs.field(
        default=None, metadata=wire("task_status", "tast_status")
    )


@attrs.frozen
class StatusCount(Model):
    """How many of a campaign's messages have a status."""

    code: RecipientStatus | int
    count: int = 0
    explain: str = ""


@attrs.frozen
class LinkClicks(Model):
    """How often a link was followed; ``url`` is empty for links without an address."""

    url: str = attrs.field(default="", metadata=wire("url", "link"))
    count: int = 0


@attrs.frozen
class Statistics(Model):
    """A campaign in numbers, as far as the response has them.

    ``counters`` by the service's words (sent, delivered, opening, …) in a list of campaigns;
    ``general`` by status and ``clicks`` by link in the response about one.
    """

    counters: Mapping[str, int] = attrs.field(factory=dict[str, int])
    general: tuple[StatusCount, ...] = ()
    clicks: tuple[LinkClicks, ...] = ()

    @classmethod
    def _structure(cls, tree: Any, converter: Converter) -> Statistics:
        tree = php_list(tree)
        if isinstance(tree, list):
            tree = {"general": tree}
        elif not isinstance(tree, dict) or not tree.keys() & {"general", "clicks"}:
            counters = tree.items() if isinstance(tree, dict) else ()
            known = {name: count for name, count in counters if count not in (None, "")}
            return cls(converter.structure(known, dict[str, int]))
        return cls(
            general=converter.structure(tree.get("general") or [], tuple[StatusCount, ...]),
            clicks=converter.structure(tree.get("clicks") or [], tuple[LinkClicks, ...]),
        )
