"""The statuses of emails that Devino posts to the customer, and the opt-outs with them."""

from collections import deque
from collections.abc import Iterator, Mapping
from enum import StrEnum

import attrs

from mailkit.sandbox.delivery import Step, steps
from mailkit.sandbox.devino.settings import DevinoSettings
from mailkit.sandbox.service import WebhookPost
from mailkit.sandbox.timeline import Timeline


class Status(StrEnum):
    """The service's words for what has happened to an email."""

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    BOUNCED = "BOUNCED"
    OPENED = "OPENED"
    UNSUBSCRIBED = "UNSUBSCRIBED"
    COMPLAINED = "COMPLAINED"


_STATUSES = {
    Step.SENT: Status.SENT,
    Step.DELIVERED: Status.DELIVERED,
    Step.UNDELIVERED: Status.BOUNCED,
    Step.OPENED: Status.OPENED,
    Step.UNSUBSCRIBED: Status.UNSUBSCRIBED,
    Step.COMPLAINED: Status.COMPLAINED,
}
_OPT_OUTS = (Status.UNSUBSCRIBED, Status.COMPLAINED)


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
        self._waiting: deque[tuple[float, _Event]] = deque()

    def plan(
        self,
        settings: DevinoSettings,
        now: float,
        message_id: str,
        address: str,
        extra: Mapping[str, object],
        *,
        rejected: bool,
    ) -> None:
        """Plan the statuses of an accepted email; without a callback_url only opt-outs."""
        is_posted = settings.callback_url is not None

        def add(after: float, status: Status) -> None:
            if is_posted or status in _OPT_OUTS:
                event = _Event(message_id, address, status, extra, is_posted)
                self._timeline.add(now + after, event)

        if not is_posted and not address.startswith(("complaint", "unsubscribed")):
            return
        add(0, Status.ACCEPTED)
        if rejected:
            add(1, Status.REJECTED)
            return
        for after, step in steps(address, tracked=True, open_share=settings.open_share):
            if step in _STATUSES:
                add(after, _STATUSES[step])

    def tick(self, now: float) -> Iterator[str]:
        """Let the due statuses happen; yields the addresses that opt out by them."""
        while (taken := self._timeline.take(now)) is not None:
            at, event = taken
            if event.is_posted:
                self._waiting.append((at, event))
            if event.status in _OPT_OUTS:
                yield event.address

    def due(self) -> float | None:
        """When the next status is due, or since when one waits for its post."""
        return self._waiting[0][0] if self._waiting else self._timeline.next()

    def posts(self, settings: DevinoSettings) -> list[WebhookPost]:
        """The waiting statuses in posts of `callback_batch`; lost without a callback_url."""
        url = settings.callback_url
        rows = [_row(at, event, settings.extra_data_key) for at, event in self._waiting]
        self._waiting.clear()
        if url is None:
            return []
        size = max(1, settings.callback_batch)
        posts = [WebhookPost(url, rows[at : at + size]) for at in range(0, len(rows), size)]
        return [post for post in posts for _ in range(1 + settings.callback_twice)]


def _row(at: float, event: _Event, extra_key: str | None) -> dict[str, object]:
    extra = event.extra if extra_key is None else {extra_key: event.extra}
    return {
        **extra,
        "messageId": event.message_id,
        "ts": round(at * 1000),
        "status": event.status,
        "email": event.address,
    }
