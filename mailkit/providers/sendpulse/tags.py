"""Tags on contacts, which the page doesn't describe; a paid tariff's.

The service queues what is asked for, so that a change shows after a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from mailkit.address import Address
from mailkit.core.call import Call, Resource, arg, delete, get, method, post, put
from mailkit.core.model import Model
from mailkit.core.wire_format import WireFormat
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.error_codes import GONE

__all__ = ["Tag", "Tags"]


@attrs.frozen
class Tag(Model):
    """A tag: its name, and its color as ``#f0f4f6``."""

    id: int
    name: str = ""
    color: str = ""


def _ids(value: Sequence[int], wire_format: WireFormat) -> object:
    return [int(str(one)) for one in fields.some(value, "tags")]


def _tags(tree: Any) -> Any:
    """The tags, under a key or alone."""
    return tree["tags"] if isinstance(tree, dict) and "tags" in tree else tree


@get("/tags", repeatable=True, pick=_tags)
class ListTags(Call[list[Tag]]):
    """All tags of the account."""


@post("/tags", repeatable=False, pick=confirmed)
class CreateTag(Call[None]):
    """Create a tag with a color, such as ``#f0f4f6``; ``list`` has its id once it is there."""

    name: str = arg(write=fields.one_line("name"))
    color: str = arg(write=fields.one_line("color"))


@put("/tags/{id}", repeatable=True, pick=confirmed)
class UpdateTag(Call[None]):
    """Rename a tag or change its color."""

    id: int
    name: str = arg(write=fields.one_line("name"))
    color: str | None = None


@delete("/tags/{id}", repeatable=True, body="none", pick=confirmed, gone=GONE)
class DeleteTag(Call[None]):
    """Delete a tag."""

    id: int


@post("/tags/pin/email", repeatable=True, pick=confirmed)
class PinToEmail(Call[None]):
    """Pin tags, by their ids, to an address."""

    email: Address | str = arg(write=fields.address)
    tags: Sequence[int] = arg(write=_ids)


@post("/tags/pin/phone", repeatable=True, pick=confirmed)
class PinToPhone(Call[None]):
    """Pin tags, by their ids, to a phone number."""

    phone: str
    tags: Sequence[int] = arg(write=_ids)


@post("/tags/unpin/email", repeatable=True, pick=confirmed)
class UnpinFromEmail(Call[None]):
    """Take tags, by their ids, off an address."""

    email: Address | str = arg(write=fields.address)
    tags: Sequence[int] = arg(write=_ids)


@post("/tags/unpin/phone", repeatable=True, pick=confirmed)
class UnpinFromPhone(Call[None]):
    """Take tags, by their ids, off a phone number."""

    phone: str
    tags: Sequence[int] = arg(write=_ids)


class Tags(Resource):
    """Tags on contacts."""

    list = method(ListTags)
    create = method(CreateTag)
    update = method(UpdateTag)
    delete = method(DeleteTag)
    pin_email = method(PinToEmail)
    pin_phone = method(PinToPhone)
    unpin_email = method(UnpinFromEmail)
    unpin_phone = method(UnpinFromPhone)
