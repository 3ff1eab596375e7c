"""The e-mail part of Devino: messages, and the files that go with them.

https://docs.devinotele.com
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from typing import Self, Unpack

from mailkit.core.auth import HeaderKey, credential
from mailkit.core.call import resource
from mailkit.core.client import Client, Hook
from mailkit.core.clock import Clock
from mailkit.core.dispatch import Dispatch
from mailkit.core.http import AiohttpTransport, Session, Transport
from mailkit.core.options import ClientOptions
from mailkit.core.quota import Quota
from mailkit.core.secret import Secret
from mailkit.core.wire import base_url
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.message import Message
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
    """What Devino takes besides its credential and address."""

    limits: ChunkLimits
    escape: bool


class Devino(Client):
    """The client of Devino; making one opens nothing and needs no event loop.

    ``account`` names the account in quotas and journals; without it, a hash of the key does.
    ``requests`` is the account's rate limit, unpublished and therefore none by default.
    ``session`` is an aiohttp session to use and leave open, ``connections`` the size of the pool
    otherwise, ``timeout`` the seconds for one attempt. ``limits``: how much one request of a bulk
    send carries. ``escape``: values are HTML-escaped before they fill the macros of an html body
    in a bulk send; whether the service does so itself is unpublished. https://docs.devinotele.com
    """

    name = "devino"
    tells_deliveries = False

    messages = resource(Messages)
    files = resource(Files)

    def __init__(
        self,
        api_key: str | Secret,
        url: str = _URL,
        *,
        account: str | None = None,
        requests: Quota | None = None,
        session: Session | None = None,
        connections: int = 100,
        timeout: float = 30.0,
        hooks: Sequence[Hook] = (),
        clock: Clock | None = None,
        random: Random | None = None,
        transport: Transport | None = None,
        limits: ChunkLimits = ChunkLimits(),
        escape: bool = True,
    ) -> None:
        self._limits = limits
        self._escape = escape
        self._uploads = Uploads()
        api_key = Secret(api_key)  # before anything can raise: tracebacks can show names' values
        api_key = credential(api_key, "api_key")
        super().__init__(
            url=base_url(url, "url"),
            account=account or api_key.fingerprint(),
            auth=HeaderKey(api_key, "Key"),
            unwrap=unwrap,
            transport=transport or AiohttpTransport(session, connections=connections),
            wire_format=WireFormat(),
            timeout=timeout,
            quotas={"requests": requests} if requests else {},
            hooks=hooks,
            clock=clock,
            random=random,
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
            limits=self._limits,
            uploads=self._uploads,
            escape=self._escape,
        )

    @classmethod
    def from_env(cls, **options: Unpack[Options]) -> Self:
        """The client with MAILKIT_DEVINO_API_KEY, at MAILKIT_DEVINO_URL if that is set.

        Raises InvalidArgument if there is no key or the address can't be used.
        """
        # The environment is never a name's value here: a traceback could show it.
        if not os.environ.get("MAILKIT_DEVINO_API_KEY"):
            raise InvalidArgument(
                "MAILKIT_DEVINO_API_KEY is not set: put the API key of your Devino account there, "
                "or pass api_key=…"
            )
        return cls(
            Secret(os.environ["MAILKIT_DEVINO_API_KEY"].strip()),
            base_url(os.environ.get("MAILKIT_DEVINO_URL") or _URL, "MAILKIT_DEVINO_URL"),
            **options,
        )
