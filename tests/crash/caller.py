"""``python -m tests.crash.caller JOURNAL URL WHO``: two kinds of calls, as fast as the journal's
ledger lets it, until it is killed. At a URL where nobody listens, no request ever leaves.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from math import inf
from pathlib import Path

from mailkit import Journal, Quota
from mailkit.core.clock import Clock
from mailkit.core.http import AiohttpTransport
from mailkit.errors import MailkitError

from ..core.doubles import Library

__all__ = ["QUOTAS", "WINDOWS"]

QUOTAS = {"requests": Quota(40, 1.0), "books": Quota(30, 2.0, "books")}
WINDOWS = {"GET": ("requests",), "POST": ("requests", "books")}
CALLS = 3  # under way at once, of each kind


async def main(place: str, url: str, who: str) -> None:
    journal = await Journal.open(Path(place))
    library = Library(AiohttpTransport(None), Clock(), quotas=QUOTAS)
    library._url = url
    library = library.with_permits(journal.permits(library))
    library = library.with_options(timeout=1.0, quota_wait=inf, attempts=1)

    async def look() -> None:
        while True:
            with suppress(MailkitError):
                await library.books.get(who)

    async def add() -> None:
        while True:
            with suppress(MailkitError):
                await library.books.add(title=who)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(CALLS):
            tasks.create_task(look())
            tasks.create_task(add())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
