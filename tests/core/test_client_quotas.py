"""Whatever the calls and options, no more requests arrive than the quotas allow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

import pytest

from mailkit.core.hooks import Attempt
from mailkit.core.quota import REQUESTS, SLACK, LocalPermits, Quota
from mailkit.core.wire import Request, Response
from mailkit.errors import MailkitError, NotSent, OutcomeUnknown, QuotaExhausted
from mailkit.providers.sendpulse import SendPulse

from ..simulation.loop import LoopClock, SimulatedLoop
from .doubles import Library, response
from .test_client import Ledger
from .test_quota_several import made_up_time, seconds

LETTER: dict[str, Any] = {
    "sender": "Shop <news@shop.by>",
    "subject": "Autumn",
    "html": "<p>Hello</p>",
}
TOKEN = response(200, {"access_token": "t", "expires_in": 3600})


class Service:
    """Responses at once, or as ``fate`` says; counts arrivals by the ends of their paths."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.loop = loop
        self.arrivals: list[tuple[float, str]] = []

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        request.began = False
        return await self.act(request, timeout)

    async def act(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        request.began = True
        self.arrive(request, self.loop.time())
        await asyncio.sleep(1 / 64)
        return self.response(request)

    def arrive(self, request: Request, at: float) -> None:
        test = " test" if b"is_test" in (request.body or b"") else ""
        self.arrivals.append((at, f"{request.verb} {request.url.rpartition('/')[2]}{test}"))

    def response(self, request: Request) -> Response:
        if request.url.endswith("/access_token"):
            return TOKEN
        return response(200, {"id": 7} if request.verb == "POST" else [])

    def most(self, quota: Quota, *ends: str) -> int:
        """The most arrivals within a window of the quota; of all, or of those with these ends."""
        times = sorted(at for at, end in self.arrivals if not ends or end in ends)
        windows = (
            sum(at < start + quota.per_seconds for at in times[n:]) for n, start in enumerate(times)
        )
        return max(windows, default=0)

    async def aclose(self) -> None:
        """There is nothing to close."""


def library_of(service: Service, **quotas: Quota) -> Library:
    library = Library(service, clock=LoopClock(service.loop), quotas=quotas)
    return library.with_options(quota_wait=float("inf"))


def sendpulse_of(service: Service, **options: Any) -> SendPulse:
    sendpulse = SendPulse(
        "id", "secret", transport=service, clock=LoopClock(service.loop), **options
    )
    return sendpulse.with_options(quota_wait=float("inf"))


def campaign(sendpulse: SendPulse) -> Coroutine[Any, Any, object]:
    return sendpulse.campaigns.create(list_id=7, **LETTER)


S = TypeVar("S", bound=Service)


def play(
    work: Callable[[S], Coroutine[Any, Any, None]], make: Callable[[SimulatedLoop], S]
) -> None:
    with made_up_time() as loop:
        loop.run_until_complete(work(make(loop)))


@pytest.mark.parametrize("wait", [30.0, float("inf")])
def test_permits_that_wait_for_another_quota_do_not_age(wait: float) -> None:
    async def work(service: Service) -> None:
        requests, books = Quota(4, 1.0), Quota(4, 6.0, "campaigns")
        library = library_of(service, requests=requests, books=books)
        library = library.with_options(timeout=0.3, quota_wait=wait)
        adds = [asyncio.create_task(library.books.add(title="T")) for _ in range(12)]
        await asyncio.sleep(3)
        lists = [asyncio.create_task(library.books.list()) for _ in range(40)]
        await asyncio.gather(*adds, *lists)
        assert service.most(requests) == 4
        assert service.most(books, "POST books") == 4
        assert service.loop.now < 16, "52 requests, 4 a second; 12 books, 4 in 6 seconds"

    play(work, Service)


def test_copies_share_their_quotas_whatever_their_options() -> None:
    async def work(service: Service) -> None:
        quota = Quota(3, 10.0)
        library = library_of(service, requests=quota)
        copies = [library.with_options(timeout=t, attempts=n) for t, n in ((0.1, 1), (60, 3))]
        copies += [copies[0].with_options(quota_wait=1000)]
        calls = [copy.books.list() for copy in (library, *copies) for _ in range(4)]
        await asyncio.gather(*calls)
        assert service.most(quota) == 3

    play(work, Service)


@pytest.mark.parametrize("first", [True, False])
def test_other_permits_reach_the_token_s_request_and_all_copies(first: bool) -> None:
    async def work(service: Service) -> None:
        ledger = Ledger()
        sendpulse = sendpulse_of(service)
        if first:
            sendpulse = sendpulse.with_permits(ledger).with_options(timeout=3)
        else:
            sendpulse = sendpulse.with_options(timeout=3).with_permits(ledger)
        await campaign(sendpulse)
        assert ledger.retry_after == [
            (REQUESTS, None, 30.0),
            ((*REQUESTS, "campaigns"), None, 3),
        ]

    play(work, Service)


def test_a_client_without_quotas_takes_no_permit_for_its_token() -> None:
    async def work(service: Service) -> None:
        sendpulse = sendpulse_of(service, requests=Quota(1, 3600.0)).with_permits(None)
        await asyncio.gather(*(sendpulse.mailing_lists.list() for _ in range(5)))
        assert service.loop.now < 1

    play(work, Service)


def test_one_token_serves_all_copies_and_is_fetched_by_whoever_needs_it() -> None:
    async def work(service: Service) -> None:
        ours, theirs = Ledger(), Ledger()
        sendpulse = sendpulse_of(service)
        first, second = sendpulse.with_permits(ours), sendpulse.with_permits(theirs)
        await asyncio.gather(*(one.mailing_lists.list() for one in (first, second, first)))
        assert [end for _, end in service.arrivals].count("POST access_token") == 1
        assert (len(ours.retry_after), len(theirs.retry_after)) == (3, 1)

    play(work, Service)


def test_the_impatience_of_one_call_is_not_told_to_those_who_wait_with_it() -> None:
    async def work(service: Service) -> None:
        sendpulse = sendpulse_of(service, requests=Quota(1, 60.0))
        assert sendpulse._permits is not None
        (await sendpulse._permits.acquire(REQUESTS, 0, 1.0)).done()
        hasty = sendpulse.with_options(quota_wait=0)
        ends = await asyncio.gather(
            *(one.mailing_lists.list() for one in (hasty, sendpulse, hasty)), return_exceptions=True
        )
        assert [type(end) for end in ends] == [QuotaExhausted, list, QuotaExhausted]
        assert service.loop.now == 120 + 1 / 64 * 2

    play(work, Service)


def test_a_token_that_expires_while_its_call_waits_costs_no_campaign() -> None:
    class Expiring(Service):
        def response(self, request: Request) -> Response:
            if request.url.endswith("/access_token"):
                tree = {"access_token": f"t{self.loop.time()}", "expires_in": 600}
                return response(200, tree)
            issued = float(request.headers["Authorization"].removeprefix("Bearer t"))
            assert self.loop.time() - issued < 600, "a request with a token that has expired"
            return response(200, {"id": 7})

    async def work(service: Service) -> None:
        quota = Quota(4, 3600.0, "campaigns")
        sendpulse = sendpulse_of(service, campaigns=quota)
        await asyncio.gather(*(campaign(sendpulse) for _ in range(12)))
        paths = Counter(end for _, end in service.arrivals)
        assert paths == {"POST campaigns": 12, "POST access_token": 3}
        assert service.loop.now < 2 * 3600 + 10

    play(work, Expiring)


def test_tokens_that_expire_at_once_lock_nobody() -> None:
    class Useless(Service):
        def response(self, request: Request) -> Response:
            if request.url.endswith("/access_token"):
                return response(200, {"access_token": "t", "expires_in": 1})
            return response(200, [])

    async def work(service: Service) -> None:
        sendpulse = sendpulse_of(service, requests=Quota(1, 60.0))
        await asyncio.gather(*(sendpulse.mailing_lists.list() for _ in range(4)))
        assert service.most(Quota(1, 60.0)) == 1

    play(work, Useless)


def test_each_attempt_takes_its_own_permits() -> None:
    class Down(Service):
        async def act(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
            request.began = True
            self.arrive(request, self.loop.time())
            raise OutcomeUnknown("no response: reset")

    async def work(service: Service) -> None:
        quota = Quota(2, 30.0)
        library = library_of(service, requests=quota)
        with pytest.raises(MailkitError):
            await library.books.list()
        assert len(service.arrivals) == 3
        assert service.most(quota) == 2

    play(work, Down)


# Everything at once.


class Chaos(Service):
    """Requests are lost, late, refused, held up in the pool; all from a seed."""

    rng: Random

    async def act(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        rng, now = self.rng, self.loop.time
        give_up = now() + timeout
        fate = rng.choice(("answered",) * 5 + ("lost", "slow", "unsent", "pool", "429", "401"))
        if fate in ("unsent", "pool"):
            await asyncio.sleep(timeout if fate == "pool" else min(seconds(rng, 2), timeout))
            raise NotSent("not sent: refused")
        await asyncio.sleep(seconds(rng, min(timeout / 2, 9)))  # in the pool
        request.began = True
        arrives = now() + seconds(rng, min(give_up - now(), 9))
        try:
            await asyncio.sleep(max(arrives - now(), 0))
            if fate == "slow":  # it arrives when the client has given it up
                await asyncio.sleep(give_up - now() + seconds(rng, 50))  # which may be late
                arrives = max(give_up, now()) + seconds(rng, SLACK)
                raise OutcomeUnknown("no response: timeout")
            await asyncio.sleep(seconds(rng, min(give_up - now(), 3)))
        except asyncio.CancelledError:
            arrives = max(arrives, give_up) + seconds(rng, SLACK)
            raise
        finally:
            self.arrive(request, arrives)
        if fate == "lost":
            raise OutcomeUnknown("no response: reset")
        if fate in ("429", "401"):
            return response(int(fate), {"error": "no"})
        return self.response(request)


@pytest.mark.parametrize("seed", range(40))
def test_no_mix_of_options_and_ends_exceeds_a_quota(seed: int) -> None:
    rng = Random(seed)
    requests = Quota(rng.randint(1, 5), rng.choice((0.5, 1.0, 7.0)))
    campaigns = Quota(rng.randint(1, 3), rng.choice((6.0, 60.0)), "campaigns")
    tests = Quota(rng.randint(1, 3), rng.choice((6.0, 60.0)), "test sends")

    async def work(service: Chaos) -> None:
        service.rng = rng
        sendpulse = sendpulse_of(service, requests=requests, campaigns=campaigns, tests=tests)

        def hook(attempt: Attempt) -> None:
            if rng.random() < 0.02:
                raise ZeroDivisionError

        sendpulse._hooks = (hook,)
        shared = sendpulse.with_permits(sendpulse._permits)

        async def one() -> None:
            await asyncio.sleep(seconds(rng, 60))
            client = rng.choice((sendpulse, shared)).with_options(
                timeout=rng.choice((0.25, 3.0, 30.0)),
                attempts=rng.randint(1, 3),
                quota_wait=rng.choice((0.0, 30.0, 300.0, float("inf"))),
            )
            with suppress(MailkitError, ZeroDivisionError):
                match rng.randint(0, 3):
                    case 0:
                        await campaign(client)
                    case 1:
                        await client.campaigns.create(list_id=7, is_test=True, **LETTER)
                    case _:
                        await client.mailing_lists.list()

        tasks = [asyncio.create_task(one()) for _ in range(40)]
        for task in tasks:
            if rng.random() < 0.2:
                service.loop.call_at(seconds(rng, 120), task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert service.most(requests) <= requests.limit
        assert service.most(campaigns, "POST campaigns", "POST campaigns test") <= campaigns.limit
        assert service.most(tests, "POST campaigns test") <= tests.limit
        permits = sendpulse._permits
        assert isinstance(permits, LocalPermits)
        assert not permits._lines
        assert [window.in_use for window in permits._windows.values()] == [0, 0, 0]

    play(work, Chaos)
