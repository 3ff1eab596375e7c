"""The providers of the worlds: the real client, the sandbox's service, and the list's people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol, TypedDict, Unpack

from mailkit import Devino, Message, Quota, SmsBy
from mailkit.core.clock import Clock
from mailkit.core.http import Transport
from mailkit.provider import Provider
from mailkit.providers import devino, smsby
from mailkit.sandbox import Service, Shared
from mailkit.sandbox.devino import Devino as DevinoService
from mailkit.sandbox.devino import DevinoSettings
from mailkit.sandbox.smsby import SmsBy as SmsByService
from mailkit.sandbox.smsby import SmsBySettings

URL = "http://127.0.0.1"
PERSONAL = Message(sender="a@b.by", subject="Hi {{ name }}", html="<p>{{ name }}</p>")
COMMON = Message(sender="a@b.by", subject="Hi", text="Hi")
MERGED = Message(sender="a@b.by", subject="Hi", html="<p>{{ name }}</p> {{ unsubscribe }}")
LINKED = Message(sender="a@b.by", subject="Hi", html="<p>Hi</p> {{ unsubscribe }}")


class Options(TypedDict):
    """What the world gives each client."""

    requests: Quota | None
    transport: Transport
    clock: Clock
    random: Random


class Side(Protocol):
    """One provider in a world. Beginnings of addresses: ``never`` get a letter, of these are
    ``refused`` by the service, and ``unnamed`` are left out of its answers.
    """

    name: str
    messages: Sequence[Message]
    never: tuple[str, ...]
    refused: tuple[str, ...]
    unnamed: tuple[str, ...]
    tells_at_once: bool
    service: Service[Any]
    settings: SmsBySettings | DevinoSettings

    def client(self, rows: int, **options: Unpack[Options]) -> Provider:
        """The client of a new process, for chunks of at most so many rows."""
        ...

    def address(self, rng: Random, n: int) -> str:
        """The address of the nth person."""
        ...


class SmsBySide:
    """sms.by: accepts a chunk whole, and tells by its status lists who was refused."""

    name = "smsby"
    messages: Sequence[Message] = (PERSONAL, COMMON)
    never: tuple[str, ...] = ("invalid",)
    refused: tuple[str, ...] = ("invalid",)
    unnamed: tuple[str, ...] = ()
    tells_at_once = False

    def __init__(self, rng: Random, shared: Shared) -> None:
        settings = SmsBySettings(
            token="token", status_delay=rng.choice((0.0, 30.0)), strict=rng.random() < 0.2
        )
        self.settings: SmsBySettings | DevinoSettings = settings
        self.service: Service[Any] = SmsByService(shared, settings)

    def client(self, rows: int, **options: Unpack[Options]) -> Provider:
        limits = smsby.ChunkLimits(bulk_rows=rows, personal_rows=rows)
        return SmsBy("token", URL, limits=limits, **options)

    def address(self, rng: Random, n: int) -> str:
        kind = rng.random()
        prefix = "invalid" if kind < 0.05 else "bounce" if kind < 0.1 else "p"
        return f"{prefix}{n}@example.com"


class DevinoSide:
    """Devino: the answer itself refuses some of a chunk, and nothing can be asked later."""

    name = "devino"
    messages: Sequence[Message] = (MERGED, LINKED)
    never: tuple[str, ...] = ("invalid", "missing", "unsubscribed")
    refused: tuple[str, ...] = ("invalid",)
    unnamed: tuple[str, ...] = ("missing",)
    tells_at_once = True

    def __init__(self, rng: Random, shared: Shared) -> None:
        settings = DevinoSettings(
            api_key="token",
            mixed_case=rng.random() < 0.5,
            shuffled=rng.random() < 0.5,
            strict=rng.random() < 0.2,
        )
        self.settings: SmsBySettings | DevinoSettings = settings
        self._partial = rng.choice((0.0, 0.1, 0.5))  # the share of answers' rows without a letter
        self.service: Service[Any] = DevinoService(shared, settings)

    def client(self, rows: int, **options: Unpack[Options]) -> Provider:
        return Devino("token", URL, limits=devino.ChunkLimits(rows=rows), **options)

    def address(self, rng: Random, n: int) -> str:
        good = rng.random() >= self._partial
        return f"{rng.choice(('p', 'p', 'bounce') if good else self.never)}{n}@example.com"


SIDES: Sequence[Callable[[Random, Shared], Side]] = (SmsBySide, DevinoSide)
