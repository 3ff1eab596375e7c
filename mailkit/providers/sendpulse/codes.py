"""The numbers that SendPulse gives the states of things.

A number that is not among them stays a number.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from mailkit.events import DeliveryStatus

__all__ = [
    "CampaignPhase",
    "CampaignStatus",
    "ContactStatus",
    "MailingListStatus",
    "RecipientStatus",
    "WebhookAction",
    "campaign_phase",
]


class MailingListStatus(IntEnum):
    """The state of a mailing list; only an active one may be sent to."""

    ACTIVE = 0
    DELETED = 1
    """Marked as deleted."""
    IN_QUESTION = 3
    """A moderator has asked the user something and waits for the result."""
    LOCKED = 4
    """Locked while addresses are loaded into it, as the Russian page says, or blocked by the
    service, as the English one does: where it lasts, the dashboard has the service's questions."""
    MOVING = 5
    """Locked while its addresses move into a campaign; active again afterwards."""


class ContactStatus(IntEnum):
    """The state of an address in a mailing list."""

    NEW = 0
    """Just added; messages are held back until the service activates it."""
    ACTIVE = 1
    CONFIRMATION_REQUESTED = 2
    """The address's owner was asked by message to confirm the subscription."""
    ACTIVATION_REQUESTED = 3
    """Waiting for the service to activate it."""
    UNSUBSCRIBED = 4
    """Unsubscribed from this sender."""
    REJECTED = 5
    """Rejected by the service."""
    UNSUBSCRIBED_FROM_ALL = 6
    """Blocked by the service: complained, or unsubscribed from everything."""
    ACTIVATION_SENT = 7
    """A message asking for activation was sent to the address."""
    BLOCKED_BY_USER = 8
    SENDING_ERROR = 9
    """Earlier messages could not be delivered."""
    BLOCKED_BY_DOMAIN = 10
    """On a list of blocked hosts."""
    BLOCKED_BY_SENDER = 11
    """Blocked by the sender's name."""
    BLOCKED_BY_LOCAL_PART = 12
    """Blocked by a part of the address."""
    DELETED = 13
    """Deleted by the user."""
    UNAVAILABLE = 14
    """Out of reach for the time being."""


class CampaignPhase(StrEnum):
    """How far a campaign is: what its status means to those who wait for it."""

    IN_PROGRESS = "in progress"
    """It goes on by itself."""
    MODERATION = "in moderation"
    """A person at the service looks at it, for hours in an account's first campaigns."""
    SENT = "sent"
    STOPPED = "stopped"
    """Over; unless its statistics count emails, nobody got one."""
    PARTLY_SENT = "partly sent"
    """Over; only ``campaigns.recipient`` says who got an email."""

    @property
    def final(self) -> bool:
        """Whether the campaign is over."""
        return self not in (CampaignPhase.IN_PROGRESS, CampaignPhase.MODERATION)


class CampaignStatus(IntEnum):
    """The state of a campaign; a number that is not here means that it is in progress."""

    NEW = 0
    MODERATION = 1
    """Waiting in moderation, for hours in an account's first campaigns."""
    SENDING = 2
    SENT = 3
    TEST = 4
    """A test to the user's own address."""
    BLOCKED = 5
    """Blocked by the service."""
    DELETING = 6
    """Marked for deletion."""
    UPDATING = 7
    """Its statuses are being brought up to date; SENT follows."""
    TEST_SENT = 8
    DELIVERING = 9
    PROCESSING = 10
    """Being prepared for sending."""
    IN_QUESTION = 11
    """A moderator has asked the user something and waits for the result."""
    NO_ACTIVE_ADDRESSES = 12
    CREATING = 13
    """Addresses move from the list into the campaign; SENDING or MODERATION follows."""
    QUEUED = 14
    """In the queue; SENT follows when all messages are out."""
    AB_TEST = 15
    """Waiting for the result of an A/B test."""
    CANCELLED = 16
    """Cancelled by the user."""
    SENDING_PARTLY = 22
    SENT_PARTLY = 23
    BLOCKED_PARTLY_SENT = 25
    """Blocked by the service after a part was sent."""
    DRAFT = 26
    NEEDS_EDITING = 27
    RESEND_PLANNED = 28
    """To be sent again to those who have not read it."""
    AUTOMATION_NO_MONEY = 33
    """Of an automation, whose balance is used up."""
    AUTOMATION_DRAFT = 36

    @property
    def phase(self) -> CampaignPhase:
        """How far the campaign is."""
        return _PHASES.get(self, CampaignPhase.IN_PROGRESS)

    @property
    def final(self) -> bool:
        """Whether the campaign is over, by itself or until somebody steps in.

        A draft has not begun, and one that is being deleted is not gone yet: neither is over.
        """
        return self.phase.final


_PHASES = {
    CampaignStatus.MODERATION: CampaignPhase.MODERATION,
    CampaignStatus.IN_QUESTION: CampaignPhase.MODERATION,
    CampaignStatus.SENT: CampaignPhase.SENT,
    CampaignStatus.TEST_SENT: CampaignPhase.SENT,
    CampaignStatus.BLOCKED: CampaignPhase.STOPPED,
    CampaignStatus.NO_ACTIVE_ADDRESSES: CampaignPhase.STOPPED,
    CampaignStatus.CANCELLED: CampaignPhase.STOPPED,
    CampaignStatus.NEEDS_EDITING: CampaignPhase.STOPPED,
    CampaignStatus.SENT_PARTLY: CampaignPhase.PARTLY_SENT,
    CampaignStatus.BLOCKED_PARTLY_SENT: CampaignPhase.PARTLY_SENT,
    CampaignStatus.AUTOMATION_NO_MONEY: CampaignPhase.PARTLY_SENT,
}


def campaign_phase(status: CampaignStatus | int | None) -> CampaignPhase:
    """The phase of a status as it was read; one that is not known means in progress."""
    return status.phase if isinstance(status, CampaignStatus) else CampaignPhase.IN_PROGRESS


class RecipientStatus(IntEnum):
    """What happened to a campaign's message to one address."""

    QUEUED = 0
    SENT = 1
    """Sent; whether it arrived is not known yet."""
    DELIVERED = 2
    OPENED = 3
    CLICKED = 4
    """A link in the message was followed."""
    UNSUBSCRIBED = 5
    """Read, and unsubscribed by the message's link."""
    NO_SUCH_ADDRESS = 6
    DEFERRED = 7
    """Out of reach for the time being; sent again later."""
    UNAVAILABLE = 8
    REJECTED_AS_SPAM = 9
    """Refused by the receiving server."""
    MAILBOX_FULL = 10
    COMPLAINED = 11
    """Marked as spam by its reader."""
    FAILED = 12
    """Not delivered for some other reason."""
    NOT_SENT = 13
    NO_SUCH_DOMAIN = 14
    UNSUBSCRIBED_FROM_LIST = 15
    INVALID_ADDRESS = 16
    BLOCKED_FOR_NOW = 17
    """Sending to the address is forbidden for the time being."""
    DISABLED = 18
    """Switched off by the service."""
    ALREADY_UNSUBSCRIBED = 20

    @property
    def delivery(self) -> DeliveryStatus:
        """The status in mailkit's words."""
        return _DELIVERY[self]


_DELIVERY = {
    RecipientStatus.QUEUED: DeliveryStatus.QUEUED,
    RecipientStatus.SENT: DeliveryStatus.SENT,
    RecipientStatus.DELIVERED: DeliveryStatus.DELIVERED,
    RecipientStatus.OPENED: DeliveryStatus.OPENED,
    RecipientStatus.CLICKED: DeliveryStatus.CLICKED,
    RecipientStatus.UNSUBSCRIBED: DeliveryStatus.UNSUBSCRIBED,
    RecipientStatus.NO_SUCH_ADDRESS: DeliveryStatus.HARD_BOUNCE,
    RecipientStatus.DEFERRED: DeliveryStatus.DEFERRED,
    RecipientStatus.UNAVAILABLE: DeliveryStatus.UNDELIVERED,
    RecipientStatus.REJECTED_AS_SPAM: DeliveryStatus.REJECTED,
    RecipientStatus.MAILBOX_FULL: DeliveryStatus.SOFT_BOUNCE,
    RecipientStatus.COMPLAINED: DeliveryStatus.COMPLAINED,
    RecipientStatus.FAILED: DeliveryStatus.UNDELIVERED,
    RecipientStatus.NOT_SENT: DeliveryStatus.UNDELIVERED,
    RecipientStatus.NO_SUCH_DOMAIN: DeliveryStatus.HARD_BOUNCE,
    RecipientStatus.UNSUBSCRIBED_FROM_LIST: DeliveryStatus.UNSUBSCRIBED,
    RecipientStatus.INVALID_ADDRESS: DeliveryStatus.HARD_BOUNCE,
    RecipientStatus.BLOCKED_FOR_NOW: DeliveryStatus.UNDELIVERED,
    RecipientStatus.DISABLED: DeliveryStatus.REJECTED,
    RecipientStatus.ALREADY_UNSUBSCRIBED: DeliveryStatus.UNSUBSCRIBED,
}


class WebhookAction(StrEnum):
    """An event that a webhook reports."""

    NEW_EMAILS = "new_emails"
    """An address was added to a list."""
    DELETE = "delete"
    """An address was deleted from a list."""
    UNSUBSCRIBE = "unsubscribe"
    TASK_STATUS_UPDATE = "task_status_update"
    """A campaign's status changed."""
    OPEN = "open"
    DELIVERED = "delivered"
    REDIRECT = "redirect"
    """A link was followed."""
    SPAM = "spam"
    """A message was marked as spam."""
    HARD_BOUNCES = "hard_bounces"
    SOFT_BOUNCES = "soft_bounces"
