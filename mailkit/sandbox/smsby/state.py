"""The state of the sms.by sandbox: settings, messages with their emails, mailing lists."""

from enum import StrEnum
from random import Random

import attrs

from mailkit.sandbox.delivery import Step, failure, step_at, steps
from mailkit.sandbox.forms import File
from mailkit.sandbox.happening import Course, following, past, shown_at
from mailkit.sandbox.truth import Truth
from mailkit.sandbox.values import Count, Positive, Rate, Seconds, Share, Status, typed


class EmailStatus(StrEnum):
    """The service's words for the status of an email."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    OPEN = "OPEN"
    UNDELIVERED = "UNDELIVERED"


_STATUSES = {
    Step.DELIVERED: EmailStatus.DELIVERED,
    Step.OPENED: EmailStatus.OPEN,
    Step.UNDELIVERED: EmailStatus.UNDELIVERED,
}
_UNDELIVERED = EmailStatus.UNDELIVERED


@attrs.define(field_transformer=typed)
class SmsBySettings:
    """What the provider does not publish; may be changed while the sandbox runs.

    token: the token that the account accepts.
    token_error_status: HTTP status of a refused token, 200 or 401.
    status_delay: seconds of sandbox time until the status of a bulk send has all rows.
    waiting_states: the words before delivery: queued, and handed to the other server.
    open_share: the share of ordinary addresses that open a tracked email.
    message_size: a bulk send is kept as messages of at most this many addresses.
    requests_per_second: more requests than this within a second of sandbox time get HTTP 429.
    max_input_vars: fields of a form or query beyond this number are silently dropped.
    text_at_top: a personal bulk send needs a subject and a message at its top, as the table says.
    strict: one incorrect address refuses a whole bulk send, instead of being listed as an error.
    error_key: what the status of a bulk send calls the address of an error: email or recipient.
    balance: the emails that are paid for; a bulk send of more is refused whole. None: no limit.
    no_money: the words of that refusal.
    post_max_size: a larger body is not read at all, so that its token is missing, too.
    """

    token: str = "sandbox-token"  # noqa: S105 -- a fake, and meant to be known
    token_error_status: Status = 200
    status_delay: Seconds = 0.0
    waiting_states: tuple[str, str] = (EmailStatus.QUEUED, EmailStatus.SENT)
    open_share: Share = 0.2
    message_size: Positive = 250
    requests_per_second: Rate | None = None
    max_input_vars: Count = 1000
    text_at_top: bool = False
    strict: bool = False
    error_key: str = "email"
    balance: Count | None = None
    no_money: str = "Insufficient funds"
    post_max_size: Count = 8 * 1024 * 1024


@attrs.define
class Sending:
    """The common part of a message: who sends it, when (seconds), and whether opens are tracked."""

    name: str
    sender_email: str
    sender_name: str
    accepted_at: float
    begins_at: float
    tracked: bool


@attrs.define
class Message:
    """Addresses that were accepted together; `refused` maps a position to the reason, `changed` to
    the course of an email that somebody has made something happen to.
    """

    id: int
    first_email_id: int
    sending: Sending
    addresses: list[str]
    refused: dict[int, str]
    changed: dict[int, Course] = attrs.field(factory=dict)

    def shown(self, now: float, delay: float) -> int:
        """How many rows the status has at `now`; the rest follows within `delay` seconds."""
        if delay <= 0:
            return len(self.addresses)
        share = (now - self.sending.accepted_at) / delay
        return min(len(self.addresses), int(len(self.addresses) * share))

    def status(self, position: int, now: float, settings: SmsBySettings) -> tuple[str, str]:
        """The service's word for the state of one email, and the error text or ""."""
        if position in self.refused:
            return _UNDELIVERED, self.refused[position]
        _, word = self.step(position, now, settings)
        return word, failure(self.addresses[position]) if word is _UNDELIVERED else ""

    def step(self, position: int, now: float, settings: SmsBySettings) -> tuple[Step, str]:
        """How far one email that was not refused has come, and the service's word for it."""
        sending = self.sending
        if self.changed and position in self.changed:
            step = shown_at(self.changed[position], now)
        else:
            step = step_at(
                self.addresses[position],
                now - sending.begins_at,
                tracked=sending.tracked,
                open_share=settings.open_share,
            )
        status = _STATUSES.get(step)
        return step, settings.waiting_states[step is Step.SENT] if status is None else status

    def course(self, position: int, settings: SmsBySettings) -> Course:
        """The steps of one email that was not refused, with their moments."""
        if position in self.changed:
            return self.changed[position]
        address, sending = self.addresses[position], self.sending
        taken = steps(address, tracked=sending.tracked, open_share=settings.open_share)
        return [(sending.begins_at + after, step) for after, step in taken]

    def change(self, position: int, step: Step, now: float, settings: SmsBySettings) -> None:
        """Let one email take this step now, and none after it."""
        reached = past(self.course(position, settings), now)
        self.changed[position] = [*reached, *following(reached, now, step)]


@attrs.define
class MailingList:
    """A mailing list: contacts by address or phone, and who has unsubscribed from it."""

    id: int
    name: str
    contacts: dict[str, dict[str, str]] = attrs.field(factory=dict)
    unsubscribed: set[str] = attrs.field(factory=set)


@attrs.define
class Account:
    """Everything the service remembers between two requests."""

    messages: dict[int, Message] = attrs.field(factory=dict)
    bulks: dict[str, list[Message]] = attrs.field(factory=dict)
    lists: dict[int, MailingList] = attrs.field(factory=dict)
    unsubscribed: set[str] = attrs.field(factory=set)
    resubscribed: set[str] = attrs.field(factory=set)
    leaving: dict[str, float] = attrs.field(factory=dict)
    templates: list[dict[str, object]] = attrs.field(
        factory=lambda: [
            {"id": 11, "title": "Spring catalogue"},
            {"id": 12, "title": "Order confirmation"},
        ]
    )
    next_email_id: int = 1234567
    next_message_id: int = 1234
    next_list_id: int = 3434


@attrs.frozen
class Context:
    """What an operation works with: `now` is the sandbox's time, `files` came with the request."""

    account: Account
    settings: SmsBySettings
    truth: Truth
    rng: Random
    now: float
    files: tuple[File, ...] = ()
