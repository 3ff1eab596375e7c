"""The client of Listmail, a made-up service with lists and campaigns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Self, Unpack

from listmail.account import CHECKS, Account
from listmail.campaigns import Campaigns
from listmail.dispatch import ListmailDispatch
from listmail.envelope import unwrap
from listmail.lists import MailingLists
from listmail.webhook import parse_webhook
from mailkit import Message
from mailkit.errors import InvalidArgument
from mailkit.provider import (
    BasicAuth,
    Client,
    ClientOptions,
    Dispatch,
    Limits,
    Secret,
    base_url,
    resource,
    secret_from_env,
)

__all__ = ["Listmail"]

_URL = "https://api.listmail.example"
_LIMITS = Limits(rows=50_000, size=1_000_000, base=100, part_rows=500)


class Listmail(Client):
    """The client of Listmail. ``limits``: how much a campaign and a loading request carry."""

    name = "listmail"
    can_poll = True
    checks = CHECKS

    lists = resource(MailingLists)
    campaigns = resource(Campaigns)
    account_info = resource(Account)

    parse_webhook = staticmethod(parse_webhook)

    def __init__(
        self,
        key: str | Secret,
        secret: str | Secret,
        url: str = _URL,
        *,
        limits: Limits = _LIMITS,
        **options: Unpack[ClientOptions],
    ) -> None:
        super().__init__(
            url=base_url(url, "url"), auth=BasicAuth(key, secret), unwrap=unwrap, **options
        )
        self._chunk_limits = limits

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """This client's part in a bulk send of the message."""
        return ListmailDispatch(self, message, columns, limits=self._chunk_limits)

    @classmethod
    def from_env(cls, **options: Unpack[ClientOptions]) -> Self:
        """The client with MAILKIT_LISTMAIL_KEY and MAILKIT_LISTMAIL_SECRET, at
        MAILKIT_LISTMAIL_URL if that is set.
        """
        key = secret_from_env("MAILKIT_LISTMAIL_KEY")
        secret = secret_from_env("MAILKIT_LISTMAIL_SECRET")
        if key is None or secret is None:
            raise InvalidArgument(
                "set MAILKIT_LISTMAIL_KEY and MAILKIT_LISTMAIL_SECRET to those of your account"
            )
        return cls(key, secret, os.environ.get("MAILKIT_LISTMAIL_URL") or _URL, **options)
