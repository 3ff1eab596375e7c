"""The states of messages that Devino posts to the customer, and the opt-outs with them."""

from collections import deque
from collections.abc import Mapping

import attrs

from mailkit.sandbox.delivery import steps
from mailkit.sandbox.devino.state import Account, Context, DevinoSettings
from mailkit.sandbox.service import Post
from mailkit.sandbox.timeline import Timeline

STATUSES = {
    "sent": "SENT",
    "delivered": "DELIVERED",
    "undelivered": "BOUNCED",
    "opened": "OPENED",
    "unsubscribed": "UNSUBSCRIBED",
    "complained": "COMPLAINED",
}
_LEAVING = ("UNSUBSCRIBED", "COMPLAINED")


@attrs.frozen
class _Event:
    message_id: str
    address: str
    status: str
    extra: Mapping[str, object]
    told: bool


class Callbacks:
    """The states to come, and those that wait for their post."""

    def __init__(self) -> None:
        self._timeline: Timeline[_Event] = Timeline()
        self._waiting: deque[tuple[float, _Event]] = deque()

    def follow(
        self,
        context: Context,
        message_id: str,
        address: str,
        extra: Mapping[str, object],
        *,
        rejected: bool,
    ) -> None:
        """Plan the states of a message that was taken; without a callback_url only opt-outs."""
        told = context.settings.callback_url is not None

        def plan(after: float, status: str) -> None:
            if told or status in _LEAVING:
                event = _Event(message_id, address, status, extra, told)
                self._timeline.add(context.now + after, event)

        if not told and not address.startswith(("complaint", "unsubscribed")):
            return
        plan(0, "ACCEPTED")
        if rejected:
            plan(1, "REJECTED")
            return
        for after, step in steps(address, tracked=True, open_share=context.settings.open_share):
            if step in STATUSES:
                plan(after, STATUSES[step])

    def tick(self, account: Account, now: float) -> None:
        """Let the due states come about."""
        while (taken := self._timeline.take(now)) is not None:
            at, event = taken
            if event.status in _LEAVING:
                account.unsubscribed.add(event.address)
                account.resubscribed.discard(event.address)
            if event.told:
                self._waiting.append((at, event))

    def due(self) -> float | None:
        """When the next state comes about, or waits already for its post."""
        return self._waiting[0][0] if self._waiting else self._timeline.next()

    def posts(self, settings: DevinoSettings) -> list[Post]:
        """The waiting states in posts of `callback_batch`; without a callback_url they are lost."""
        url = settings.callback_url
        rows = [_row(at, event, settings.extra_data_key) for at, event in self._waiting]
        self._waiting.clear()
        if url is None:
            return []
        size = max(1, settings.callback_batch)
        posts = [Post(url, rows[at : at + size]) for at in range(0, len(rows), size)]
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
