"""How a job is run."""

from __future__ import annotations

from typing import ClassVar

import attrs

from mailkit.core.checks import number, yes_or_no

__all__ = ["EngineSettings"]


@attrs.frozen
class EngineSettings:
    """How a job is run; seconds throughout.

    ``concurrency`` requests are under way at once, ``pollers`` polls. A row that the provider has
    not named ``reconcile`` seconds after its chunk was taken (or after send_at) is in doubt.
    ``track`` goes on asking about deliveries for so long after the last chunk, or after send_at.
    ``ignore_send_at`` sends at once what should have gone out earlier. A provider that asks for a
    longer wait than ``max_wait`` stops the job. ``trust_refusals`` is a person's word that refusals
    are about rows, and never about the account or the message.
    """

    __how__: ClassVar = "EngineSettings(…)"

    concurrency: int = attrs.field(default=8, validator=number(least=1, most=1_000, whole=True))
    pollers: int = attrs.field(default=4, validator=number(least=1, most=1_000, whole=True))
    reconcile: float = attrs.field(default=600.0, validator=number(least=0))
    track: float = attrs.field(default=0.0, validator=number(least=0))
    ignore_send_at: bool = attrs.field(default=False, validator=yes_or_no)
    trust_refusals: bool = attrs.field(default=False, validator=yes_or_no)
    max_wait: float = attrs.field(default=2 * 3600.0, validator=number(least=0))
