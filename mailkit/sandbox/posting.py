"""How a service posts events to its customers' own addresses: in batches, late, twice, and again
where nobody took them.
"""

from collections import deque
from collections.abc import Mapping
from random import Random

import attrs

from mailkit.sandbox.service import WebhookPost
from mailkit.sandbox.timeline import Timeline
from mailkit.sandbox.values import Positive, Seconds, Share, typed

Row = Mapping[str, object]


@attrs.define(field_transformer=typed)
class Posting:
    """May be changed while the sandbox runs; times are seconds of sandbox time.

    batch: at most this many events in a post.
    every: how long an event waits for others; a full batch does not wait.
    repeated: the share (0 to 1) of events that come a second time, up to `late_by` later.
    late: the share of events that come late, by up to `late_by`.
    late_by: how late an event or its repeat can be.
    shuffled: whether what goes out at the same time is in random order.
    retries: the waits before a post is made again that got no 2xx; after the last it is lost.
    timeout: how long a post waits for its response, in real seconds.
    """

    batch: Positive = 100
    every: Seconds = 0.0
    repeated: Share = 0.0
    late: Share = 0.0
    late_by: Seconds = 600.0
    shuffled: bool = False
    retries: tuple[Seconds, ...] = ()
    timeout: Seconds = 10.0


class Outbox:
    """The events for one address that wait for their post, and the posts that wait to be repeated.

    `lost` counts the events that nobody took in the end.
    """

    def __init__(self) -> None:
        self._later: Timeline[Row] = Timeline()
        self._waiting: deque[tuple[float, Row]] = deque()
        self._again: Timeline[WebhookPost] = Timeline()
        self._unposted = 0
        self.lost = 0

    @property
    def waiting(self) -> int:
        """How many events nobody has taken yet, repeats included."""
        return self._unposted

    def put(self, at: float, row: Row, posting: Posting, rng: Random) -> None:
        """Keep an event that happened at this moment."""
        late = posting.late_by * rng.random() if rng.random() < posting.late else 0.0
        self._add(at, late, row)
        if rng.random() < posting.repeated:
            self._add(at, posting.late_by * rng.random(), row)

    def due(self, posting: Posting) -> float | None:
        """When the next post is due."""
        moments = [self._later.next(), self._again.next()]
        if self._waiting:
            is_full = len(self._waiting) >= posting.batch
            moments.append(self._waiting[0][0] + (0 if is_full else posting.every))
        return min((at for at in moments if at is not None), default=None)

    def posts(
        self, url: str, now: float, posting: Posting, rng: Random, *, early: bool
    ) -> list[WebhookPost]:
        """The posts that are due; with `early` a batch does not wait until it is full."""
        while (taken := self._later.take(now)) is not None:
            self._waiting.append((taken[0], taken[1]))
        posts = []
        while (again := self._again.take(now)) is not None:
            posts.append(attrs.evolve(again[1], url=url))
        size = posting.batch
        count = len(self._waiting)
        if count and not early and self._waiting[0][0] + posting.every > now:
            count -= count % size
        rows = [self._waiting.popleft()[1] for _ in range(count)]
        if posting.shuffled:
            rng.shuffle(rows)
            rng.shuffle(posts)

        def ended(post: WebhookPost, now: float, *, is_taken: bool) -> None:
            self._end(post, now, posting, is_taken=is_taken)

        for start in range(0, count, size):
            batch = rows[start : start + size]
            posts.append(WebhookPost(url, batch, timeout=posting.timeout, ended=ended))
        return posts

    def _add(self, at: float, late: float, row: Row) -> None:
        self._unposted += 1
        if late:
            self._later.add(at + late, row)
        else:
            self._waiting.append((at, row))

    def _end(self, post: WebhookPost, now: float, posting: Posting, *, is_taken: bool) -> None:
        events = len(post.value) if isinstance(post.value, list) else 1
        if not is_taken and post.attempt <= len(posting.retries):
            wait = posting.retries[post.attempt - 1]
            self._again.add(now + wait, attrs.evolve(post, attempt=post.attempt + 1))
            return
        self._unposted -= events
        if not is_taken:
            self.lost += events
