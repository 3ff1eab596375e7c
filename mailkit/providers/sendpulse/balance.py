"""Money and tariffs."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from mailkit.core.call import Call, Resource, get, method, wire
from mailkit.core.model import Model
from mailkit.core.wire import Unreadable

__all__ = ["Balance", "BalanceDetails", "Balances", "EmailTariff", "Money", "Tariff"]


@attrs.frozen
class Balance(Model):
    """The account's balance in a currency."""

    currency: str
    amount: Decimal = attrs.field(metadata=wire("balance_currency"))


@attrs.frozen
class Money(Model):
    """The account's own money and its bonus."""

    main: Decimal | None = None
    bonus: Decimal | None = None
    currency: str = ""


@attrs.frozen
class EmailTariff(Model):
    """The tariff for campaigns and what is left of it; ``finished_time`` is naive."""

    tariff_name: str = ""
    finished_time: datetime | None = None
    emails_left: int | None = None
    maximum_subscribers: int | None = None
    current_subscribers: int | None = None


@attrs.frozen
class Tariff(Model):
    """The tariff of another part of the service; ``end_date`` is naive."""

    tariff_name: str = ""
    end_date: datetime | None = None
    auto_renew: bool | None = None


@attrs.frozen
class BalanceDetails(Model):
    """The balance and the tariffs of the service's parts; None for a part that isn't in use."""

    balance: Money | None = None
    email: EmailTariff | None = None
    smtp: Tariff | None = None
    push: Tariff | None = None


@get("/balance[/{currency}]", repeatable=True)
class GetBalance(Call[Balance]):
    """The account's balance, in ``currency`` (such as USD) if that is given."""

    currency: str | None = None


def _details(tree: Any) -> Any:
    """The response, if there is anything in it: each part can be absent, but not all of them."""
    if not isinstance(tree, dict) or not tree.keys() & {"balance", "email", "smtp", "push"}:
        raise Unreadable("neither a balance nor a tariff in the response")
    return tree


@get("/user/balance/detail", repeatable=True, pick=_details)
class GetBalanceDetails(Call[BalanceDetails]):
    """The balance and the tariffs in detail."""


class Balances(Resource):
    """Money and tariffs."""

    get = method(GetBalance)
    details = method(GetBalanceDetails)
