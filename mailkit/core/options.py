"""What every client takes besides its credential and address."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypedDict

from mailkit.core.client import Hook
from mailkit.core.clock import Clock
from mailkit.core.http import Session, Transport
from mailkit.core.quota import Quota

__all__ = ["ClientOptions"]


class ClientOptions(TypedDict, total=False):
    """The options that the clients share; each adds its own to them."""

    account: str | None
    requests: Quota | None
    session: Session | None
    connections: int
    timeout: float
    hooks: Sequence[Hook]
    clock: Clock | None
    random: Random | None
    transport: Transport | None
