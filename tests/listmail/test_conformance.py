"""Listmail's bulk send does what every provider's must."""

from __future__ import annotations

import pytest

from listmail import Listmail
from listmail.server import INVALID, Server
from mailkit.provider import ClientOptions, Limits
from mailkit.testing.conformance import CHECKS, Bench, Check

FEW = Limits(rows=4, size=10_000, base=100, part_rows=2)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_bulk_send_conforms(check: Check) -> None:
    async with Server(page=3) as server:

        def connect(options: ClientOptions) -> Listmail:
            return Listmail(server.key, server.secret, server.url, limits=FEW, **options)

        refuses = f"{INVALID}gone@example.com"
        await check(Bench(connect, lambda: server.mailed, server.advance, refuses=refuses))


@pytest.fixture(autouse=True)
def no_request_is_held_up() -> None:
    """Here some are."""
