"""Events wait for their batch, come late or twice, and again where nobody took them."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from aiohttp import ClientSession

from mailkit.sandbox import Outbox, Posting, Sandbox, WebhookPost

from .conftest import Hook, JsonApi, until
from .test_devino import MESSAGES, order

URL = "http://shop.by/hook"


class Customer:
    """Empties an outbox as time goes by; `takes` says which post is taken."""

    def __init__(self, posting: Posting) -> None:
        self.posting, self.outbox, self.rng = posting, Outbox(), Random(1)
        self.takes: Callable[[WebhookPost], bool] = lambda post: True
        self.got: list[tuple[float, list[Any]]] = []

    def put(self, at: float, *numbers: int) -> None:
        for number in numbers:
            self.outbox.put(at, {"n": number}, self.posting, self.rng)

    def post(self, now: float, *, early: bool = False) -> None:
        for post in self.outbox.posts(URL, now, self.posting, self.rng, early=early):
            is_taken = self.takes(post)
            post.ended(post, now, is_taken=is_taken)
            if is_taken:
                assert isinstance(post.value, list)
                self.got.append((now, [row["n"] for row in post.value]))

    def drain(self) -> None:
        """Let time pass until nothing is due any more."""
        while (due := self.outbox.due(self.posting)) is not None:
            self.post(due)

    @property
    def numbers(self) -> list[int]:
        return [number for _, batch in self.got for number in batch]


def test_a_full_batch_goes_at_once_and_the_rest_waits() -> None:
    customer = Customer(Posting(batch=2, every=60))
    customer.put(100, 1, 2, 3)
    assert customer.outbox.due(customer.posting) == 100
    customer.post(100)
    assert customer.outbox.due(customer.posting) == 160
    customer.post(159)
    customer.post(160)
    assert customer.got == [(100, [1, 2]), (160, [3])]
    assert customer.outbox.due(customer.posting) is None


def test_an_early_post_waits_for_nobody() -> None:
    customer = Customer(Posting(batch=2, every=60))
    customer.put(100, 1, 2, 3)
    customer.post(100, early=True)
    assert customer.got == [(100, [1, 2]), (100, [3])]


def test_some_events_come_twice_and_some_late() -> None:
    customer = Customer(Posting(batch=10, repeated=0.2, late=0.3, late_by=100))
    customer.put(0, *range(1000))
    assert customer.outbox.waiting > 1000
    customer.drain()
    counted = Counter(customer.numbers)
    assert set(counted) == set(range(1000))
    assert 150 < sum(count == 2 for count in counted.values()) < 250
    assert max(counted.values()) == 2
    in_time = {number for at, batch in customer.got if at == 0 for number in batch}
    assert 650 < len(in_time) < 800
    assert 90 < customer.got[-1][0] <= 100
    assert customer.outbox.waiting == 0


def test_events_come_in_any_order() -> None:
    customer = Customer(Posting(batch=10, shuffled=True))
    customer.put(0, *range(100))
    customer.drain()
    assert customer.numbers != sorted(customer.numbers)
    assert sorted(customer.numbers) == list(range(100))
    assert [len(batch) for _, batch in customer.got] == [10] * 10


def test_a_post_that_nobody_took_is_made_again_after_each_wait() -> None:
    customer = Customer(Posting(batch=2, retries=(10, 60)))
    customer.takes = lambda post: post.attempt == 3
    customer.put(0, 1, 2)
    customer.drain()
    assert customer.got == [(70, [1, 2])]
    assert (customer.outbox.waiting, customer.outbox.lost) == (0, 0)


@pytest.mark.parametrize("retries", [(), (10.0,)])
def test_after_the_last_wait_a_post_is_lost(retries: tuple[float, ...]) -> None:
    customer = Customer(Posting(batch=2, retries=retries))
    customer.takes = lambda post: False
    customer.put(0, 1, 2, 3)
    customer.drain()
    assert customer.got == []
    assert (customer.outbox.waiting, customer.outbox.lost) == (0, 3)


def test_what_waits_is_counted_until_it_is_taken() -> None:
    customer = Customer(Posting(retries=(10,)))
    customer.put(0, 1, 2)
    assert customer.outbox.waiting == 2
    [post] = customer.outbox.posts(URL, 0, customer.posting, customer.rng, early=False)
    assert customer.outbox.waiting == 2
    post.ended(post, 0, is_taken=False)
    assert customer.outbox.waiting == 2
    customer.drain()
    assert customer.outbox.waiting == 0


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_a_service_posts_again_what_got_no_2xx(
    status: int, devino: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    settings = sandbox.devino.settings
    settings.callback_url, settings.posting.retries = hook.url, (30, 300)
    hook.refusals = [status, status]
    await devino("POST", MESSAGES, order())
    await sandbox.deliver()
    assert sandbox.scheduler.backlog == (1, 0)
    sandbox.clock.advance(0.5)
    assert await sandbox.deliver() == 0
    sandbox.clock.advance(30)
    await sandbox.deliver()
    sandbox.clock.advance(300)
    await sandbox.deliver()
    posts = [one for one in sandbox.scheduler.deliveries if "ACCEPTED" in str(one.value)]
    assert [(one.attempt, one.status) for one in posts] == [(1, status), (2, status), (3, 200)]
    assert posts[0].value == posts[2].value
    assert sandbox.scheduler.backlog == (0, 0)


async def test_a_post_without_a_response_is_made_again(
    devino: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    settings = sandbox.devino.settings
    settings.callback_url, settings.posting.retries = "http://127.0.0.1:1/nobody", (30,)
    await devino("POST", MESSAGES, order())
    await sandbox.deliver()
    assert sandbox.scheduler.deliveries[-1].status is None
    settings.callback_url = hook.url
    sandbox.clock.advance(0.5)
    await sandbox.deliver()
    assert hook.events == []
    sandbox.clock.advance(30)
    await sandbox.deliver()
    assert "ACCEPTED" in [row["status"] for row in hook.events]


async def test_posts_are_made_again_by_themselves_while_time_runs(hook: Hook) -> None:
    async with Sandbox(speed=100_000) as fast, ClientSession() as session:
        settings = fast.devino.settings
        settings.callback_url, settings.posting.retries = hook.url, (60, 60)
        hook.refusals = [503, 503]
        api = JsonApi(session, fast.url, f"Key {settings.api_key}")
        await api("POST", MESSAGES, order("opens@b.by"))
        await until(lambda: len(hook.events) == 4)
        assert fast.scheduler.backlog.lost == 0


async def test_a_test_takes_the_posts_itself(devino: JsonApi, sandbox: Sandbox, hook: Hook) -> None:
    sandbox.devino.settings.callback_url = hook.url
    sandbox.hold_posts()
    await devino("POST", MESSAGES, order())
    sandbox.clock.advance(60)
    posts = sandbox.take_posts()
    assert {post.url for post in posts} == {hook.url}
    assert "DELIVERED" in str([post.value for post in posts])
    assert sandbox.take_posts() == []
    assert sandbox.scheduler.backlog == (0, 0)
    assert not hook.posts
