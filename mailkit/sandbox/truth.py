"""What really happened: who was mailed, how often, when, and by which call.

An email counts at the moment the service acts on the request, before any response is written, so a
connection that is reset afterwards changes nothing here. For each address one number is kept; a
mailing keeps its addresses by reference; only the last few emails are kept whole.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import RLock
from types import MappingProxyType
from typing import NamedTuple, Protocol

import attrs


def normalized(address: str) -> str:
    """An address as the services compare it: without surrounding blanks, in lower case."""
    return address.strip().lower()


@attrs.frozen
class AttachedFile:
    """An attachment of a message: its file name and its size in bytes."""

    name: str
    size: int


@attrs.frozen
class Mailing:
    """One accepted call: when (sandbox seconds), by whom, and the addresses it mailed.

    `subject` is the common subject, or "" where each email has its own; `campaign` the number of
    the campaign, if it is one.
    """

    operation: str
    at: float
    sender: str
    subject: str
    addresses: Sequence[str]
    attachments: tuple[AttachedFile, ...] = ()
    campaign: int | None = None


class Contents(Protocol):
    """Subject and text of each email of a mailing, built when they are needed."""

    def __getitem__(self, index: int, /) -> tuple[str, str]:
        """Those of one email."""
        ...


@attrs.frozen
class Email:
    """One email, whole."""

    address: str
    operation: str
    at: float
    sender: str
    subject: str
    text: str
    attachments: tuple[AttachedFile, ...]


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


class Truth:
    """The record of all emails; safe to read from any thread."""

    def __init__(self, *, keep_emails: int = 1000, lock: "RLock | None" = None) -> None:
        self._lock = RLock() if lock is None else lock
        self._counts: dict[str, int] = {}
        self._twice: list[str] = []
        self._emails = 0
        self._mailings: list[Mailing] = []
        self._kept: deque[tuple[Mailing, str, str, str]] = deque(maxlen=keep_emails)

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
            return [
                Email(address, m.operation, m.at, m.sender, subject, text, m.attachments)
                for m, address, subject, text in self._kept
            ]

    def count(self, address: str) -> int:
        """How many emails went to the address."""
        return self._counts.get(normalized(address), 0)

    def mailings_to(self, address: str) -> Iterator[Mailing]:
        """The accepted calls that mailed the address: when, and by which operation."""
        wanted = normalized(address)
        return (mailing for mailing in self.mailings if wanted in mailing.addresses)

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
            self._emails += len(mailing.addresses)
            self._mailings.append(mailing)
            self._keep(mailing, contents)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._counts.clear()
            self._twice.clear()
            self._mailings.clear()
            self._kept.clear()
            self._emails = 0

    def _keep(self, mailing: Mailing, contents: Contents) -> None:
        total = len(mailing.addresses)
        for index in range(max(0, total - (self._kept.maxlen or 0)), total):
            self._kept.append((mailing, mailing.addresses[index], *contents[index]))
