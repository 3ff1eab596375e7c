"""Webhooks: where they are registered, and the events that wait for their post."""

from collections.abc import Mapping
from random import Random

import attrs

from mailkit.sandbox.posting import Outbox
from mailkit.sandbox.sendpulse.codes import WebhookAction
from mailkit.sandbox.sendpulse.settings import SendPulseSettings, WebhookNumbers
from mailkit.sandbox.service import Backlog, WebhookPost

_NUMBERS = frozenset(
    {"timestamp", "task_id", "book_id", "from_all", "link_id", "smtp_server_response_code"}
)
_DOCUMENTED = frozenset({"from_all", "link_id"})
"""Those that are numbers on the page, not texts."""


@attrs.define
class Webhook:
    """A registered webhook: the events of one action for one address."""

    id: int
    url: str
    action: WebhookAction
    outbox: Outbox = attrs.field(factory=Outbox)


@attrs.define
class WebhookQueue:
    """The registered webhooks by id."""

    by_id: dict[int, Webhook] = attrs.field(factory=dict)

    def put(
        self,
        action: WebhookAction,
        at: float,
        event: Mapping[str, object],
        settings: SendPulseSettings,
        rng: Random,
    ) -> None:
        """Keep an event for every webhook of its action."""
        hooks = [hook for hook in self.by_id.values() if hook.action is action]
        if not hooks:
            return
        numbers = settings.webhook_numbers
        if settings.quirks and numbers == "documented":
            numbers = rng.choice(("documented", "text", "number"))
        row = written({**event, "event": action, "timestamp": int(at)}, numbers, rng)
        for hook in hooks:
            hook.outbox.put(at, row, settings.posting, rng)

    def due(self, settings: SendPulseSettings) -> float | None:
        """When the next post is due."""
        moments = [hook.outbox.due(settings.posting) for hook in self.by_id.values()]
        return min((at for at in moments if at is not None), default=None)

    def posts(
        self, now: float, settings: SendPulseSettings, rng: Random, *, early: bool
    ) -> list[WebhookPost]:
        """The posts that are due; with `early` all events that wait."""
        posts = [
            post
            for hook in self.by_id.values()
            for post in hook.outbox.posts(hook.url, now, settings.posting, rng, early=early)
        ]
        if settings.posting.shuffled:
            rng.shuffle(posts)
        return posts

    def backlog(self) -> Backlog:
        """The events that nobody has taken yet."""
        outboxes = [hook.outbox for hook in self.by_id.values()]
        return Backlog(sum(one.waiting for one in outboxes), sum(one.lost for one in outboxes))


def written(
    row: Mapping[str, object], numbers: WebhookNumbers, rng: Random
) -> Mapping[str, object]:
    """The event with its numbers as texts, or as numbers."""
    return {name: _written(name, value, numbers, rng) for name, value in row.items()}


def _written(name: str, value: object, numbers: WebhookNumbers, rng: Random) -> object:
    if name not in _NUMBERS or not isinstance(value, int):
        return value
    if numbers == "mixed":
        return value if rng.random() < 0.5 else str(value)
    is_number = name in _DOCUMENTED if numbers == "documented" else numbers == "number"
    return value if is_number else str(value)
