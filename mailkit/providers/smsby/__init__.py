"""The e-mail part of sms.by: messages, bulk sends, unsubscriptions, templates, mailing lists.

https://sms.by/api
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import tzinfo
from typing import Self, Unpack

from mailkit.address import header_text
from mailkit.core.auth import FieldToken, credential
from mailkit.core.call import resource
from mailkit.core.client import Client, ClientOptions
from mailkit.core.dispatch import Dispatch
from mailkit.core.secret import Secret
from mailkit.core.wire import base_url
from mailkit.core.wire_format import WireFormat, time_zone
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.providers.smsby.bulk import (
    Bulk,
    BulkError,
    BulkStatus,
    PersonalMessage,
    SendBulkResult,
)
from mailkit.providers.smsby.dispatch import ChunkLimits, SmsByDispatch
from mailkit.providers.smsby.emails import Emails, EmailStatus, SendEmailResult, SendToListResult
from mailkit.providers.smsby.envelope import unwrap
from mailkit.providers.smsby.mailing_lists import (
    ImportContacts,
    ImportContactsResult,
    ImportProblem,
    MailingLists,
)
from mailkit.providers.smsby.subscriptions import Subscriptions
from mailkit.providers.smsby.templates import Template, Templates

__all__ = [
    "BulkError",
    "BulkStatus",
    "ChunkLimits",
    "EmailStatus",
    "ImportContactsResult",
    "ImportProblem",
    "PersonalMessage",
    "SendBulkResult",
    "SendEmailResult",
    "SendToListResult",
    "SmsBy",
    "Template",
]

_URL = "https://app.sms.by"


class Options(ClientOptions, total=False):
    """What SmsBy takes besides its credential and address."""

    zone: str | tzinfo
    multipart: bool
    imports_in_query: bool
    limits: ChunkLimits
    unsubscribe_url: str | None


class SmsBy(Client):
    """The client of sms.by; making one opens nothing and needs no event loop.

    ``zone`` is the one that the service reads dates in, which it doesn't publish. ``multipart``:
    long and personal messages go out as multipart, which saves much time, else urlencoded.
    ``imports_in_query``: contacts to import go into the query, as the page has it, else into the
    form. ``limits``: how much one request of a bulk send carries. ``unsubscribe_url``: what
    ``{{ unsubscribe }}`` becomes in a bulk send. The other options are `ClientOptions`.
    https://sms.by/api
    """

    name = "smsby"
    tells_deliveries = True

    emails = resource(Emails)
    bulk = resource(Bulk)
    subscriptions = resource(Subscriptions)
    templates = resource(Templates)
    mailing_lists = resource(MailingLists)

    def __init__(
        self,
        token: str | Secret,
        url: str = _URL,
        *,
        zone: str | tzinfo = "Europe/Minsk",
        multipart: bool = True,
        imports_in_query: bool = False,
        limits: ChunkLimits = ChunkLimits(),
        unsubscribe_url: str | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        token = Secret(token)  # before anything can raise: tracebacks can show names' values
        token = credential(token, "token")
        self._limits = limits
        self._unsubscribe = header_text(unsubscribe_url or "", "unsubscribe_url") or None
        super().__init__(
            url=base_url(url, "url"),
            auth=FieldToken(token),
            unwrap=unwrap,
            wire_format=WireFormat(
                zone=time_zone(zone),
                multipart=multipart,
                in_query=frozenset({ImportContacts}) if imports_in_query else frozenset(),
            ),
            **options,
        )

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """This client's part in a bulk send of the message; see BulkSender.

        Raises Unsupported for attachments, InvalidArgument for placeholders without a column.
        """
        return SmsByDispatch(
            self, message, columns, limits=self._limits, unsubscribe=self._unsubscribe
        )

    @classmethod
    def from_env(cls, **options: Unpack[Options]) -> Self:
        """The client with MAILKIT_SMSBY_TOKEN, at MAILKIT_SMSBY_URL if that is set, with
        MAILKIT_SMSBY_UNSUBSCRIBE_URL for ``{{ unsubscribe }}``.

        Raises InvalidArgument if there is no token or the address can't be used.
        """
        # The environment is never a name's value here: a traceback could show it.
        if not os.environ.get("MAILKIT_SMSBY_TOKEN"):
            raise InvalidArgument(
                "MAILKIT_SMSBY_TOKEN is not set: put the API key of your sms.by account there, "
                "or pass token=…"
            )
        options.setdefault(
            "unsubscribe_url", os.environ.get("MAILKIT_SMSBY_UNSUBSCRIBE_URL") or None
        )
        return cls(
            Secret(os.environ["MAILKIT_SMSBY_TOKEN"].strip()),
            base_url(os.environ.get("MAILKIT_SMSBY_URL") or _URL, "MAILKIT_SMSBY_URL"),
            **options,
        )
