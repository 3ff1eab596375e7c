"""Unsubscribing, and undoing it."""

from __future__ import annotations

from collections.abc import Sequence

from mailkit.address import Address
from mailkit.core.call import Call, Resource, arg, method, post
from mailkit.providers.smsby import fields
from mailkit.providers.smsby.envelope import confirmed

__all__ = ["Subscriptions"]


@post("/api/v2/unsubscribeEmail", repeatable=True, body="form", pick=confirmed)
class Unsubscribe(Call[None]):
    """Take an address off the lists with these ids, off every list without ``list_ids``.

    ``reason`` is kept as a comment.
    """

    email: Address | str = arg(write=fields.recipient)
    list_ids: Sequence[int] | None = arg(default=None, write=fields.ids)
    reason: str | None = None


@post("/api/v2/subscribeEmail", repeatable=True, body="form", pick=confirmed)
class Subscribe(Call[None]):
    """Undo an unsubscription, from the lists with these ids or from every list."""

    email: Address | str = arg(write=fields.recipient)
    list_ids: Sequence[int] | None = arg(default=None, write=fields.ids)


class Subscriptions(Resource):
    """Unsubscribing and undoing it."""

    unsubscribe = method(Unsubscribe)
    subscribe = method(Subscribe)
