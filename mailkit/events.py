"""What happens to a message after a provider accepted it, in one vocabulary for all providers; what
a provider's webhook says of that; and what happens to a job while it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import IntEnum

import attrs
import msgspec

__all__ = [
    "FINAL",
    "CampaignEvent",
    "ChunkAccepted",
    "ChunkInDoubt",
    "ChunkRejected",
    "DeliveryEvent",
    "DeliveryStatus",
    "JobEnded",
    "JobEvent",
    "JobHook",
    "JobStarted",
    "JobStopped",
    "SendingHeld",
    "SendingResumed",
    "SubscriptionEvent",
    "UnknownEvent",
    "WebhookEvent",
]

_json = msgspec.json.Encoder()


class DeliveryStatus(IntEnum):
    """How far a message got; ordered, so that reports arriving in any order merge alike.

    The later of two statuses is the greater one: ``max(old, new)``.
    """

    QUEUED = 10
    SENT = 20
    DEFERRED = 30
    SOFT_BOUNCE = 31
    DELIVERED = 40
    OPENED = 50
    CLICKED = 60
    UNDELIVERED = 70
    EXPIRED = 71
    REJECTED = 72
    HARD_BOUNCE = 73
    UNSUBSCRIBED = 80
    COMPLAINED = 90

    @property
    def final(self) -> bool:
        """Whether polling may stop: the message arrived, or will not."""
        return self >= DeliveryStatus.DELIVERED


FINAL = frozenset(status for status in DeliveryStatus if status.final)
"""The statuses that are ``final``, for loops over many."""


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """What a provider's webhook says happened, once.

    ``name`` is the provider's own word, such as ``BOUNCED`` or ``hard_bounces``; ``at`` is in UTC,
    or None if it does not say when. ``token`` is what mailkit sent along with the email that it is
    about: whatever it says of that one, the provider has it. ``raw`` is the original, with the
    fields that mailkit does not know.
    """

    provider: str
    name: str
    at: datetime | None = None
    address: str | None = None
    token: str | None = None
    raw: Mapping[str, object] = attrs.field(factory=dict, repr=False, hash=False)

    @property
    def identity(self) -> str:
        """Equal if, and only if, this is the same event delivered again, whether its ids and times
        are numbers or text. It holds the address: store a digest of it.
        """
        marks = self._marks()
        if self.at is None or marks is None:  # nothing else tells it from others of its kind
            known: object = _canonical(self.raw)
        else:
            known = [round(self.at.timestamp() * 1000), (self.address or "").lower(), *marks]
        whole = (self.provider, self.name.lower(), known)
        try:
            return _json.encode(whole).decode()
        except UnicodeEncodeError:  # half of a surrogate pair
            return ascii(whole)

    def _marks(self) -> tuple[str | None, ...] | None:
        """What tells it from another event of its name, address and moment; None: all of it."""
        return None


@attrs.frozen(kw_only=True)
class DeliveryEvent(WebhookEvent):
    """How far one email got.

    What it was sent with is named as the provider does: ``reference``, its name for the request
    (SendPulse's campaign); ``message_id``, that for the one email (Devino's). ``reason`` is in the
    words of the receiving server, or of who unsubscribed. ``link`` was followed; ``device`` has
    some of device, platform, browser and browser_version.
    """

    status: DeliveryStatus
    reference: str | None = None
    message_id: str | None = None
    reason: str = ""
    link: str | None = None
    device: Mapping[str, str] = attrs.field(factory=dict, hash=False)

    def _marks(self) -> tuple[str | None, ...]:
        return self.reference, self.message_id, self.token, self.link


@attrs.frozen(kw_only=True)
class SubscriptionEvent(WebhookEvent):
    """A person came to the mailing list ``list_id`` or left it, or ``subscribed`` again to a sender
    (then there is no list).
    """

    subscribed: bool
    list_id: str | None = None

    def _marks(self) -> tuple[str | None, ...]:
        return self.list_id, self.token


@attrs.frozen(kw_only=True)
class CampaignEvent(WebhookEvent):
    """A request that was accepted came into another state: ``reference`` is the provider's name for
    it, ``status`` and ``explanation`` are its own words.
    """

    reference: str
    status: str
    explanation: str = ""

    def _marks(self) -> tuple[str | None, ...]:
        return self.reference, self.status


@attrs.frozen(kw_only=True)
class UnknownEvent(WebhookEvent):
    """An event with a name that mailkit does not know."""


def _canonical(value: object) -> object:
    """The same for numbers and text, in whatever order the keys are."""
    if isinstance(value, Mapping):
        return [[key, _canonical(value[key])] for key in sorted(value)]
    if isinstance(value, list | tuple):
        return [_canonical(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if value is None else str(value)


@attrs.frozen
class JobEvent:
    """Something that happened to a job in this process, after the journal knew it. ``job`` is the
    job's name. Events hold no addresses and no credentials; a ``reason`` or ``why`` may quote the
    service, with ``[address]`` for each address.
    """

    job: str


@attrs.frozen
class JobStarted(JobEvent):
    """A job began to be sent, or was resumed; ``unsent`` rows are left to send."""

    provider: str
    unsent: int


@attrs.frozen
class ChunkAccepted(JobEvent):
    """The provider accepted ``accepted`` rows of a chunk; it refused, or left in doubt, the others.
    ``reference`` is its name for the request, if it gave one.
    """

    chunk: int
    accepted: int
    rejected: int
    in_doubt: int
    reference: str | None


@attrs.frozen
class ChunkRejected(JobEvent):
    """The provider refused a chunk of ``rows`` rows: one bad row, as a rule, that stood alone."""

    chunk: int
    rows: int
    reason: str


@attrs.frozen
class ChunkInDoubt(JobEvent):
    """Nothing says whether the provider accepted a chunk of ``rows`` rows: a person must look."""

    chunk: int
    rows: int
    reason: str


@attrs.frozen
class SendingHeld(JobEvent):
    """Nothing is sent until then, and why. ``quota`` is the name of the quota that is used up; None
    if the service asks for the wait, or can't be reached.
    """

    until: datetime
    why: str
    quota: str | None = None


@attrs.frozen
class SendingResumed(JobEvent):
    """Sending resumed after a hold."""


@attrs.frozen
class JobStopped(JobEvent):
    """The job stopped before its end, or its run failed; ``resume`` continues it once the reason is
    fixed. Or this process has left it to others, who go on: then the reason says so.
    """

    reason: str


@attrs.frozen
class JobEnded(JobEvent):
    """Everything was sent, and looked for as long as it had to be; of ``in_doubt`` rows of the job
    nobody knows whether they were.
    """

    in_doubt: int = 0


JobHook = Callable[[JobEvent], None]
"""Called in the event loop's thread, in the job's task or one that this began: must return at once.
What it raises is logged."""
