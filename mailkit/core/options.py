"""What every client takes besides its credential and address."""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from typing import TypedDict

from mailkit.core.clock import Clock
from mailkit.core.hooks import Hook
from mailkit.core.http import Session, Transport
from mailkit.core.quota import Quota
from mailkit.core.secret import Secret

__all__ = ["ClientOptions", "secret_from_env"]


class ClientOptions(TypedDict, total=False):
    """The options that the clients share; each adds its own. `Client` has the defaults."""

    account: str | None
    """The account's name in quotas and journals; by default, a hash of the credential."""
    requests: Quota | Sequence[Quota] | None
    """The account's rate limit, or several: a second's, a minute's, a day's. None for no limit.
    Only SendPulse publishes one."""
    session: Session | None
    """An aiohttp session to use and leave open; by default, the client opens its own."""
    connections: int
    """The size of the client's own connection pool; by default, 100."""
    timeout: float
    """Seconds for one attempt; by default, 30."""
    hooks: Sequence[Hook]
    """Called before and after each attempt."""
    clock: Clock | None
    """What tells the time and waits, such as a `FakeClock`; by default, the system's clock."""
    random: Random | None
    """What the lengths of waits are drawn from; by default, the system's random numbers."""
    transport: Transport | None
    """What sends requests, in place of aiohttp."""


def secret_from_env(name: str) -> Secret | None:
    """The credential in an environment variable, or None if it is not set or empty."""
    # The environment is never the value of a local variable: a traceback could show it.
    return Secret(os.environ.get(name, "").strip()) or None
