"""The account: its balance, and what a message costs."""

from __future__ import annotations

import attrs

from mailkit.provider import Call, Check, Resource, get, method

__all__ = ["CHECKS", "Account", "AccountInfo"]


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


def _affordable(found: AccountInfo) -> str:
    return "enough money" if found.balance >= found.price else "not enough money"


CHECKS = (Check("account", GetAccount(), _affordable),)
