"""``mailkit listen`` next to the jobs: the sandbox posts to it, and it dies like the others."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import mailkit.webhooks.aiohttp_app  # noqa: F401 - so that a forked process need not import it
from mailkit import Journal, SendPulse
from mailkit.bulk.journal import RowState
from mailkit.cli.app import app
from mailkit.events import DeliveryStatus
from mailkit.providers.sendpulse import WebhookAction
from mailkit.sandbox import Outcome, SendPulseSettings

from ..outcomes import SUPPRESSING, truth_of
from .processes import Forked
from .sandbox import Place, ask, skip

__all__ = ["LISTEN", "Listening", "hear_the_rest", "outcomes_of", "register", "untrue"]

LISTEN = "mailkit listen"
RESOLVED = "resolved by a person"
HOUR, DAYS = 3600.0, 3 * 86400.0
POSTS = 500
"""So often, at most, the sandbox is asked to post what is left."""


class Listening(Forked):
    """The command, on the port that the sandbox posts to."""

    def __init__(self, place: Place, journal: Path, errors: Path) -> None:
        words = ["listen", "--port", str(place.hook), "--journal", str(journal)]
        super().__init__(LISTEN, _command(words, place.environment, errors))


def _command(words: list[str], environment: Mapping[str, str], errors: Path) -> Callable[[], int]:
    def work() -> int:
        heard = os.open(errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number, file in enumerate((nothing, nothing, heard)):
            os.dup2(file, number)
        os.environ.update(environment)
        try:
            app(words)
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    return work


async def register(place: Place) -> None:
    """Have SendPulse post all its events, as a person does in the dashboard."""
    key = SendPulseSettings().api_key
    url = place.hook_url("sendpulse")
    async with SendPulse(url=place.url, api_key=key, requests=None, campaigns=None) as client:
        await client.webhooks.create(url, list(WebhookAction))


def hear_the_rest(place: Place) -> int:
    """Days later all is posted, to a receiver that lives; gives how many events were lost."""
    skip(place.url, DAYS)
    left = ask(place.url, "deliver", {})
    for _ in range(POSTS):
        if not left["waiting"]:
            break
        skip(place.url, HOUR)
        left = ask(place.url, "deliver", {})
    return int(left["waiting"] + left["lost"])


def outcomes_of(place: Place, service: str) -> Mapping[str, DeliveryStatus]:
    """What becomes of each email in the end, by the sandbox's truth."""
    found = ask(place.url, f"truth/outcomes?end=1&service={service}")
    return truth_of(Outcome(**one) for one in found)


def untrue(
    path: Path, truth: Mapping[str, DeliveryStatus], jobs: Iterable[str], *, settles: bool
) -> list[str]:
    """Where the journal's rows, or its suppressions, are not as the truth has it. Who ``settles``
    chunks by a person's word, without the campaign's number, never hears of them.
    """
    return asyncio.run(_untrue(path, truth, jobs, settles))


async def _untrue(
    path: Path, truth: Mapping[str, DeliveryStatus], jobs: Iterable[str], settles: bool
) -> list[str]:
    left, wrong = dict(truth), []
    gone: set[str] = set()
    journal = await Journal.open(path)
    try:
        for job in jobs:
            async for rows in journal.reports.rows(await journal.jobs.get(job)):
                for row in rows:
                    if row.delivery in SUPPRESSING:
                        gone.add(row.address)
                    if row.address not in truth or row.state == RowState.DUPLICATE:
                        continue
                    expected = left.pop(row.address, None)
                    deaf = settles and row.reason == RESOLVED and row.delivery is None
                    if row.state != RowState.ACCEPTED or (row.delivery != expected and not deaf):
                        wrong.append(f"{row.address} is {row.state} {row.delivery!r}, {expected!r}")
        suppressed = {one.address async for one in journal.suppressions.list()}
    finally:
        await journal.close()
    wrong += [f"{address} is in no row, {status!r}" for address, status in left.items()]
    return wrong + [f"{address} is suppressed, or not" for address in suppressed ^ gone]
