"""The account: its balance, and what a message costs."""

from __future__ import annotations

import attrs

from mailkit.provider import Call, Resource, get, method

__all__ = ["Account", "AccountInfo"]


@attrs.frozen
class AccountInfo:
    """Balance, and price of a message, in cents."""

    balance: int
    price: int


@get("/v1/account", repeatable=True)
class GetAccount(Call[AccountInfo]):
    """Balance and price."""


class Account(Resource):
    """The account."""

    get = method(GetAccount)
