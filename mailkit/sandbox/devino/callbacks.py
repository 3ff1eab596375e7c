"""The statuses of emails that Devino posts to the customer, and the opt-outs with them."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from random import Random
from typing import NamedTuple

import attrs

from mailkit.sandbox.delivery import LEAVE, Step, meaning, steps
from mailkit.sandbox.devino.settings import DevinoSettings
from mailkit.sandbox.posting import Outbox
from mailkit.sandbox.service import WebhookPost
from mailkit.sandbox.timeline import Timeline
from mailkit.sandbox.truth import Outcome


class Status(StrEnum):
    """The service's words for what has happened to an email."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    EXPIRED = "EXPIRED"
    BOUNCED = "BOUNCED"
    OPENED = "OPENED"
    CLICKED = "CLICKED"
    SUBSCRIBED = "SUBSCRIBED"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    COMPLAINED = "COMPLAINED"


_STATUSES = {
    Step.SENT: Status.SENT,
    Step.DELIVERED: Status.DELIVERED,
    Step.UNDELIVERED: Status.BOUNCED,
    Step.EXPIRED: Status.EXPIRED,
    Step.OPENED: Status.OPENED,
    Step.CLICKED: Status.CLICKED,
    Step.SUBSCRIBED: Status.SUBSCRIBED,
    Step.UNSUBSCRIBED: Status.UNSUBSCRIBED,
    Step.COMPLAINED: Status.COMPLAINED,
}
_STATES = {
    **{status: str(step) for step, status in _STATUSES.items()},
    Status.ACCEPTED: str(Step.QUEUED),
    Status.REJECTED: "rejected",
}
_CHANGES = (Status.UNSUBSCRIBED, Status.COMPLAINED, Status.SUBSCRIBED)
"""What decides whom the service mails next time."""


class AcceptedEmail(NamedTuple):
    """An email that the service has taken: its id, to whom, and when."""

    message_id: str
    address: str
    at: float
    rejected: bool
    open_share: float

    def statuses(self) -> Iterator[tuple[float, Status]]:
        """Its statuses with their moments."""
        yield self.at, Status.ACCEPTED
        if self.rejected:
            yield self.at + 1, Status.REJECTED
            return
        for after, step in steps(self.address, tracked=True, open_share=self.open_share):
            if step in _STATUSES:
                yield self.at + after, _STATUSES[step]

    def outcome(self, now: float) -> Outcome:
        """What has become of it; that somebody has subscribed again is nothing that it became."""
        reached = [
            status
            for at, status in self.statuses()
            if at <= now and status is not Status.SUBSCRIBED
        ]
        word = reached[-1]
        return Outcome("devino", self.address, self.message_id, _STATES[word], word)


@attrs.frozen
class _Event:
    message_id: str
    address: str
    status: Status
    extra: Mapping[str, object]
    is_posted: bool


class Callbacks:
    """The statuses to come, and those that wait for their post."""

    def __init__(self) -> None:
        self._timeline: Timeline[_Event] = Timeline()
        self.outbox = Outbox()

    def plan(
        self, settings: DevinoSettings, email: AcceptedEmail, extra: Mapping[str, object]
    ) -> None:
        """Plan the statuses of an email; without a callback_url only those that change who is
        unsubscribed.
        """
        is_posted = settings.callback_url is not None
        word = meaning(email.address)
        if not is_posted and word != "complaint" and word not in LEAVE:
            return
        for at, status in email.statuses():
            if is_posted or status in _CHANGES:
                event = _Event(email.message_id, email.address, status, extra, is_posted)
                self._timeline.add(at, event)

    def tick(
        self, now: float, settings: DevinoSettings, rng: Random
    ) -> Iterator[tuple[str, Status]]:
        """Let the due statuses happen; yields the addresses that opt out by them, or in again."""
        while (taken := self._timeline.take(now)) is not None:
            at, event = taken
            if event.is_posted:
                self.outbox.put(at, _row(at, event, settings, rng), settings.posting, rng)
            if event.status in _CHANGES:
                yield event.address, event.status

    def due(self, settings: DevinoSettings) -> float | None:
        """When the next status is due, or the next post."""
        moments = (self._timeline.next(), self.outbox.due(settings.posting))
        return min((at for at in moments if at is not None), default=None)

    def posts(
        self, now: float, settings: DevinoSettings, rng: Random, *, early: bool
    ) -> list[WebhookPost]:
        """The posts that are due; what waits is lost without a callback_url."""
        if settings.callback_url is None:
            self.outbox = Outbox()
            return []
        return self.outbox.posts(settings.callback_url, now, settings.posting, rng, early=early)


def _row(at: float, event: _Event, settings: DevinoSettings, rng: Random) -> dict[str, object]:
    key = settings.extra_data_key
    extra = event.extra if key is None else {key: event.extra}
    ts = round(at * 1000)
    row: dict[str, object] = {
        "messageId": event.message_id,
        "ts": str(ts) if settings.callback_numbers == "text" else ts,
        "status": event.status,
        "email": event.address,
    }
    return {**extra, **(mixed_case(row, rng) if settings.mixed_case else row)}


def mixed_case(value: Mapping[str, object], rng: Random) -> dict[str, object]:
    """The same with each key beginning with an upper-case or lower-case letter at random."""
    return {_key(key, rng): _part(part, rng) for key, part in value.items()}


def _part(value: object, rng: Random) -> object:
    if isinstance(value, list):
        return [_part(part, rng) for part in value]
    return mixed_case(value, rng) if isinstance(value, Mapping) else value


def _key(key: str, rng: Random) -> str:
    first = key[:1].upper() if rng.random() < 0.5 else key[:1].lower()
    return first + key[1:]
