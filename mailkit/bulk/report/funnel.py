"""How far the rows of a job came, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailkit.bulk.report.summary import Report
from mailkit.events import DeliveryStatus

__all__ = ["ARRIVED", "FunnelStep", "funnel"]

ARRIVED = (
    DeliveryStatus.DELIVERED,
    DeliveryStatus.OPENED,
    DeliveryStatus.CLICKED,
    DeliveryStatus.UNSUBSCRIBED,
    DeliveryStatus.COMPLAINED,
)
"""The deliveries of messages that came to their people."""


@attrs.frozen
class FunnelStep:
    """The rows that came at least as far as ``name`` says."""

    name: str
    rows: int


def funnel(report: Report) -> Sequence[FunnelStep]:
    """The steps from the rows read to the links clicked."""
    counts, heard = report.counts, report.deliveries
    clicked = heard.get(DeliveryStatus.CLICKED, 0)
    return (
        FunnelStep("read", counts.read),
        FunnelStep("to send", counts.to_send),
        FunnelStep("accepted", counts.accepted),
        FunnelStep("delivered", sum(heard.get(status, 0) for status in ARRIVED)),
        FunnelStep("opened", heard.get(DeliveryStatus.OPENED, 0) + clicked),
        FunnelStep("clicked", clicked),
    )
