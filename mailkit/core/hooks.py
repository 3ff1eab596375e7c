"""What a client reports about its attempts: to its hooks, and to the standard logging."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

import attrs

from mailkit.core.frames import place_of
from mailkit.core.retry import Outcome

__all__ = ["Attempt", "Hook", "call_hooks", "log", "log_attempt"]

log = logging.getLogger("mailkit.requests")


@attrs.frozen
class Attempt:
    """One attempt of a call, as hooks see it: before it (no outcome yet) and after it.

    ``call`` is the name, such as ``emails.send``, ``kind`` the call's class name, ``route`` its
    path with the fields' names; ``host`` and ``port`` are the service's. The attempt ``waited`` for
    its quotas and its token before it began, and then took ``seconds``. Never holds credentials,
    addresses or bodies.
    """

    provider: str
    call: str
    kind: str
    verb: str
    route: str
    attempt: int
    outcome: Outcome | None = None
    status: int | None = None
    seconds: float = 0.0
    waited: float = 0.0
    host: str = ""
    port: int | None = None


_FACTS = [(f"mailkit_{one.name}", one.name) for one in attrs.fields(Attempt)]


class Hook(Protocol):
    """A function that is called before and after each attempt of a call, in its task; must return
    at once. Its exceptions are logged, and change nothing.
    """

    def __call__(self, attempt: Attempt, /) -> None:
        """Take note of the attempt."""
        ...


def log_attempt(attempt: Attempt) -> None:
    """Log an attempt that has ended, with its facts in ``extra``."""
    if not log.isEnabledFor(logging.INFO):
        return
    outcome = None if attempt.outcome is None else attempt.outcome.value
    status = "no response" if attempt.status is None else f"HTTP {attempt.status}"
    facts = {key: getattr(attempt, name) for key, name in _FACTS}
    facts.update(mailkit_event="attempt", mailkit_outcome=outcome)
    log.info(
        "%s %s: %s %s, attempt %d: %s, %s, %.3f s",
        attempt.provider,
        attempt.call,
        attempt.verb,
        attempt.route,
        attempt.attempt,
        outcome,
        status,
        attempt.seconds,
        extra=facts,
    )


def call_hooks(hooks: Sequence[Hook], attempt: Attempt) -> None:
    """Whatever a hook does, it says nothing of the attempt."""
    for hook in hooks:
        try:
            hook(attempt)
        except Exception as error:  # noqa: BLE001 - a message may be on its way
            log.error("a hook of %s failed: %s", attempt.call, place_of(error))
