"""The fixtures ``journal``, in memory, and ``receiver``, which is not open yet."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mailkit.bulk.journal import InlineExecutor, Journal
from mailkit.testing import FakeClock
from mailkit.webhooks import WebhookReceiver

from .posting import SECRET


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    opened = await Journal.open(":memory:", executor=InlineExecutor)
    yield opened
    await opened.close()


@pytest.fixture
def receiver(journal: Journal, clock: FakeClock) -> WebhookReceiver:
    return WebhookReceiver(journal, secret=SECRET, clock=clock)
