"""The service's codes, with the words in which it explains them."""

from enum import IntEnum, StrEnum
from typing import Self

USER = 7043663
"""The account's own number."""


class _Explained(IntEnum):
    """A code with a `label` next to it in responses."""

    label: str

    def __new__(cls, code: int, label: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.label = label
        return member


class MailingListStatus(_Explained):
    """The status of a mailing list; all but ACTIVE lock it."""

    ACTIVE = 0, "Active"
    DELETED = 1, "Deleted"
    IN_QUESTION = 3, "Waiting for an answer"
    LOCKED = 4, "Locked by the service"
    COPYING = 5, "Copying addresses"


class ContactStatus(_Explained):
    """The status of an address on a list."""

    NEW = 0, "New"
    ACTIVE = 1, "Active"
    CONFIRMATION_REQUESTED = 2, "Confirmation requested"
    ACTIVATION_REQUESTED = 3, "Activation requested"
    UNSUBSCRIBED = 4, "Unsubscribed"
    REJECTED = 5, "Rejected"
    UNSUBSCRIBED_FROM_ALL = 6, "Unsubscribed from all"
    ACTIVATION_SENT = 7, "Activation is requested"
    BLOCKED = 8, "Blocked"
    SENDING_ERROR = 9, "Sending error"
    UNAVAILABLE = 14, "Temporarily unavailable"


NEW_OR_ACTIVE = (ContactStatus.NEW, ContactStatus.ACTIVE)
"""What the service counts as active."""


class CampaignStatus(IntEnum):
    """The status of a campaign, as far as the sandbox's campaigns have one."""

    NEW = 0
    MODERATION = 1
    SENDING = 2
    SENT = 3
    TEST = 4
    BLOCKED = 5
    TEST_SENT = 8
    IN_QUESTION = 11
    NO_ACTIVE_ADDRESSES = 12
    CREATING = 13
    CANCELLED = 16
    SENDING_PARTIALLY = 22
    SENT_PARTIALLY = 23
    SENT_PARTIALLY_AND_BLOCKED = 25
    DRAFT = 26
    NEEDS_EDITING = 27

    @property
    def is_over(self) -> bool:
        """Whether the campaign can't be cancelled any more."""
        return self in _OVER

    @property
    def is_under_way(self) -> bool:
        """Whether it holds on to its lists."""
        return not (self.is_over or self in (CampaignStatus.DRAFT, CampaignStatus.TEST))

    @property
    def is_stopped(self) -> bool:
        """Whether its emails will not be sent unless somebody steps in."""
        return self in _STOPPED


_OVER = (
    CampaignStatus.SENT,
    CampaignStatus.BLOCKED,
    CampaignStatus.TEST_SENT,
    CampaignStatus.NO_ACTIVE_ADDRESSES,
    CampaignStatus.CANCELLED,
    CampaignStatus.SENT_PARTIALLY,
    CampaignStatus.SENT_PARTIALLY_AND_BLOCKED,
)
_STOPPED = (CampaignStatus.BLOCKED, CampaignStatus.CANCELLED, CampaignStatus.NEEDS_EDITING)


class RecipientStatus(_Explained):
    """The status of one address in a campaign."""

    QUEUED = 0, "In queue"
    SENT = 1, "Sent"
    DELIVERED = 2, "Delivered"
    OPENED = 3, "Opened"
    CLICKED = 4, "Link redirected"
    UNSUBSCRIBED = 5, "User unsubscribe"
    NO_SUCH_ADDRESS = 6, "No such email"
    DEFERRED = 7, "Temporary unavailable"
    UNAVAILABLE = 8, "Unavailable"
    REJECTED_AS_SPAM = 9, "Rejected as spam"
    MAILBOX_FULL = 10, "Mailbox is full"
    COMPLAINED = 11, "Marked as spam by user"
    FAILED = 12, "Delivery failure"
    NOT_SENT = 13, "Not sent"
    NO_SUCH_DOMAIN = 14, "No such domain"
    UNSUBSCRIBED_FROM_LIST = 15, "Unsubscribed from newsletter"
    INVALID_ADDRESS = 16, "Not valid email"
    BLOCKED_FOR_NOW = 17, "Temporary blocked"
    DISABLED = 18, "Disabled by administrator"
    ALREADY_UNSUBSCRIBED = 20, "Already unsubscribed"


class CampaignEvent(StrEnum):
    """The words of the webhook task_status_update, and what they are explained by.

    All but ON_MODERATION and SENDING are what moderation can decide.
    """

    label: str

    def __new__(cls, word: str, label: str) -> Self:  # noqa: D102
        member = str.__new__(cls, word)
        member._value_ = word
        member.label = label
        return member

    APPROVED = "approve", "Approved and will be sent"
    APPROVED_IN_PARTS = "approve_part", "Approved and will be sent by part"
    ACTIVE_ONLY = "only_active", "Will be sent to active addresses only"
    CONFIRM_ADDRESSES = "confirm_addresses", "Rejected: confirm your mailing list"
    NEEDS_EDITING = "need_edit", "Rejected: edit the body of your message"
    REJECTED = "rejected", "The campaign was rejected"
    ON_MODERATION = "on_moderation", "The campaign is in moderation"
    SENDING = "sending", "The campaign is in the sending queue"

    @property
    def holds(self) -> CampaignStatus:
        """The status in which a campaign stays after this decision; NEW if it goes on."""
        return _HELD.get(self, CampaignStatus.NEW)


_HELD = {
    CampaignEvent.CONFIRM_ADDRESSES: CampaignStatus.IN_QUESTION,
    CampaignEvent.NEEDS_EDITING: CampaignStatus.NEEDS_EDITING,
    CampaignEvent.REJECTED: CampaignStatus.BLOCKED,
}


class WebhookAction(StrEnum):
    """What a webhook is called for."""

    NEW_EMAILS = "new_emails"
    DELETE = "delete"
    UNSUBSCRIBE = "unsubscribe"
    TASK_STATUS_UPDATE = "task_status_update"
    OPEN = "open"
    DELIVERED = "delivered"
    REDIRECT = "redirect"
    SPAM = "spam"
    HARD_BOUNCES = "hard_bounces"
    SOFT_BOUNCES = "soft_bounces"
