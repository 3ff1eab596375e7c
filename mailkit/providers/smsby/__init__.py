"""The email part of sms.by: messages, bulk sends, unsubscriptions, templates, mailing lists.

Written from https://sms.by/api.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import tzinfo
from typing import Self, Unpack

from mailkit.core.arguments import check_options
from mailkit.core.auth import FieldToken, credential
from mailkit.core.call import resource
from mailkit.core.client import Client
from mailkit.core.dispatch import Dispatch
from mailkit.core.options import ClientOptions, secret_from_env
from mailkit.core.secret import Secret
from mailkit.core.wire import base_url
from mailkit.core.wire_format import time_zone
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.providers.smsby.bulk import (
    Bulk,
    BulkError,
    BulkStatus,
    PersonalMessage,
    SendBulkResult,
)
from mailkit.providers.smsby.checks import CHECKS
from mailkit.providers.smsby.dispatch import ChunkLimits, SmsByDispatch
from mailkit.providers.smsby.emails import Emails, EmailStatus, SendEmailResult, SendToListResult
from mailkit.providers.smsby.envelope import unwrap
from mailkit.providers.smsby.fields import SmsByFormat
from mailkit.providers.smsby.mailing_lists import (
    ImportContacts,
    ImportContactsResult,
    ImportProblem,
    MailingLists,
)
from mailkit.providers.smsby.subscriptions import Subscriptions
from mailkit.providers.smsby.templates import Template, Templates
from mailkit.template import LinkTemplate

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
_LINK = "unsubscribe_url"
_LINK_VARIABLE = "MAILKIT_SMSBY_UNSUBSCRIBE_URL"
_TOP_VARIABLE = "MAILKIT_SMSBY_TEXT_AT_TOP"


class Options(ClientOptions, total=False):
    """What SmsBy takes besides its token and address."""

    zone: str | tzinfo
    """The zone that the service reads dates in, which it doesn't publish; by default,
    Europe/Minsk."""
    multipart: bool
    """Long and personal messages go out as multipart, which saves much time; by default, True."""
    imports_in_query: bool
    """Contacts to import go into the query, as the service's page has it, not into the form;
    by default, False."""
    text_at_top: bool
    """Whether a personal bulk send repeats the subject and message of its first email at the top:
    the documentation's table requires them there, its example omits them. By default, False."""
    limits: ChunkLimits
    """How much one request of a bulk send carries."""
    unsubscribe_url: str | None
    """What ``{{ unsubscribe }}`` becomes in a bulk send: an http(s) address. Its own placeholders,
    such as ``?e={{ email }}``, are filled in for each recipient, percent-encoded."""


class SmsBy(Client):
    """The client of sms.by; creating one opens nothing and needs no event loop.

    Its options are those of `Options` and `ClientOptions`.
    """

    name = "smsby"
    checks = CHECKS
    can_poll = True

    emails = resource(Emails)
    bulk = resource(Bulk)
    subscriptions = resource(Subscriptions)
    templates = resource(Templates)
    mailing_lists = resource(MailingLists)

    def __init__(self, token: str | Secret, url: str = _URL, **options: Unpack[Options]) -> None:
        token = Secret(token)  # before anything can raise: a traceback can show local variables
        token = credential(token, "token", "MAILKIT_SMSBY_TOKEN")
        check_options(options, Options)
        zone = time_zone(options.pop("zone", "Europe/Minsk"))
        multipart = options.pop("multipart", True)
        in_query = {ImportContacts} if options.pop("imports_in_query", False) else ()
        self._text_at_top = options.pop("text_at_top", False)
        self._chunk_limits = options.pop("limits", ChunkLimits())
        unsubscribe = options.pop("unsubscribe_url", None)
        self.unsubscribe_link = LinkTemplate.parse(unsubscribe, _LINK) if unsubscribe else None
        shared: ClientOptions = options
        super().__init__(
            url=base_url(url, "url"),
            auth=FieldToken(token),
            unwrap=unwrap,
            wire_format=SmsByFormat(zone, multipart, frozenset(in_query), self._text_at_top),
            **shared,
        )

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """This client's part in a bulk send of the message; see BulkSender.

        Raises Unsupported for attachments, InvalidArgument for placeholders without a column.
        """
        return SmsByDispatch(
            self,
            message,
            columns,
            limits=self._chunk_limits,
            unsubscribe=self.unsubscribe_link,
            text_at_top=self._text_at_top,
        )

    @classmethod
    def from_env(cls, **options: Unpack[Options]) -> Self:
        """The client with MAILKIT_SMSBY_TOKEN, at MAILKIT_SMSBY_URL if that is set, with
        MAILKIT_SMSBY_UNSUBSCRIBE_URL for ``{{ unsubscribe }}``; MAILKIT_SMSBY_TEXT_AT_TOP=1 sets
        ``text_at_top``.

        Raises InvalidArgument if there is no token or the address can't be used.
        """
        token = secret_from_env("MAILKIT_SMSBY_TOKEN")
        if token is None:
            raise InvalidArgument(
                "MAILKIT_SMSBY_TOKEN is not set: put the API key of your sms.by account there"
            )
        if top := os.environ.get(_TOP_VARIABLE, "").strip():
            if top not in ("0", "1"):
                raise InvalidArgument(f"{_TOP_VARIABLE}: give 1 or 0, not {top[:40]!r}")
            options.setdefault("text_at_top", top == "1")
        page = os.environ.get(_LINK_VARIABLE) if "unsubscribe_url" not in options else None
        url = base_url(os.environ.get("MAILKIT_SMSBY_URL") or _URL, "MAILKIT_SMSBY_URL")
        client = cls(token, url, **options)
        if page:
            client.unsubscribe_link = LinkTemplate.parse(page, _LINK_VARIABLE)
        return client
