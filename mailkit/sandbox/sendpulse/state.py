"""The state of the SendPulse sandbox: lists with contacts, campaigns, and the rest."""

from datetime import datetime
from enum import StrEnum
from random import Random
from zoneinfo import ZoneInfo

import attrs

from mailkit.sandbox.delivery import Step
from mailkit.sandbox.sendpulse.codes import CampaignStatus, ContactStatus, MailingListStatus
from mailkit.sandbox.sendpulse.settings import SendPulseSettings
from mailkit.sandbox.sendpulse.webhook_queue import WebhookQueue
from mailkit.sandbox.timeline import Timeline, Window
from mailkit.sandbox.truth import AttachedFile, Truth

# Looking up a member takes time, and a campaign asks every contact of its lists.
_NEW, _ASKED = ContactStatus.NEW, ContactStatus.CONFIRMATION_REQUESTED
_ACTIVE = ContactStatus.ACTIVE


@attrs.define
class Contact:
    """An address on a list; `variables` holds values by name, the phone is separate."""

    email: str
    status: ContactStatus
    added_at: float
    variables: dict[str, object] = attrs.field(factory=dict)
    phone: str = ""

    def status_at(self, now: float, settings: SendPulseSettings) -> ContactStatus:
        """The status at `now`: new contacts, and those asked to confirm, become active in time."""
        if self.status is _NEW:
            after = settings.active_after
        elif self.status is _ASKED:
            after = settings.confirmed_after
        else:
            return self.status
        if after is None or now < self.added_at + after:
            return self.status
        return _ACTIVE


@attrs.define
class MailingList:
    """A mailing list; `types` are its variables."""

    id: int
    name: str
    created_at: float
    contacts: dict[str, Contact] = attrs.field(factory=dict)
    types: dict[str, str] = attrs.field(factory=dict)
    loading_until: float = 0.0
    copying_until: float = 0.0

    def status(self, now: float) -> MailingListStatus:
        """Active, or locked while addresses are loaded or copied."""
        if now < self.copying_until:
            return MailingListStatus.COPYING
        if now < self.loading_until:
            return MailingListStatus.LOADING
        return MailingListStatus.ACTIVE


@attrs.define
class Campaign:
    """A campaign. `starts_at` is when sending begins, `recipients` whom it reaches."""

    id: int
    name: str
    sender_name: str
    sender_email: str
    subject: str
    body: str
    lists: list[int]
    created_at: float
    copied_at: float
    approved_at: float
    starts_at: float
    scheduled: bool = False
    moderated: bool = False
    dynamic: bool = False
    draft: bool = False
    test: bool = False
    opens: bool = True
    clicks: bool = True
    attachments: tuple[AttachedFile, ...] = ()
    copied: list[str] = attrs.field(factory=list)
    recipients: list[str] = attrs.field(factory=list)
    places: dict[str, int] = attrs.field(factory=dict)
    left: set[str] = attrs.field(factory=set)
    started: bool = False
    verdict: CampaignStatus = CampaignStatus.NEW
    """What moderation makes of it: new again, blocked, or in need of editing."""
    cancelled: bool = False


@attrs.define
class Template:
    """A template; `id` changes with each edit."""

    id: str
    real_id: int
    name: str
    slug: str
    lang: str
    body: str
    created_at: float
    system: bool = False


@attrs.define
class Sender:
    """An address that messages may come from."""

    email: str
    name: str
    active: bool = False


class EventKind(StrEnum):
    """What happens to a campaign by itself, besides the steps of its emails' delivery."""

    MODERATION = "moderation"
    VERDICT = "verdict"
    START = "start"
    CLICK = "click"


@attrs.frozen
class ScheduledEvent:
    """Something that happens by itself: what, in which campaign, to whom."""

    kind: Step | EventKind
    campaign: int = 0
    email: str = ""


@attrs.define
class Account:
    """Everything the service remembers between two requests."""

    tokens: dict[str, float] = attrs.field(factory=dict)
    lists: dict[int, MailingList] = attrs.field(factory=dict)
    segments: dict[int, int] = attrs.field(factory=dict)
    """Segment to its list: a segment holds all of it."""
    campaigns: dict[int, Campaign] = attrs.field(factory=dict)
    templates: dict[int, Template] = attrs.field(factory=dict)
    senders: dict[str, Sender] = attrs.field(factory=dict)
    blacklist: dict[str, str] = attrs.field(factory=dict)
    left_all: set[str] = attrs.field(factory=set)
    tags: dict[int, str] = attrs.field(factory=dict)
    tagged: dict[str, set[int]] = attrs.field(factory=dict)
    spent: int = 0
    timeline: Timeline[ScheduledEvent] = attrs.field(factory=Timeline)
    webhook_queue: WebhookQueue = attrs.field(factory=WebhookQueue)
    each_second: Window = attrs.field(factory=Window)
    each_minute: Window = attrs.field(factory=Window)
    campaign_hour: Window = attrs.field(factory=Window)
    test_hour: Window = attrs.field(factory=Window)
    next_id: int = 422325

    def new_id(self) -> int:
        """A new id."""
        self.next_id += 1
        return self.next_id


@attrs.frozen
class Context:
    """What an operation works with."""

    account: Account
    settings: SendPulseSettings
    truth: Truth
    rng: Random
    now: float

    def quirk(self) -> bool:
        """Whether to respond in the less usual shape this time."""
        return self.settings.quirks and self.rng.random() < 0.5

    def date(self, moment: float) -> str:
        """A moment as the service writes it."""
        zone = ZoneInfo(self.settings.timezone)
        return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M:%S")
