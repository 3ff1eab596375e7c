"""Holds: for a while nothing is sent, since the provider asks for that or can't be reached, or
since a quota is used up.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime

from mailkit.bulk.deadlines import pause
from mailkit.bulk.journal import JobRecord, Journal, Later
from mailkit.bulk.run import Left, Run
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.signal import Signal
from mailkit.bulk.waiting import Waiting
from mailkit.core.clock import Clock
from mailkit.errors import MailkitError, QuotaExhausted, RateLimited, RequestError, Unavailable
from mailkit.events import JobHook, SendingHeld, SendingResumed

__all__ = ["Holds"]

TRIES_TO_STOP = 8
LOOK_SECONDS = 5.0
STEP_SECONDS = 60.0  # of a longer wait: the wall clock may be set meanwhile


def _trouble(error: MailkitError) -> str:
    status = error.status if isinstance(error, RequestError) else None
    if status is None:
        return "the provider can't be reached"
    failed = status >= 500
    return "the provider is unavailable" if failed else "no request gets through to the provider"


class Holds:
    """The holds of one run. ``began`` is notified of each that the provider is the reason for."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        job: JobRecord,
        *,
        settings: EngineSettings,
        clock: Clock,
        rng: random.Random,
        tell: JobHook,
        began: Signal,
    ) -> None:
        self._run = run
        self._journal = journal
        self._job = job
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._tell = tell
        self._began = began
        self._until = 0.0  # by the steady clock
        self._held_until = 0.0  # for want of permits, as was told last
        self._tries = self._away = 0
        self._held_in_journal = False
        self._told = False
        self.waiting: Waiting | None = None
        """What the next request waits for."""

    @property
    def seconds_left(self) -> float:
        """How long the provider is still left alone; it isn't, if that is not above 0."""
        return self._until - self._clock.monotonic()

    def step(self, seconds: float) -> float:
        """Of so many seconds, those after which one looks again what has changed meanwhile."""
        return min(max(0.0, seconds), LOOK_SECONDS)

    def responded(self) -> None:
        """The provider took something: the next hold is a short one again."""
        self._tries = self._away = 0

    def begin(self, error: MailkitError) -> None:
        """Let every worker wait: as long as the provider asks, else longer each time."""
        away = not isinstance(error, RateLimited | QuotaExhausted)
        if self._clock.monotonic() >= self._until:  # else another request met the same trouble
            self._tries += 1
            self._away += away
        if not away:  # it responds
            self._away = 0
        if self._away >= TRIES_TO_STOP:
            reason = f"{_trouble(error)}: {error}"
            self._run.give_up(Left.UNREACHABLE, error, reason)
            return
        text = error.text if isinstance(error, RequestError) else str(error)
        wait = pause(self._tries - 1, 1.0, 60.0) * self._rng.uniform(0.8, 1.2)
        if isinstance(error, RateLimited | Unavailable) and error.retry_after is not None:
            wait = max(error.retry_after, 0.1)
        elif isinstance(error, QuotaExhausted) and error.available_at is not None:
            wait = max(error.available_at.timestamp() - self._clock.now(), 0.1)
        until = _local(self._clock.now() + wait)
        if wait > self._settings.max_wait and not isinstance(error, QuotaExhausted):
            self._run.fail(error, f"{text}; resume the job after {until:%Y-%m-%d %H:%M:%S %Z}")
            return
        if self._clock.monotonic() + wait > self._until:
            self.waiting = Waiting(until, text)
            self._held_in_journal = True
            self._journal.workers.hold(self._job, until.timestamp(), text)
            self.tell(until, text)
        self._until = max(self._until, self._clock.monotonic() + wait)
        self._began.notify()

    def look_in(self, later: Later) -> float:
        """Say why there is no task yet; gives the seconds after which to look again."""
        now = self._clock.now()
        self.waiting = Waiting(_local(later.until), later.why, quota=later.quota)
        if later.look is None:
            return min(max(0.0, later.until - now), STEP_SECONDS)
        if later.quota and later.until > max(now + LOOK_SECONDS, self._held_until + 1.0):
            self._held_until = later.until
            self.tell(_local(later.until), f"{later.why} is used up", later.quota)
        return self.step(later.look - now)

    def tell(self, until: datetime, why: str, quota: str | None = None) -> None:
        """Nothing is sent until then."""
        self._told = True
        self._tell(SendingHeld(self._job.name, until, why, quota))

    def end(self, *, sends: bool) -> None:
        """There is nothing to wait for any more; whether somebody ``sends``."""
        self.waiting = None
        if self._held_in_journal:
            self._held_in_journal = False
            self._journal.workers.hold(self._job, None)
        if self._told and sends:
            self._told = False
            self._tell(SendingResumed(self._job.name))


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone()
