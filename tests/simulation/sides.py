"""The providers of the worlds: the real client, the sandbox's service, and the list's people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar, TypedDict, Unpack

from mailkit import Devino, Message, Quota, SmsBy
from mailkit.core.clock import Clock
from mailkit.core.http import Transport
from mailkit.provider import Provider
from mailkit.providers import devino, smsby
from mailkit.sandbox import Posting, Service, Shared, Truth
from mailkit.sandbox.devino import Devino as DevinoService
from mailkit.sandbox.devino import DevinoSettings
from mailkit.sandbox.smsby import SmsBy as SmsByService
from mailkit.sandbox.smsby import SmsBySettings

__all__ = [
    "LEAVE",
    "LIVELY",
    "NO_MONEY",
    "STRANGER",
    "URL",
    "DevinoSide",
    "Options",
    "Side",
    "SmsBySide",
]

URL = "http://127.0.0.1"
NO_MONEY = "insufficient funds"
PERSONAL = Message(sender="a@b.by", subject="Hi {{ name }}", html="<p>{{ name }}</p>")
COMMON = Message(sender="a@b.by", subject="Hi", text="Hi")
MERGED = Message(sender="a@b.by", subject="Hi", html="<p>{{ name }}</p> {{ unsubscribe }}")
LINKED = Message(sender="a@b.by", subject="Hi", html="<p>Hi</p> {{ unsubscribe }}")


LIVELY = ("p", "bounce", "complaint", "opens", "clicks", "slow", "unsubscribes", "returns")
"""How addresses begin of which there is much to say."""
LEAVE = ("bounce", "complaint", "unsubscribes", "returns", "leaves")
"""How those begin who get one email, and no second one."""
STRANGER = "stranger@example.com"


class Options(TypedDict):
    """What the world gives each client."""

    requests: Quota | None
    transport: Transport
    clock: Clock
    random: Random


class Side(ABC):
    """One provider in a world."""

    name: ClassVar[str]
    messages: ClassVar[Sequence[Message]]
    never: ClassVar[tuple[str, ...]]
    """How the addresses begin that get no email."""
    refused: ClassVar[tuple[str, ...]]
    """Of these, those that the service refuses."""
    unnamed: ClassVar[tuple[str, ...]] = ()
    """Those that nothing is ever heard of, or that the service mails nothing."""
    opted_out: ClassVar[tuple[str, ...]] = ()
    """Those who are suppressed since the service says so."""
    tells_at_once: ClassVar[bool]
    """Whether refusals come with the response."""
    settles: ClassVar[bool] = False
    """Whether doubts end without a person."""
    sending: ClassVar[tuple[str, ...]]
    """The operations that may be refused for the account's sake, or for an address."""
    clock_may_step: bool = False
    """Whether the wall clock may be set without anybody being kept waiting or left out for it."""
    commits: ClassVar[int] = 60
    """The commits of a process within which it may die."""
    posts: ClassVar[bool] = False
    """Whether it has webhooks."""
    service: Service[Any]

    def __init__(self, rng: Random, shared: Shared) -> None:
        self.truth: Truth = shared.truth
        self.mailed: Sequence[str] = ("p", "p", "bounce")
        """How the addresses begin that get an email, each as often as it is here."""

    @abstractmethod
    def client(self, rows: int, **options: Unpack[Options]) -> Provider:
        """The client of a new process, for chunks of at most so many rows."""

    @abstractmethod
    def address(self, rng: Random, n: int) -> str:
        """The address of the nth person."""

    @abstractmethod
    def limit_money(self, emails: int) -> None:
        """The account's money is enough for so many emails."""

    @abstractmethod
    def pay(self) -> None:
        """The account has enough money from now on."""

    def knows_words(self, words: str) -> bool:
        """Whether a refusal in these words is known to be about the account."""
        return False

    def quotas(self) -> Sequence[tuple[Quota, str]]:
        """The quotas besides that of all requests: each with the operation that takes it."""
        return ()

    @property
    def accepted(self) -> int:
        """How many requests or campaigns the service has accepted."""
        return len(self.truth.mailings)

    @property
    def emails(self) -> int:
        """How many emails those have, sent or not."""
        return self.truth.emails

    def took(self, address: str) -> bool:
        """Whether the service has accepted the message to this address."""
        return self.truth.count(address) > 0

    def left_out(self, address: str) -> bool:
        """Whether the service has accepted the message, and then not sent it to this address."""
        return False

    def now(self) -> float:
        """The service's time."""
        return self.service.shared.clock.now()

    def tick(self) -> None:
        """Let happen what is due by now."""
        self.service.tick(self.now())

    def post_to(self, url: str, posting: Posting) -> None:
        """Have the service post there; people of whom there is more to say come from now on."""
        raise NotImplementedError

    def forge(self, row: Mapping[str, object], n: int) -> Mapping[str, object]:
        """An event that is none of ours, although it looks like this one."""
        raise NotImplementedError

    def check(self) -> None:  # noqa: B027 - nor to add
        """What must hold at the service besides: AssertionError if it doesn't."""


class SmsBySide(Side):
    """sms.by: accepts a chunk whole, and tells by its status lists who was refused."""

    name = "smsby"
    messages = (PERSONAL, COMMON)
    never = ("invalid",)
    refused = ("invalid",)
    tells_at_once = False
    sending = ("smsby.bulk.send",)

    def __init__(self, rng: Random, shared: Shared) -> None:
        super().__init__(rng, shared)
        self.settings = SmsBySettings(
            token="token", status_delay=rng.choice((0.0, 30.0)), strict=rng.random() < 0.2
        )
        self.service: Service[Any] = SmsByService(shared, self.settings)

    def client(self, rows: int, **options: Unpack[Options]) -> Provider:
        limits = smsby.ChunkLimits(bulk_rows=rows, personal_rows=rows)
        return SmsBy("token", URL, limits=limits, **options)

    def address(self, rng: Random, n: int) -> str:
        kind = rng.random()
        prefix = "invalid" if kind < 0.05 else "bounce" if kind < 0.1 else "p"
        return f"{prefix}{n}@example.com"

    def limit_money(self, emails: int) -> None:
        self.settings.balance = emails

    def pay(self) -> None:
        self.settings.balance = None

    def knows_words(self, words: str) -> bool:
        return words == NO_MONEY


class DevinoSide(Side):
    """Devino: the answer itself refuses some of a chunk, and nothing can be asked later."""

    name = "devino"
    messages = (MERGED, LINKED)
    never = ("invalid", "missing", "unsubscribed")
    refused = ("invalid",)
    unnamed = ("missing",)
    tells_at_once = True
    sending = ("devino.messages.send",)
    posts = True

    def __init__(self, rng: Random, shared: Shared) -> None:
        super().__init__(rng, shared)
        self.settings = DevinoSettings(
            api_key="token",
            mixed_case=rng.random() < 0.5,
            shuffled=rng.random() < 0.5,
            strict=rng.random() < 0.2,
        )
        self._partial = rng.choice((0.0, 0.1, 0.5))  # the share of answers' rows without a letter
        self.service: Service[Any] = DevinoService(shared, self.settings)

    def client(self, rows: int, **options: Unpack[Options]) -> Provider:
        return Devino("token", URL, limits=devino.ChunkLimits(rows=rows), **options)

    def address(self, rng: Random, n: int) -> str:
        good = rng.random() >= self._partial
        return f"{rng.choice(self.mailed if good else self.never)}{n}@example.com"

    def post_to(self, url: str, posting: Posting) -> None:
        self.mailed = (*LIVELY, "expires", "leaves")
        self.settings.callback_url, self.settings.posting = url, posting

    def forge(self, row: Mapping[str, object], n: int) -> Mapping[str, object]:
        names = {name.lower(): name for name in row}
        forged = {**row, names["status"]: "COMPLAINED", names["ts"]: 1_800_000_000_000 + n}
        token = str(forged.pop("mailkit"))
        journal, *rest, of_row = token.split("/")
        match n % 4:
            case 0:  # the address of somebody else
                return {**forged, "mailkit": token, names["email"]: STRANGER}
            case 1:  # another journal's
                return {
                    **forged,
                    "mailkit": "/".join(["0123456789"[: len(journal)], *rest, of_row]),
                }
            case 2:  # another row's
                return {**forged, "mailkit": "/".join([journal, *rest, f"{int(of_row) + 1}"])}
            case _:  # of a message that was sent without mailkit
                return forged

    def limit_money(self, emails: int) -> None:
        self.settings.balance = emails

    def pay(self) -> None:
        self.settings.balance = None
