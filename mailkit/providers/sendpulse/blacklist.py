"""Addresses that get no messages from the account at all."""

from __future__ import annotations

from collections.abc import Sequence

from mailkit.address import Address
from mailkit.core.call import Call, Resource, arg, delete, get, method, post
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.error_codes import GONE

__all__ = ["Blacklist"]


@get("/blacklist", repeatable=True)
class ListBlacklist(Call[list[str]]):
    """All addresses in the blacklist."""


@post("/blacklist", repeatable=True, pick=confirmed)
class AddToBlacklist(Call[None]):
    """Add addresses to the blacklist, with a comment."""

    emails: Sequence[Address | str] = arg(write=fields.joined)
    comment: str | None = None


@delete("/blacklist", repeatable=True, pick=confirmed, gone=GONE)
class RemoveFromBlacklist(Call[None]):
    """Remove addresses from the blacklist."""

    emails: Sequence[Address | str] = arg(write=fields.joined)


class Blacklist(Resource):
    """Addresses that get no messages from the account at all."""

    list = method(ListBlacklist)
    add = method(AddToBlacklist)
    remove = method(RemoveFromBlacklist)
