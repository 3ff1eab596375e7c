"""Webhooks: where they are registered, and the events that wait for their post."""

from collections import deque
from collections.abc import Mapping

import attrs

from mailkit.sandbox.sendpulse.codes import WebhookAction
from mailkit.sandbox.sendpulse.settings import SendPulseSettings
from mailkit.sandbox.service import WebhookPost


@attrs.define
class Webhook:
    """A registered webhook: the events of one action for one address, and those that wait."""

    id: int
    url: str
    action: WebhookAction
    waiting: deque[tuple[float, Mapping[str, object]]] = attrs.field(factory=deque)

    def ready_at(self, settings: SendPulseSettings) -> float | None:
        """When the next post is due."""
        if not self.waiting:
            return None
        if len(self.waiting) >= settings.webhook_batch:
            return self.waiting[0][0]
        return self.waiting[0][0] + settings.webhook_every


@attrs.define
class WebhookQueue:
    """The registered webhooks by id."""

    by_id: dict[int, Webhook] = attrs.field(factory=dict)

    def put(self, action: WebhookAction, at: float, event: Mapping[str, object]) -> None:
        """Keep an event for every webhook of its action."""
        for hook in self.by_id.values():
            if hook.action is action:
                row = {**event, "event": action, "timestamp": str(int(at))}
                hook.waiting.append((at, row))

    def due(self, settings: SendPulseSettings) -> float | None:
        """When the next post is due."""
        moments = [hook.ready_at(settings) for hook in self.by_id.values()]
        return min((at for at in moments if at is not None), default=None)

    def posts(self, now: float, settings: SendPulseSettings, *, early: bool) -> list[WebhookPost]:
        """The posts that are due; with `early` all events that wait."""
        posts: list[WebhookPost] = []
        for hook in self.by_id.values():
            while hook.waiting:
                ready = hook.ready_at(settings)
                if not early and ready is not None and ready > now:
                    break
                size = min(len(hook.waiting), max(1, settings.webhook_batch))
                rows = [hook.waiting.popleft()[1] for _ in range(size)]
                posts.extend([WebhookPost(hook.url, rows)] * (1 + settings.webhook_twice))
        return posts
