"""What really happened: who was mailed, how often, when, and by which call.

An email counts at the moment the service acts on the request, before any response is written, so a
connection that is reset afterwards changes nothing here. For each address one number is kept; a
mailing keeps its addresses by reference; only the last few emails are kept whole.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import RLock
from types import MappingProxyType
from typing import NamedTuple, Protocol

import attrs

from mailkit.sandbox.plain_text import plain_text

_FEW = 3  # addresses that a repr names


def normalized(address: str) -> str:
    """An address as the services compare it: without surrounding blanks, in lower case."""
    return address.strip().lower()


def wanted(text: str) -> str:
    """The address that a person asks for, who may write a name before it: `Anna <anna@mail.by>`."""
    _, bracket, rest = text.strip().rpartition("<")
    return normalized(rest[:-1] if bracket and rest.endswith(">") else text)


def _few(addresses: Sequence[str]) -> str:
    """The first addresses, and how many more there are."""
    more = len(addresses) - _FEW
    named = ", ".join(addresses[:_FEW]) or "nobody"
    return f"{named} and {more} more" if more > 0 else named


@attrs.frozen
class AttachedFile:
    """An attachment of a message: its file name and its size in bytes."""

    name: str
    size: int


@attrs.frozen
class Mailing:
    """One accepted call: when (sandbox seconds), by whom, and the addresses it mailed.

    `subject` is the common subject, or "" where each email has its own; `campaign` the number of
    the campaign, if it is one; `origin` what the service itself remembers the emails by.
    """

    operation: str
    at: float
    sender: str
    subject: str
    addresses: Sequence[str]
    attachments: tuple[AttachedFile, ...] = ()
    campaign: int | None = None
    sender_name: str = ""
    origin: object = attrs.field(default=None, repr=False, eq=False)

    @property
    def service(self) -> str:
        """The name of the service that took it."""
        return self.operation.partition(".")[0]

    def __repr__(self) -> str:
        """Short, since failing tests show it."""
        return f"<Mailing to {_few(self.addresses)}: {self.subject!r}, {self.operation}>"


class Content(NamedTuple):
    """What one email says, and the values that were filled in; `text` is HTML or plain."""

    subject: str
    text: str
    values: Mapping[str, object] = MappingProxyType({})
    is_html: bool = True

    def __repr__(self) -> str:
        """Short, since failing tests show it."""
        kind = "HTML" if self.is_html else "text"
        return f"<Content {self.subject!r}, {len(self.text)} characters of {kind}>"


class Contents(Protocol):
    """The content of each email of a mailing, or its subject and text, built when needed."""

    def __getitem__(self, index: int, /) -> Content | tuple[str, str]:
        """That of one email."""
        ...


@attrs.frozen
class Email:
    """One email: the mailing it belongs to, its place there, and its content.

    `number` counts all emails from 1. Without `content` it is too old: only the last ones are kept
    whole.
    """

    number: int
    mailing: Mailing
    index: int
    content: Content | None

    @property
    def address(self) -> str:
        """Whom it was sent to."""
        return self.mailing.addresses[self.index]

    @property
    def operation(self) -> str:
        """The operation that sent it."""
        return self.mailing.operation

    @property
    def at(self) -> float:
        """When it was accepted (sandbox seconds)."""
        return self.mailing.at

    @property
    def sender(self) -> str:
        """The address it came from."""
        return self.mailing.sender

    @property
    def subject(self) -> str:
        """Its subject; "" if that was its own and is no longer kept."""
        return self.mailing.subject if self.content is None else self.content.subject

    @property
    def body(self) -> str:
        """Its HTML or text, as it was sent; "" if that is no longer kept."""
        return "" if self.content is None else self.content.text

    @property
    def html(self) -> str:
        """Its HTML; "" if it is plain text."""
        return self.body if self.content is not None and self.content.is_html else ""

    @property
    def text(self) -> str:
        """Its text for people: of HTML the words, with the addresses of links."""
        return plain_text(self.html) if self.html else self.body

    @property
    def values(self) -> Mapping[str, object]:
        """The values that were filled in for this recipient, where the service did that."""
        return {} if self.content is None else self.content.values

    @property
    def sender_name(self) -> str:
        """The name next to the sender's address."""
        return self.mailing.sender_name

    @property
    def service(self) -> str:
        """The name of the service that took it."""
        return self.mailing.service

    @property
    def campaign(self) -> int | None:
        """The number of its campaign, if it is part of one."""
        return self.mailing.campaign

    @property
    def attachments(self) -> tuple[AttachedFile, ...]:
        """Its attachments."""
        return self.mailing.attachments

    def __repr__(self) -> str:
        """Short, since failing tests show it."""
        return f"<Email {self.number} to {self.address}: {self.subject!r}, {self.operation}>"


class Outcome(NamedTuple):
    """What has become of one email, or of an address that was refused in a response.

    `reference` is the service's own number of it, or of its campaign; `state` is one of the steps
    of `mailkit.sandbox.delivery`, or refused (in the response), rejected (later) or unsent; `word`
    is how the service itself says that, as a word or number, or "" if it does not.
    """

    service: str
    address: str
    reference: str
    state: str
    word: str | int


@attrs.frozen
class Comparison:
    """The difference between what a client believes and the truth; empty if they agree."""

    missing: list[str]
    """Believed to be mailed, but never mailed."""
    unexpected: list[str]
    """Mailed, but not known to the client."""
    mailed_twice: list[str]

    @property
    def agrees(self) -> bool:
        """True if the same people were mailed, each of them once."""
        return not (self.missing or self.unexpected or self.mailed_twice)

    def __repr__(self) -> str:
        """Short, since failing tests show it."""
        found = attrs.asdict(self, recurse=False).items()
        named = [f"{name}: {_few(addresses)}" for name, addresses in found if addresses]
        return f"<Comparison {'; '.join(named) or 'agrees'}>"


class Truth:
    """The record of all emails; safe to read from any thread."""

    def __init__(self, *, keep_emails: int = 1000, lock: "RLock | None" = None) -> None:
        self._lock = RLock() if lock is None else lock
        self._counts: dict[str, int] = {}
        self._twice: list[str] = []
        self._emails = 0
        self._mailings: list[Mailing] = []
        self._firsts = array("q")
        """The number of each mailing's first email."""
        self._kept: deque[Content | tuple[str, str]] = deque(maxlen=keep_emails)

    @property
    def emails(self) -> int:
        """How many emails were accepted for sending."""
        return self._emails

    @property
    def addresses(self) -> int:
        """How many different addresses were mailed."""
        return len(self._counts)

    @property
    def mailed(self) -> Mapping[str, int]:
        """A live view: address to number of emails."""
        return MappingProxyType(self._counts)

    @property
    def mailed_twice(self) -> list[str]:
        """The addresses mailed more than once, in the order of their second email."""
        with self._lock:
            return list(self._twice)

    @property
    def mailings(self) -> list[Mailing]:
        """The accepted calls, oldest first."""
        with self._lock:
            return list(self._mailings)

    @property
    def kept(self) -> list[Email]:
        """The last emails, whole, oldest first; as many as `keep_emails` allows."""
        with self._lock:
            oldest = self._emails - len(self._kept) + 1
            return [self._email(number) for number in range(oldest, self._emails + 1)]

    @property
    def oldest_kept(self) -> int:
        """The number of the first email that is kept whole."""
        with self._lock:
            return self._emails - len(self._kept) + 1

    def email(self, number: int) -> Email | None:
        """The email with the number, counted from 1; None if there is none."""
        with self._lock:
            return self._email(number) if 1 <= number <= self._emails else None

    def mailings_before(self, number: int) -> Iterator[tuple[int, Mailing]]:
        """The mailings with emails below the number, newest first, each with its first number."""
        with self._lock:
            mailings, firsts = list(self._mailings), self._firsts[:]
        for at in range(bisect_right(firsts, number - 1) - 1, -1, -1):
            yield firsts[at], mailings[at]

    def count(self, address: str) -> int:
        """How many emails went to the address."""
        return self._counts.get(wanted(address), 0)

    def messages_to(self, address: str) -> list[Email]:
        """The emails to the address, oldest first."""
        asked = wanted(address)
        with self._lock:
            return [
                self._email(self._firsts[at] + index)
                for at, mailing in enumerate(self._mailings)
                if asked in mailing.addresses
                for index, one in enumerate(mailing.addresses)
                if one == asked
            ]

    def mailings_to(self, address: str) -> Iterator[Mailing]:
        """The accepted calls that mailed the address: when, and by which operation."""
        asked = wanted(address)
        return (mailing for mailing in self.mailings if asked in mailing.addresses)

    def compare(self, believed: Iterable[str]) -> Comparison:
        """Compare with the addresses that a client believes it has mailed."""
        with self._lock:
            known = {normalized(address) for address in believed}
            return Comparison(
                missing=sorted(known - self._counts.keys()),
                unexpected=sorted(self._counts.keys() - known),
                mailed_twice=list(self._twice),
            )

    def record(self, mailing: Mailing, contents: Contents) -> None:
        """Count a mailing; `contents` has subject and text for each address, in the same order."""
        with self._lock:
            counts = self._counts
            for address in mailing.addresses:
                count = counts.get(address, 0) + 1
                counts[address] = count
                if count == 2:
                    self._twice.append(address)
            self._firsts.append(self._emails + 1)
            self._emails += len(mailing.addresses)
            self._mailings.append(mailing)
            self._keep(mailing, contents)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counts.clear()
            self._twice.clear()
            self._mailings.clear()
            del self._firsts[:]
            self._kept.clear()
            self._emails = 0

    @property
    def summary(self) -> str:
        """How many emails went to whom, in a few words."""
        with self._lock:
            emails = "1 email" if self._emails == 1 else f"{self._emails} emails"
            return f"{emails} to {_few(list(self._counts))}"

    def __repr__(self) -> str:
        return f"<Truth: {self.summary}>"

    def _keep(self, mailing: Mailing, contents: Contents) -> None:
        total = len(mailing.addresses)
        first = max(0, total - (self._kept.maxlen or 0))
        self._kept.extend(contents[index] for index in range(first, total))

    def _email(self, number: int) -> Email:
        at = bisect_right(self._firsts, number) - 1
        place = number - 1 - self._emails + len(self._kept)
        content: Content | None = None
        if place >= 0:
            kept = self._kept[place]
            content = kept if isinstance(kept, Content) else Content(*kept)
        return Email(number, self._mailings[at], number - self._firsts[at], content)
