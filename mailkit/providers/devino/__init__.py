"""The e-mail part of Devino: messages, and the files that go with them.

Written from https://docs.devinotele.com.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Self, Unpack

from mailkit.core.arguments import check_options
from mailkit.core.auth import HeaderKey, credential
from mailkit.core.call import resource
from mailkit.core.client import Client
from mailkit.core.dispatch import Dispatch
from mailkit.core.options import ClientOptions, secret_from_env
from mailkit.core.secret import Secret
from mailkit.core.wire import base_url
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.providers.devino.checks import CHECKS
from mailkit.providers.devino.dispatch import ChunkLimits, DevinoDispatch, Uploads
from mailkit.providers.devino.envelope import unwrap
from mailkit.providers.devino.files import Files, UploadedFile
from mailkit.providers.devino.messages import (
    AcceptedRecipient,
    MessageRecipient,
    Messages,
    RecipientInDoubt,
    RefusedRecipient,
    SendMessagesResult,
)
from mailkit.providers.devino.webhook import parse_webhook

__all__ = [
    "AcceptedRecipient",
    "ChunkLimits",
    "Devino",
    "MessageRecipient",
    "RecipientInDoubt",
    "RefusedRecipient",
    "SendMessagesResult",
    "UploadedFile",
]

_URL = "https://api.devino.online"


class Options(ClientOptions, total=False):
    """What Devino takes besides its key and address."""

    limits: ChunkLimits
    """How much one request of a bulk send carries."""
    escape: bool
    """Values are HTML-escaped before they fill the macros of an html body in a bulk send; whether
    the service does so itself is unpublished. By default, True."""


class Devino(Client):
    """The client of Devino; creating one opens nothing and needs no event loop.

    Its options are those of `Options` and `ClientOptions`.
    """

    name = "devino"
    checks = CHECKS
    can_poll = False

    messages = resource(Messages)
    files = resource(Files)

    parse_webhook = staticmethod(parse_webhook)

    def __init__(self, api_key: str | Secret, url: str = _URL, **options: Unpack[Options]) -> None:
        api_key = Secret(api_key)  # before anything can raise: a traceback can show local variables
        api_key = credential(api_key, "api_key", "MAILKIT_DEVINO_API_KEY")
        check_options(options, Options)
        self._chunk_limits = options.pop("limits", ChunkLimits())
        self._escape = options.pop("escape", True)
        self._uploads = Uploads()
        shared: ClientOptions = options
        super().__init__(
            url=base_url(url, "url"), auth=HeaderKey(api_key, "Key"), unwrap=unwrap, **shared
        )

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """This client's part in a bulk send of the message; see BulkSender.

        Raises Unsupported for send_at, tracking and placeholders in the subject, InvalidArgument
        for a body without a link to unsubscribe and for placeholders without a column.
        """
        return DevinoDispatch(
            self,
            message,
            columns,
            limits=self._chunk_limits,
            uploads=self._uploads,
            escape=self._escape,
        )

    @classmethod
    def from_env(cls, **options: Unpack[Options]) -> Self:
        """The client with MAILKIT_DEVINO_API_KEY, at MAILKIT_DEVINO_URL if that is set.

        Raises InvalidArgument if there is no key or the address can't be used.
        """
        api_key = secret_from_env("MAILKIT_DEVINO_API_KEY")
        if api_key is None:
            raise InvalidArgument(
                "MAILKIT_DEVINO_API_KEY is not set: put the API key of your Devino account there"
            )
        url = base_url(os.environ.get("MAILKIT_DEVINO_URL") or _URL, "MAILKIT_DEVINO_URL")
        return cls(api_key, url, **options)
