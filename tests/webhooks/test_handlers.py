"""Handlers are called after the response, at least once, and never in each other's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from random import Random

import pytest

from mailkit.bulk.journal import Journal
from mailkit.bulk.journal.calls import HandlerCalls
from mailkit.errors import InvalidArgument, JournalError
from mailkit.events import (
    DeliveryEvent,
    DeliveryStatus,
    SubscriptionEvent,
    UnknownEvent,
    WebhookEvent,
)
from mailkit.testing import FakeClock
from mailkit.webhooks import WebhookReceiver
from mailkit.webhooks.calling import retry_in

from ..approval import approve
from .posting import ADDRESS, SECRET, body, callback, post


class Heard:
    """A handler that keeps what it is called with, and fails at first for some calls."""

    def __init__(self, failures: int = 0) -> None:
        self.events: list[str] = []
        self.failures = failures
        self.tries = 0
        self._more = asyncio.Event()

    async def __call__(self, event: WebhookEvent) -> None:
        self.tries += 1
        self._more.set()
        if self.tries <= self.failures:
            raise ValueError(f"{event.address} is not known here")
        self.events.append(event.name)

    async def until(self, count: int, *, tries: bool = False) -> None:
        """Wait for so many calls that did not fail, or for so many at all."""
        while (self.tries if tries else len(self.events)) < count:
            self._more.clear()
            await self._more.wait()


async def nothing_left(journal: Journal) -> None:
    """Wait until no call is to be made any more."""
    while await journal.handler_calls.waiting():  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0)


async def test_a_handler_gets_the_events_of_its_types_and_statuses(
    receiver: WebhookReceiver, journal: Journal
) -> None:
    every, deliveries, left, odd = Heard(), Heard(), Heard(), Heard()
    receiver.on(WebhookEvent, name="every")(every)
    receiver.on(DeliveryEvent, name="deliveries")(deliveries)
    receiver.on(DeliveryStatus.UNSUBSCRIBED, DeliveryStatus.COMPLAINED, name="left")(left)
    receiver.on(SubscriptionEvent, UnknownEvent, name="odd")(odd)
    names = ["SENT", "UNSUBSCRIBED", "COMPLAINED", "SUBSCRIBED", "NEWS"]
    async with receiver:
        await post(receiver, body(*(callback(n, name) for n, name in enumerate(names))))
        await every.until(5)
        await nothing_left(journal)
    assert sorted(every.events) == sorted(names)
    assert sorted(deliveries.events) == ["COMPLAINED", "SENT", "UNSUBSCRIBED"]
    assert sorted(left.events) == ["COMPLAINED", "UNSUBSCRIBED"]
    assert sorted(odd.events) == ["NEWS", "SUBSCRIBED"]


async def test_a_repeat_calls_nobody(receiver: WebhookReceiver, journal: Journal) -> None:
    heard = Heard()
    receiver.on(DeliveryEvent, name="heard")(heard)
    async with receiver:
        for _ in range(3):
            await post(receiver)
        await heard.until(1)
        await nothing_left(journal)
    assert heard.tries == 1


async def test_the_event_is_as_it_was(receiver: WebhookReceiver, journal: Journal) -> None:
    events: list[DeliveryEvent] = []

    @receiver.on(DeliveryStatus.HARD_BOUNCE)
    async def bounced(event: DeliveryEvent) -> None:
        events.append(event)

    item = callback(7, "BOUNCED", news={"a": [1]})
    async with receiver:
        await post(receiver, body(item))
        await nothing_left(journal)
    (event,) = events
    assert (event.provider, event.name, event.address) == ("devino", "BOUNCED", ADDRESS)
    assert (event.status, event.message_id) == (DeliveryStatus.HARD_BOUNCE, "m-7")
    assert event.raw == item


async def test_a_failure_is_tried_again_later_and_later(
    receiver: WebhookReceiver, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard(failures=3)
    receiver.on(DeliveryEvent, name="heard")(heard)
    began = clock.now()
    async with receiver:
        answer = await post(receiver)
        assert (answer.status, heard.tries) == (200, 0)
        await heard.until(1)
    assert heard.tries == 4
    assert 70 * 0.8 <= clock.now() - began <= 70 * 1.2
    failures = [record.getMessage() for record in caplog.records]
    assert len(failures) == 3
    assert "ValueError at " in failures[0]
    assert __file__ in failures[0]
    assert ADDRESS not in caplog.text


async def test_a_failing_handler_is_in_nobody_elses_way(
    receiver: WebhookReceiver, clock: FakeClock, journal: Journal
) -> None:
    clock.autojump = False
    bad, good = Heard(failures=10**6), Heard()
    receiver.on(DeliveryEvent, name="bad")(bad)
    receiver.on(DeliveryEvent, name="good")(good)
    async with receiver:
        assert (await post(receiver, body(*map(callback, range(50))))).status == 200
        await good.until(50)
        await bad.until(50, tries=True)
        assert (await post(receiver, body(callback(99)))).status == 200
        await good.until(51)
    assert await journal.handler_calls.waiting() == {"bad": 51}


async def test_so_many_calls_at_once_and_no_more(journal: Journal, clock: FakeClock) -> None:
    clock.autojump = False
    receiver = WebhookReceiver(journal, secret=SECRET, clock=clock, concurrency=3)
    running, most, go = 0, 0, asyncio.Event()

    @receiver.on(DeliveryEvent, name="slow")
    async def slow(event: DeliveryEvent) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await go.wait()
        running -= 1

    quick = Heard()
    receiver.on(DeliveryEvent, name="quick")(quick)
    async with receiver:
        await post(receiver, body(*map(callback, range(20))))
        await quick.until(20)
        assert running == 3
        go.set()
        await nothing_left(journal)
    assert most == 3


async def test_a_call_that_takes_too_long_has_failed(
    journal: Journal, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = WebhookReceiver(journal, secret=SECRET, clock=clock, handler_timeout=0)
    tries = 0

    @receiver.on(DeliveryEvent, name="hangs")
    async def hangs(event: DeliveryEvent) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            await asyncio.Event().wait()

    async with receiver:
        await post(receiver)
        await nothing_left(journal)
    assert (tries, caplog.text.count("TimeoutError")) == (3, 2)


async def test_a_call_that_cancels_itself_has_failed(
    receiver: WebhookReceiver, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    @receiver.on(DeliveryEvent, name="gives up")
    async def gives_up(event: DeliveryEvent) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError

    async with receiver:
        await post(receiver)
        await nothing_left(journal)
    assert (tries, "it was cancelled" in caplog.text) == (2, True)


async def test_what_is_left_is_called_by_the_next_process(
    journal: Journal, clock: FakeClock
) -> None:
    heard = Heard(failures=1)

    @asynccontextmanager
    async def process() -> AsyncIterator[WebhookReceiver]:
        receiver = WebhookReceiver(journal, secret=SECRET, clock=clock)
        receiver.on(DeliveryEvent, name="heard")(heard)
        async with receiver:
            yield receiver

    clock.autojump = False
    async with process() as receiver:
        await post(receiver)
        await heard.until(1, tries=True)
    assert heard.events == []
    clock.autojump = True
    async with process():
        await heard.until(1)
        await nothing_left(journal)
    assert heard.events == ["DELIVERED"]


async def test_what_was_cut_off_by_a_kill_is_called_again(
    journal: Journal, clock: FakeClock
) -> None:
    """The process that claimed it never says how it ended."""
    first = WebhookReceiver(journal, secret=SECRET, clock=clock)
    first.on(DeliveryEvent, name="heard")(Heard())
    heard = Heard()
    second = WebhookReceiver(journal, secret=SECRET, clock=clock)
    second.on(DeliveryEvent, name="heard")(heard)
    await journal.events.record(
        first._parsers["devino"](body()), now=clock.now(), handlers=lambda event: ["heard"]
    )
    began = clock.now()
    assert await journal.handler_calls.claim(["heard"], now=began, lease=120)
    async with second:
        await heard.until(1)
    assert clock.now() - began == pytest.approx(120)


async def test_the_end_waits_for_a_call_under_way(
    receiver: WebhookReceiver, journal: Journal
) -> None:
    began, go, ended = asyncio.Event(), asyncio.Event(), False

    @receiver.on(DeliveryEvent, name="under way")
    async def under_way(event: DeliveryEvent) -> None:
        nonlocal ended
        began.set()
        await go.wait()
        ended = True

    await receiver.open()
    await post(receiver)
    await began.wait()
    closing = asyncio.create_task(receiver.aclose())
    await asyncio.sleep(0)
    go.set()
    await closing
    assert ended
    assert not await journal.handler_calls.waiting()


async def test_what_was_posted_last_is_called_before_the_end(
    receiver: WebhookReceiver, journal: Journal
) -> None:
    """More events than calls run at once."""
    heard = Heard()
    receiver.on(DeliveryEvent, name="heard")(heard)
    async with receiver:
        await post(receiver, body(*map(callback, range(50))))
    assert len(heard.events) == 50
    assert not await journal.handler_calls.waiting()


async def test_the_end_sees_what_is_posted_while_the_journal_is_asked(
    receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is due when it is asked, and something is when it answers."""
    heard = Heard()
    receiver.on(DeliveryEvent, name="heard")(heard)
    next_due, asked, answered = HandlerCalls.next_due, asyncio.Event(), asyncio.Event()

    async def slow(calls: HandlerCalls, handlers: Collection[str]) -> float | None:
        due = await next_due(calls, handlers)
        asked.set()
        await answered.wait()
        return due

    monkeypatch.setattr(HandlerCalls, "next_due", slow)
    await receiver.open()
    await asked.wait()
    await post(receiver)
    closing = asyncio.create_task(receiver.aclose())
    await asyncio.sleep(0)
    answered.set()
    await closing
    assert heard.tries == 1


async def test_the_end_does_not_wait_for_what_failed(
    receiver: WebhookReceiver, journal: Journal
) -> None:
    receiver.on(DeliveryEvent, name="heard")(Heard(failures=10**6))
    async with receiver:
        await post(receiver)
    assert await journal.handler_calls.waiting() == {"heard": 1}


async def test_the_end_does_not_wait_for_ever(
    receiver: WebhookReceiver, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailkit.webhooks.calling._GRACE", 0)
    began = asyncio.Event()

    @receiver.on(DeliveryEvent, name="hangs")
    async def hangs(event: DeliveryEvent) -> None:
        began.set()
        await asyncio.Event().wait()

    async with receiver:
        await post(receiver)
        await began.wait()
    assert await journal.handler_calls.waiting() == {"hangs": 1}


async def test_a_handler_that_the_program_has_no_more(
    journal: Journal, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    old = WebhookReceiver(journal, secret=SECRET, clock=clock)
    old.on(DeliveryEvent, name="shop.old")(Heard(failures=10**6))
    clock.autojump = False
    async with old:
        await post(old, body(callback(1), callback(2)))
    caplog.clear()
    new, heard = WebhookReceiver(journal, secret=SECRET, clock=clock), Heard()
    new.on(DeliveryEvent, name="shop.new")(heard)
    async with new:
        await post(new, body(callback(3)))
        await heard.until(1)
    approve(
        "a handler that is no more", "\n".join(record.getMessage() for record in caplog.records)
    )
    assert await journal.handler_calls.waiting() == {"shop.old": 2}
    caplog.clear()
    async with WebhookReceiver(journal, secret=SECRET, clock=clock):
        assert not caplog.records


async def test_a_journal_that_can_not_be_written_for_a_while(
    receiver: WebhookReceiver,
    journal: Journal,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    claim, done, failures = journal.handler_calls.claim, journal.handler_calls.done, [1, 1]

    async def full(*given: object, **more: object) -> None:
        failures.pop()
        raise JournalError("the disk is full")

    async def claims(*given: object, **more: object) -> object:
        if len(failures) == 2:
            await full()
        return await claim(*given, **more)  # type: ignore[arg-type]

    async def ends(*given: object) -> None:
        if failures:
            await full()
        await done(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(journal.handler_calls, "claim", claims)
    monkeypatch.setattr(journal.handler_calls, "done", ends)
    heard = Heard()
    receiver.on(DeliveryEvent, name="heard")(heard)
    async with receiver:
        await post(receiver)
        await nothing_left(journal)
    assert heard.tries == 2
    assert caplog.text.count("the disk is full") == 2


async def test_an_event_that_can_not_be_read_any_more(
    receiver: WebhookReceiver, journal: Journal, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.autojump = False
    heard = Heard()
    receiver.on(DeliveryEvent, name="heard")(heard)
    for event in receiver._parsers["devino"](body()):
        await journal.events.record([event], now=clock.now(), handlers=lambda event: ["heard"])
    del receiver._parsers["devino"]  # type: ignore[attr-defined] # it was uninstalled
    async with receiver:
        while "KeyError" not in caplog.text:  # noqa: ASYNC110 - a log tells nobody
            await asyncio.sleep(0)
    assert (heard.tries, await journal.handler_calls.waiting()) == (0, {"heard": 1})


def test_the_waits_between_tries() -> None:
    random = Random(1)
    for tries, seconds in [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (10**6, 3600)]:
        waits = [retry_in(tries, random) for _ in range(50)]
        assert 0.8 * seconds <= min(waits) < max(waits) <= 1.2 * seconds


async def handler(event: object) -> None:
    raise NotImplementedError


def not_async(event: object) -> None:
    raise NotImplementedError


def test_names_of_handlers(receiver: WebhookReceiver) -> None:
    receiver.on(DeliveryEvent)(handler)
    receiver.on(DeliveryEvent, name="other")(handler)
    assert [one.name for one in receiver._handlers] == [f"{__name__}.handler", "other"]
    with pytest.raises(InvalidArgument) as caught:
        receiver.on(SubscriptionEvent)(handler)
    approve("handler: a name twice", str(caught.value), module=__name__)


@pytest.mark.parametrize(
    ("name", "kinds", "function"),
    [
        ("not async", [DeliveryEvent], not_async),
        ("a class", [DeliveryEvent], Random),
        ("without a name", [DeliveryEvent], Heard()),
        ("another type", [str], handler),
        ("another value", ["UNSUBSCRIBED"], handler),
        ("no type", [], handler),
    ],
)
def test_a_handler_that_is_refused(
    receiver: WebhookReceiver, name: str, kinds: list[object], function: object
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        receiver.on(*kinds)(function)  # type: ignore[call-overload]
    approve(f"handler: {name}", str(caught.value))


async def test_a_handler_that_comes_too_late(receiver: WebhookReceiver) -> None:
    async with receiver:
        with pytest.raises(InvalidArgument) as caught:
            receiver.on(DeliveryEvent)(handler)
    approve("handler: too late", str(caught.value))
