"""Direct calls under the ledger: clients of several processes share the quotas of an account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from math import inf
from pathlib import Path

import pytest

from mailkit import Quota, SendPulse
from mailkit.bulk.journal import Journal, LedgerPermits
from mailkit.bulk.journal.ledger import Account, Grant, Ledger
from mailkit.core.quota import SLACK
from mailkit.core.wire import Request, Response
from mailkit.errors import NotSent, OutcomeUnknown, QuotaExhausted, RateLimited, Refused
from mailkit.testing import FakeClock

from ..core.doubles import response
from .fakes import memory_journal

FOUR = {"campaigns": Quota(4, 3600.0, "campaigns")}
ONE = {"requests": Quota(1, 60.0)}
NAMES = ("requests", "campaigns")
TOKEN = response(200, {"access_token": "t", "expires_in": 3600})


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    async with memory_journal() as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def permits(journal: Journal, clock: FakeClock, quotas: dict[str, Quota]) -> LedgerPermits:
    """Those of a process of its own."""
    return LedgerPermits(journal._db, Ledger(Account("fake", "shop", quotas), clock))


async def rows(journal: Journal, table: str) -> int:
    (found,) = await journal._db.read(
        lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()
    )
    return int(found)


async def test_processes_share_a_quota_and_wait_for_it(journal: Journal, clock: FakeClock) -> None:
    first, second = permits(journal, clock, ONE), permits(journal, clock, ONE)
    (await first.acquire(NAMES, None, 30.0)).done()
    (await second.acquire(NAMES, None, 30.0)).done()
    assert clock.monotonic() == 60
    (await first.acquire(NAMES, None, 30.0)).done()
    assert clock.monotonic() == 120
    assert await rows(journal, "waiters") == 0


async def test_names_of_no_quota_cost_nothing(journal: Journal, clock: FakeClock) -> None:
    permit = await permits(journal, clock, FOUR).acquire(("requests",), 0.0, 30.0)
    permit.sent()
    permit.done()
    assert permit.begins_by == inf
    assert await rows(journal, "accounts") == 0


@pytest.mark.parametrize("wait", [0.0, 59.0])
async def test_who_can_not_wait_so_long_hears_when_it_is_free(
    journal: Journal, clock: FakeClock, wait: float
) -> None:
    mine = permits(journal, clock, ONE)
    (await mine.acquire(NAMES, None, 30.0)).done()
    with pytest.raises(QuotaExhausted) as told:
        await permits(journal, clock, ONE).acquire(NAMES, wait, 30.0)
    assert told.value.available_at is not None
    assert told.value.available_at.timestamp() == clock.now() + 60
    assert clock.monotonic() == 0
    assert await rows(journal, "waiters") == 0


async def test_callers_of_one_process_have_one_place_and_go_in_order(
    journal: Journal, clock: FakeClock
) -> None:
    mine, other = permits(journal, clock, ONE), permits(journal, clock, ONE)
    (await mine.acquire(NAMES, None, 30.0)).done()
    order: list[str] = []

    async def call(who: LedgerPermits, name: str) -> None:
        permit = await who.acquire(NAMES, None, 30.0)
        order.append(name)
        permit.done()

    calls = [(mine, "mine 1"), (mine, "mine 2"), (mine, "mine 3"), (other, "other 1")]
    async with asyncio.TaskGroup() as tasks:
        for who, name in calls:
            tasks.create_task(call(who, name))
    assert order == ["mine 1", "other 1", "mine 2", "mine 3"]


async def test_who_is_too_far_back_hears_it_at_once(journal: Journal, clock: FakeClock) -> None:
    mine = permits(journal, clock, ONE)
    (await mine.acquire(NAMES, None, 30.0)).done()
    waiting = asyncio.create_task(mine.acquire(NAMES, 100.0, 30.0))
    await asyncio.sleep(0)
    with pytest.raises(QuotaExhausted) as told:
        await mine.acquire(NAMES, 100.0, 30.0)
    assert told.value.available_at is not None
    assert told.value.available_at.timestamp() == clock.now() + 120
    (await waiting).done()


async def test_one_who_is_cancelled_leaves_the_line_and_keeps_nothing(
    journal: Journal, clock: FakeClock
) -> None:
    mine = permits(journal, clock, ONE)
    first = await mine.acquire(NAMES, None, 30.0)
    waiting = asyncio.create_task(mine.acquire(NAMES, None, 30.0))
    behind = asyncio.create_task(mine.acquire(NAMES, None, 30.0))
    for _ in range(5):
        await asyncio.sleep(0)
    assert await rows(journal, "waiters") == 1
    waiting.cancel()
    first.release()
    (await behind).done()
    assert clock.monotonic() < 60
    assert await rows(journal, "waiters") == 0


async def test_a_permit_that_is_granted_to_one_who_was_cancelled_goes_back(
    tmp_path: Path, clock: FakeClock
) -> None:
    journal = await Journal.open(tmp_path / "journal.db")
    try:
        mine = permits(journal, clock, ONE)
        for _ in range(3):
            asking = asyncio.create_task(mine.acquire(NAMES, 0.0, 30.0))
            await asyncio.sleep(0)  # it has asked, and the journal's thread is at it
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        clock.autojump = False
        (await mine.acquire(NAMES, None, 30.0)).done()
    finally:
        await journal.close()


@pytest.mark.parametrize(
    ("end", "counts_until"), [("done", 7 + 60), ("lost", 5 + 30 + SLACK + 60), ("release", 7)]
)
async def test_how_a_request_ended_says_until_when_its_permit_counts(
    journal: Journal, clock: FakeClock, end: str, counts_until: float
) -> None:
    mine = permits(journal, clock, ONE)
    permit = await mine.acquire(NAMES, None, 30.0)
    clock.advance(5)
    permit.sent()
    clock.advance(2)
    getattr(permit, end)()
    permit.done()  # only the first word has an effect
    await mine.acquire(NAMES, None, 30.0)
    assert clock.monotonic() == counts_until


async def test_a_refusal_of_the_service_holds_for_the_other_process(
    journal: Journal, clock: FakeClock
) -> None:
    quotas = {**FOUR, "requests": Quota(10, 1.0)}
    mine, other = permits(journal, clock, quotas), permits(journal, clock, quotas)
    permit = await mine.acquire(NAMES, None, 30.0)
    permit.refused(requests=False, seconds=600.0)
    permit.done()
    (await other.acquire(("requests",), 0.0, 30.0)).done()
    await other.acquire(NAMES, None, 30.0)
    assert clock.monotonic() == 600


async def granted(mine: LedgerPermits, *names: str) -> Grant:
    """Permits that came with a chunk."""
    ledger = mine.ledger
    found = await mine._store.write(
        lambda db: ledger.ask(db, ledger.needs(*names), key=None, deadline=30.0, asked=5.0)
    )
    assert isinstance(found, Grant)
    return found


async def test_the_permits_of_a_chunk_are_for_its_request_alone_and_once(
    journal: Journal, clock: FakeClock
) -> None:
    mine = permits(journal, clock, {"campaigns": Quota(1, 3600.0), "requests": Quota(3, 60.0)})
    grant = await granted(mine, *NAMES)
    with mine.using(grant):
        (await mine.acquire(("requests",), 0.0, 30.0)).done()  # such as for a token
        assert not grant.used
        permit = await mine.acquire(NAMES, 0.0, 30.0)
        assert permit.begins_by == grant.begins_by == 15.0
        permit.done()
        with pytest.raises(QuotaExhausted):
            await mine.acquire(NAMES, 0.0, 30.0)
    assert await rows(journal, "permits") == 3


SCARCE = {"campaigns": Quota(1, 3600.0), "requests": Quota(1, 10.0)}
LOOK = ("requests",)


async def free(mine: LedgerPermits, name: str) -> bool:
    """Whether there is a permit of this quota."""
    used = await mine.used()
    return sum(amount for _, amount in used[name]) < mine.ledger.account.quotas[name].limit


async def test_a_task_lends_its_permit_to_a_request_that_comes_before_its_own(
    journal: Journal, clock: FakeClock
) -> None:
    mine = permits(journal, clock, SCARCE)
    grant = await granted(mine, *NAMES)

    async def task() -> None:
        with mine.using(grant):
            permit = await mine.acquire(LOOK, 0.0, 30.0)
            assert permit.begins_by == grant.begins_by
            clock.advance(2)
            permit.done()
            await mine.acquire(NAMES, 0.0, 30.0)

    with pytest.raises(QuotaExhausted) as told:
        await task()
    assert told.value.available_at is not None
    assert told.value.available_at.timestamp() == clock.now() + 10
    assert await free(mine, "campaigns")  # nothing was asked for that takes one
    assert not await free(mine, "requests")
    clock.advance(10)
    assert await free(mine, "requests")


async def test_what_is_lent_counts_for_the_next_process_after_a_kill(
    journal: Journal, clock: FakeClock
) -> None:
    mine, other = permits(journal, clock, SCARCE), permits(journal, clock, SCARCE)
    grant = await granted(mine, *NAMES)

    async def task() -> None:
        with mine.using(grant):
            await mine.acquire(LOOK, 0.0, 60.0)  # a patient one
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await task()
    clock.advance(10 + 60 + SLACK + 9)
    assert not await free(other, "requests")
    clock.advance(1)
    assert await free(other, "requests")
    assert not await free(other, "campaigns")


async def test_a_permit_that_was_lent_is_replaced_if_there_is_one(
    journal: Journal, clock: FakeClock
) -> None:
    mine = permits(journal, clock, SCARCE)
    with mine.using(await granted(mine, *NAMES)):
        (await mine.acquire(LOOK, 0.0, 30.0)).done()
        clock.advance(10)
        permit = await mine.acquire(NAMES, 0.0, 30.0)
        clock.advance(1)
        permit.done()
    assert await mine.used() == {"campaigns": [(0.0, 1)], "requests": [(0.0, 1)]}


@pytest.mark.parametrize(
    ("error", "back"),
    [
        (None, True),
        (OutcomeUnknown("two of them"), True),
        (RateLimited("later"), True),
        (asyncio.CancelledError(), False),
    ],
)
async def test_what_the_task_did_not_need_goes_back(
    journal: Journal, clock: FakeClock, error: BaseException | None, back: bool
) -> None:
    mine = permits(journal, clock, SCARCE)
    try:
        with mine.using(await granted(mine, *NAMES)):
            (await mine.acquire(LOOK, 0.0, 30.0)).done()
            if error is not None:
                raise error
    except type(error or ValueError()):
        pass
    assert await free(mine, "campaigns") is back
    assert not await free(mine, "requests")


async def test_a_grant_for_many_requests_gives_each_what_it_has(
    journal: Journal, clock: FakeClock
) -> None:
    """A stage that may be repeated is taken with the permits that only its requests need."""
    mine = permits(journal, clock, SCARCE)
    with mine.using(await granted(mine, "campaigns")):
        (await mine.acquire(NAMES, 0.0, 30.0)).done()
        with pytest.raises(QuotaExhausted):
            await mine.acquire(LOOK, 0.0, 30.0)
    assert await mine.used() == {"campaigns": [(0.0, 1)], "requests": [(0.0, 1)]}


@pytest.mark.parametrize(
    ("error", "since"),
    [(None, 9.0), (Refused("no"), 9.0), (OutcomeUnknown("reset"), 42.0), (NotSent("dns"), None)],
)
async def test_recipients_count_from_the_end_of_the_task(
    journal: Journal, clock: FakeClock, error: Exception | None, since: float | None
) -> None:
    """Its first request may be for a token, and fall under the same quotas as its own."""
    quotas = {"requests": Quota(2, 60.0), "recipients": Quota(10, 60.0)}
    mine = permits(journal, clock, quotas)
    ledger, needs = mine.ledger, {"requests": 1, "recipients": 7}
    grant = await mine._store.write(
        lambda db: ledger.ask(db, needs, key=None, deadline=30.0, asked=0.0)
    )
    assert isinstance(grant, Grant)
    try:
        with mine.using(grant):
            (await mine.acquire(LOOK, 0.0, 30.0)).done()
            permit = await mine.acquire(LOOK, 0.0, 30.0)
            clock.advance(9)
            permit.done()
            if error is not None:
                raise error
    except type(error or ValueError()):
        pass
    assert (await mine.used())["recipients"] == ([] if since is None else [(since - 9, 7)])


async def test_a_patient_client_takes_one_permit_of_a_large_quota(
    journal: Journal, clock: FakeClock
) -> None:
    mine = permits(journal, clock, {"requests": Quota(5_000, 3_600.0)})
    with mine.using(await granted(mine, "requests")):
        permit = await mine.acquire(LOOK, 0.0, 100.0)
        assert sum(amount for _, amount in (await mine.used())["requests"]) == 1
        permit.done()
    assert sum(amount for _, amount in (await mine.used())["requests"]) == 1


@pytest.mark.parametrize(
    ("error", "counts"), [(None, 1), (NotSent("dns"), 0), (OutcomeUnknown("reset"), 1)]
)
async def test_permits_that_no_request_took(
    journal: Journal, clock: FakeClock, error: Exception | None, counts: int
) -> None:
    mine = permits(journal, clock, ONE)
    grant = await granted(mine, "requests")
    try:
        with mine.using(grant):
            if error is not None:
                raise error
    except type(error or ValueError()):
        pass
    assert await rows(journal, "permits") == counts


async def test_a_patient_client_has_a_later_deadline(journal: Journal, clock: FakeClock) -> None:
    mine = permits(journal, clock, ONE)
    grant = await granted(mine, "requests")
    with mine.using(grant):
        await mine.acquire(("requests",), 0.0, 100.0)
        clock.advance(10 + 100 + SLACK + 59)
        with pytest.raises(QuotaExhausted):
            await mine.acquire(("requests",), 0.0, 30.0)


class Service:
    """Answers at once, and counts the requests by the ends of their paths."""

    def __init__(self, *responses: Response) -> None:
        self.responses = list(responses)
        self.paths: list[str] = []

    async def send(self, request: Request, timeout: float) -> Response:  # noqa: ASYNC109
        self.paths.append(request.url.rpartition("/")[2])
        request.began = True
        if self.responses:
            return self.responses.pop(0)
        return TOKEN if self.paths[-1] == "access_token" else response(200, [])

    async def aclose(self) -> None:
        """There is nothing to close."""


def client(journal: Journal, clock: FakeClock, service: Service, *quotas: Quota) -> SendPulse:
    """The client of a process of its own."""
    found = SendPulse("id", "secret", transport=service, clock=clock, requests=quotas)
    return found.with_permits(journal.permits(found))


async def test_the_token_takes_its_permit_from_the_ledger(
    journal: Journal, clock: FakeClock
) -> None:
    service = Service()
    mine = client(journal, clock, service, Quota(2, 10.0))
    await mine.senders.list()
    assert service.paths == ["access_token", "senders"]
    with pytest.raises(QuotaExhausted):
        await (
            client(journal, clock, service, Quota(2, 10.0))
            .with_options(quota_wait=0)
            .senders.list()
        )
    assert len(service.paths) == 2


async def test_every_request_falls_under_the_caps_of_second_minute_and_hour(
    journal: Journal, clock: FakeClock
) -> None:
    caps: Sequence[Quota] = (Quota(2, 1.0), Quota(4, 60.0), Quota(6, 3_600.0))
    mine = client(journal, clock, Service(), *caps).with_options(quota_wait=inf)
    times: list[float] = []
    for _ in range(6):
        await mine.senders.list()
        times.append(clock.monotonic())
    assert times == [0, 1, 1, 60, 60, 3_600]  # with the token before the first, and as it expires


async def test_a_429_holds_for_everybody(journal: Journal, clock: FakeClock) -> None:
    refusal = response(
        429, {"message": "Too many requests", "error_code": 429}, {"Retry-After": "20"}
    )
    mine, other = (
        client(journal, clock, Service(TOKEN, refusal), Quota(100, 1.0)) for _ in range(2)
    )
    with pytest.raises(RateLimited):
        await mine.with_options(attempts=1).senders.list()
    with pytest.raises(QuotaExhausted) as told:
        await other.with_options(quota_wait=19).senders.list()
    assert told.value.available_at is not None
    assert told.value.available_at.timestamp() == clock.now() + 20
