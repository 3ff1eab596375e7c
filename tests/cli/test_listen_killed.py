"""``mailkit listen`` is killed again and again while a job is sent and the service posts about it,
late, twice and out of order: in the end the journal says what the sandbox knows.
"""

from __future__ import annotations

import csv
import json
import random
import socket
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from mailkit.events import DeliveryStatus
from mailkit.sandbox import Fault, Posting

from ..outcomes import SUPPRESSING, truth_of
from ..webhooks.posting import SECRET
from .shop import PLAIN, Process, Shop, end_of, kill

KINDS = ("bounce", "complaint", "unsubscribes", "opens", "clicks", "expires", "slow", "plain")
PEOPLE = [f"{kind}{n}@example.com" for n in range(20) for kind in KINDS]
KILLS = 3
POSTING = Posting(
    batch=10, repeated=0.2, late=0.5, late_by=7200, shuffled=True, retries=(60.0,) * 100
)


def deliver(shop: Shop) -> None:
    """The services post what is due, until each post has been answered or was lost."""
    headers = {"Content-Type": "application/json"}
    order = urllib.request.Request(f"{shop.sandbox.url}/sandbox/deliver", b"{}", headers)
    urllib.request.urlopen(order, timeout=60).close()


@contextmanager
def listening(shop: Shop, port: int) -> Iterator[Process]:
    with shop.spawn("listen", "--port", str(port), "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["journal"] == str(shop.journal)
        yield process


def after(shop: Shop, posting: Future[None], *, posts: int) -> Callable[[], bool]:
    """Whether so many more posts have come, or no more are coming."""
    seen = shop.sandbox.scheduler.deliveries
    enough = len(seen) + posts
    return lambda: posting.done() or len(seen) >= enough


def test_the_journal_says_what_the_sandbox_knows(shop: Shop) -> None:
    rng = random.Random(12)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = shop.sandbox.devino.settings
    settings.callback_url = f"http://127.0.0.1:{port}/webhooks/devino/{SECRET}"
    settings.posting = POSTING
    shop.environment["MAILKIT_WEBHOOK_SECRET"] = SECRET
    letter = shop.letter(**{**PLAIN, "html": "<p>Hello</p> {{ unsubscribe }}"})
    people = shop.table(["email", *PEOPLE])
    options = ("--provider", "devino", "--name", "autumn")
    shop.sandbox.faults.add(Fault("slow_answer", on="devino.messages.send", seconds=60))
    with (
        shop.spawn("send", letter, people, *options) as sending,
        ThreadPoolExecutor(1) as service,
    ):
        shop.until(lambda: shop.sandbox.truth.emails, sending)  # whose response is still to come
        for _ in range(KILLS):
            shop.sandbox.clock.advance(1800)
            with listening(shop, port) as process:
                posting = service.submit(deliver, shop)
                shop.until(after(shop, posting, posts=rng.randrange(1, 8)), process)
                kill(process)
            posting.result(60)
        kill(sending)
    shop.sandbox.faults.clear()
    assert shop("resume", "autumn").code in (0, 3)
    with listening(shop, port) as process:
        for _ in range(30):
            shop.sandbox.clock.advance(7200)
            deliver(shop)
        assert shop.sandbox.scheduler.backlog == (0, 0)
        process.terminate()
        counts = end_of(process).json
    assert (counts["foreign"], counts["broken"], counts["unwritten"]) == (0, 0, 0)
    truth = truth_of(shop.sandbox.outcomes(service="devino"))
    rows = csv.DictReader(shop("report", "autumn", "--csv").out.splitlines())
    heard = {row["email"]: row["delivery"] for row in rows if row["state"] == "accepted"}
    assert heard == {name: status.name.lower() for name, status in truth.items()}
    gone = {name for name, status in truth.items() if status in SUPPRESSING}
    assert gone
    assert shop.in_journal("suppressions", "job = 0") == len(gone)
    assert not shop.sandbox.truth.mailed_twice
    assert DeliveryStatus.EXPIRED in truth.values()
