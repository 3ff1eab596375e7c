"""The state of the SendPulse sandbox: lists with contacts, campaigns, and the rest."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from random import Random
from zoneinfo import ZoneInfo

import attrs

from mailkit.sandbox.delivery import Step
from mailkit.sandbox.happening import Course
from mailkit.sandbox.sendpulse.codes import (
    CampaignEvent,
    CampaignStatus,
    ContactStatus,
    WebhookAction,
)
from mailkit.sandbox.sendpulse.lists import MailingList
from mailkit.sandbox.sendpulse.settings import SendPulseSettings
from mailkit.sandbox.sendpulse.timetable import Timetable
from mailkit.sandbox.sendpulse.webhook_queue import WebhookQueue
from mailkit.sandbox.timeline import Timeline, Window
from mailkit.sandbox.truth import AttachedFile, Truth


@attrs.frozen
class Bill:
    """What a campaign costs: emails that the tariff covers, those beyond, and their price."""

    covered: int = 0
    beyond: int = 0
    price: float = 0.0


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
    later: dict[str, float] = attrs.field(factory=dict)
    """Those of the recipients who are not mailed at once, and after how many seconds they are."""
    rest_is_out: bool = False
    left: set[str] = attrs.field(factory=set)
    unsent: set[str] = attrs.field(factory=set)
    """Those beyond a limit, or a cancellation, that stopped it half-way."""
    open_share: float = 0.0
    timetable: Timetable | None = None
    started: bool = False
    ends: CampaignStatus = CampaignStatus.SENT
    verdict: CampaignEvent = CampaignEvent.APPROVED
    """What moderation makes of it."""
    cancelled: bool = False
    bill: Bill = Bill()
    changed: dict[str, Course] = attrs.field(factory=dict)
    """The steps of emails that somebody has made something happen to, by seconds since they went
    out."""
    _reached: frozenset[str] | None = attrs.field(default=None, init=False)

    @property
    def reached(self) -> frozenset[str]:
        """The recipients, for looking one up."""
        if self._reached is None or len(self._reached) != len(self.recipients):
            self._reached = frozenset(self.recipients)
        return self._reached


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
class Tag:
    """A label for addresses and phones."""

    name: str
    color: str


@attrs.define
class Sender:
    """An address that messages may come from."""

    email: str
    name: str
    active: bool = False
    asked_at: float | None = None
    """When it last asked for its activation code."""


class EventKind(StrEnum):
    """What happens to a campaign by itself, besides the steps of its emails' delivery."""

    MODERATION = "moderation"
    VERDICT = "verdict"
    START = "start"
    REST = "rest"


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
    opted_out: dict[str, ContactStatus] = attrs.field(factory=dict)
    """Those who unsubscribed, bounced or complained, with the status that says so."""
    tags: dict[int, Tag] = attrs.field(factory=dict)
    tagged: dict[str, set[int]] = attrs.field(factory=dict)
    spent: int = 0
    """The emails of all campaigns, each list's copy counted."""
    paid: float = 0.0
    """What the emails beyond the tariff have cost."""
    timeline: Timeline[ScheduledEvent] = attrs.field(factory=Timeline)
    webhook_queue: WebhookQueue = attrs.field(factory=WebhookQueue)
    each_second: Window = attrs.field(factory=Window)
    each_minute: Window = attrs.field(factory=Window)
    each_day: Window = attrs.field(factory=Window)
    campaign_hour: Window = attrs.field(factory=Window)
    test_hour: Window = attrs.field(factory=Window)
    next_id: int = 422325

    def lists_of(self, campaign: Campaign) -> list[MailingList]:
        """The campaign's lists that are still there."""
        return [self.lists[number] for number in campaign.lists if number in self.lists]

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

    @property
    def money(self) -> float:
        """What is left on the account."""
        return self.settings.balance - self.account.paid

    def bill(self, emails: int) -> Bill:
        """What so many emails would cost now."""
        covered = min(emails, max(0, self.settings.tariff_emails - self.account.spent))
        beyond = emails - covered
        return Bill(covered, beyond, round(beyond * self.settings.overdraft_price, 4))

    def tell(self, action: WebhookAction, event: Mapping[str, object]) -> None:
        """Keep an event for the webhooks of its action."""
        self.account.webhook_queue.put(action, self.now, event, self.settings, self.rng)

    def quirk(self) -> bool:
        """Whether to respond in the less usual shape this time."""
        return self.settings.quirks and self.rng.random() < 0.5

    def date(self, moment: float) -> str:
        """A moment as the service writes it."""
        zone = ZoneInfo(self.settings.timezone)
        return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M:%S")
