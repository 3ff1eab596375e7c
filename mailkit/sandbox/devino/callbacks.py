"""The statuses of emails that Devino posts to the customer, and the opt-outs with them."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from random import Random
from typing import NamedTuple

from mailkit.sandbox.delivery import LEAVE, Step, meaning, steps
from mailkit.sandbox.devino.settings import DevinoSettings
from mailkit.sandbox.happening import Course, following, past
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
    extra: Mapping[str, object] | None
    """Its ExtraData, if its statuses are posted."""

    def course(self) -> Course:
        """The steps that it takes by itself, with their moments."""
        taken = steps(self.address, tracked=True, open_share=self.open_share)
        return [(self.at + after, step) for after, step in taken]

    def statuses(self, changed: Course | None = None) -> Iterator[tuple[float, Status]]:
        """Its statuses with their moments, by its own course or a changed one."""
        yield self.at, Status.ACCEPTED
        if self.rejected:
            yield self.at + 1, Status.REJECTED
            return
        if changed is not None:
            yield from ((at, _STATUSES[step]) for at, step in changed if step in _STATUSES)
            return
        for after, step in steps(self.address, tracked=True, open_share=self.open_share):
            if step in _STATUSES:
                yield self.at + after, _STATUSES[step]

    def outcome(self, now: float, changed: Course | None) -> Outcome:
        """What has become of it; that somebody has subscribed again is nothing that it became."""
        reached = [
            status
            for at, status in self.statuses(changed)
            if at <= now and status is not Status.SUBSCRIBED
        ]
        word = reached[-1]
        return Outcome("devino", self.address, self.message_id, _STATES[word], word)


class Callbacks:
    """The statuses to come, and those that wait for their post.

    `changed` has the courses of emails that somebody has made something happen to, by their ids.
    """

    def __init__(self) -> None:
        self._timeline: Timeline[tuple[AcceptedEmail, Status]] = Timeline()
        self.outbox = Outbox()
        self.changed: dict[str, Course] = {}

    def plan(self, email: AcceptedEmail) -> None:
        """Plan the statuses of an email; if none are posted, only those that change who is
        unsubscribed.
        """
        word = meaning(email.address)
        if email.extra is None and word != "complaint" and word not in LEAVE:
            return
        for at, status in email.statuses():
            if email.extra is not None or status in _CHANGES:
                self._timeline.add(at, (email, status))

    def tick(
        self, now: float, settings: DevinoSettings, rng: Random
    ) -> Iterator[tuple[str, Status]]:
        """Let the due statuses happen; yields the addresses that opt out by them, or in again."""
        while (taken := self._timeline.take(now)) is not None:
            at, (email, status) = taken
            if email.message_id not in self.changed:
                yield from self._reach(at, email, status, settings, rng)

    def happen(
        self, email: AcceptedEmail, step: Step, now: float, settings: DevinoSettings, rng: Random
    ) -> Iterator[tuple[str, Status]]:
        """Let an email take this step now, and none after it; yields as `tick` does."""
        reached = past(self.course(email), now)
        new = following(reached, now, step)
        self.changed[email.message_id] = [*reached, *new]
        for _, one in new:
            yield from self._reach(now, email, _STATUSES[one], settings, rng)

    def course(self, email: AcceptedEmail) -> Course:
        """The steps of an email with their moments."""
        return self.changed.get(email.message_id) or email.course()

    def _reach(
        self,
        at: float,
        email: AcceptedEmail,
        status: Status,
        settings: DevinoSettings,
        rng: Random,
    ) -> Iterator[tuple[str, Status]]:
        if email.extra is not None:
            row = _row(at, email, email.extra, status, settings, rng)
            self.outbox.put(at, row, settings.posting, rng)
        if status in _CHANGES:
            yield email.address, status

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


def _row(
    at: float,
    email: AcceptedEmail,
    extra: Mapping[str, object],
    status: Status,
    settings: DevinoSettings,
    rng: Random,
) -> dict[str, object]:
    key = settings.extra_data_key
    extra = extra if key is None else {key: extra}
    ts = round(at * 1000)
    row: dict[str, object] = {
        "messageId": email.message_id,
        "ts": str(ts) if settings.callback_numbers == "text" else ts,
        "status": status,
        "email": email.address,
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
