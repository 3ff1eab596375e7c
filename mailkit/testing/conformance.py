"""What every provider's part in a bulk send must do, as checks that its author runs with pytest.

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    async def test_the_bulk_send_conforms(check: Check) -> None:
        async with Server() as server:
            connect = lambda options: Shopmail("token", server.url, **options)
            await check(Bench(connect, lambda: server.mailed, server.advance))

Each check sends to a few people through a BulkSender, in made-up time, over the client's own
connections. Between client and connections stands a wire that loses requests and responses, holds
requests up, shows a gateway's pages, and kills the run, at each stage. Whom the service has really
mailed is compared with the report.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count, pairwise
from typing import Any

import attrs

from mailkit.bulk.job import Job
from mailkit.bulk.journal import InlineExecutor, Journal
from mailkit.bulk.report import Report
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.core.dispatch import Dispatch, Provider, Scope, check_stages
from mailkit.core.message_parts import MessagePart
from mailkit.core.options import ClientOptions
from mailkit.core.quota import Quota
from mailkit.errors import Unsupported
from mailkit.message import Message
from mailkit.testing.clock import FakeClock
from mailkit.testing.watched import WatchedProvider
from mailkit.testing.wire import POLL, SETTLE, Killed, Strike, Trouble, Violation, Wire

__all__ = ["CHECKS", "Bench", "Check", "Connect", "Violation"]

MESSAGE = Message("Shop <news@shop.example>", "Autumn", html="<p>Hello {{ name }}</p>")
NAME = 'Жанна <&"\\[%{ ' * 5
MOST_ROWS = 20  # of a chunk: the checks make some hundred of them
OUTLASTS_A_CLIENT = 4  # requests: a client tries three times
_FEW = EngineSettings(concurrency=3)  # requests at once: there are two chunks and a half
_SCARCE = Quota(1, 10.0)
_LONG = 4 * 3600.0  # seconds for a few requests, one every ten seconds
_numbers = count()


Connect = Callable[[ClientOptions], AbstractAsyncContextManager[Provider]]
"""Makes a client of the one account, anew for each run; its limits are a few rows."""


@attrs.frozen
class Bench:
    """A provider, and what the checks need to know of it.

    ``connect`` creates its client, ``mailed`` says how often the service has mailed whom since it
    was started, ``advance`` lets time pass there. ``message`` has only the placeholder
    ``{{ name }}``. ``refuses`` is an address that the service refuses; ``forgets`` is one that it
    takes and never mails, which requires stages that are otherwise optional. ``takes`` names the
    message parts that it sends and that not every service supports.
    """

    connect: Connect
    mailed: Callable[[], Mapping[str, int]]
    advance: Callable[[float], object] = lambda seconds: None
    message: Message = MESSAGE
    refuses: str | None = None
    forgets: str | None = None
    takes: Collection[MessagePart] = ()


Check = Callable[[Bench], Awaitable[None]]


@attrs.frozen
class _End:
    """A job after all its runs: each address's state, and how often it was mailed."""

    report: Report
    states: Mapping[str, str]
    mailed: Mapping[str, int]

    def of(self, state: str) -> list[str]:
        return [address for address, its in self.states.items() if its == state]


@attrs.define
class _World:
    """A bench with a clock and a journal, in which one job is sent."""

    bench: Bench
    journal: Journal
    clock: FakeClock
    story: str = "nothing goes wrong"
    options: ClientOptions = attrs.field(factory=ClientOptions)
    times: list[float] = attrs.field(factory=list[float])

    async def send(self, people: Sequence[str], strikes: Sequence[Strike] = ()) -> _End:
        """Send to these people while all that strikes, and again with `resume`."""
        before = Counter(self.bench.mailed())
        async with self._sender(strikes) as (sender, wire):
            job = await self._start(sender, people)
            try:
                stopped = (await self._end(job)).stopped
            except Killed:
                stopped = None
        self._must(stopped is None, f"one request has stopped the job: {stopped}")
        end = await self._resume(before)
        self._must(wire.struck, "it never came to that: no request went over the wire")
        return end

    async def share(self, people: Sequence[str]) -> _End:
        """Send to these people by two runs at the same time."""
        before = Counter(self.bench.mailed())
        async with self._sender() as (first, _), self._sender() as (second, _):
            job = await self._start(first, people)
            other = await second.resume("autumn")
            await job.wait()
            await other.wait()
        return await self._resume(before)

    async def _end(self, job: Job) -> Report:
        """The job's report, which must not keep anybody waiting for ever where requests are few."""
        if "requests" not in self.options:
            return await job.wait()
        ended = asyncio.ensure_future(job.wait())
        too_long = asyncio.ensure_future(self.clock.sleep(_LONG))
        await asyncio.wait([ended, too_long], return_when=asyncio.FIRST_COMPLETED)
        too_long.cancel()
        self._must(ended.done(), f"the job does not end within {_LONG / 3600:.0f} hours")
        return ended.result()

    async def _start(self, sender: BulkSender, people: Sequence[str]) -> Job:
        rows = read_recipients([(address, {"name": NAME}) for address in people])
        return await sender.start(self.bench.message, rows, name="autumn")

    async def _resume(self, before: Counter[str]) -> _End:
        async with self._sender() as (sender, _):  # sends nothing a second time
            report = await (await sender.resume("autumn")).wait()
        mailed = Counter(self.bench.mailed()) - before
        end = _End(report, await self._states(), mailed)
        self._compare(end)
        return end

    def _compare(self, end: _End) -> None:
        """What must hold whatever happened."""
        counts = end.report.counts
        self._must(counts.accounted == counts.read, f"the report does not add up: {counts}")
        twice = [address for address, times in end.mailed.items() if times > 1]
        self._must(not twice, f"mailed twice: {twice}")
        strangers = end.mailed.keys() - end.states.keys()
        self._must(not strangers, f"mailed, and not in the list: {strangers}")
        for address, state in end.states.items():
            mailed = end.mailed.get(address, 0)
            known = {"accepted": mailed == 1, "in doubt": True}.get(state, mailed == 0)
            self._must(known, f"{address} is {state}, and was mailed {mailed} times")
        self._must(not counts.unsent, f"{counts.unsent} left unsent: {end.report.stopped}")

    def _must(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise Violation(f"{self.story}: {otherwise}")

    def all_accepted(self, end: _End) -> None:
        """Nobody may be left out whom the service does not forget."""
        forgotten = {self.bench.forgets: "rejected"}.items()
        others = {
            address: its
            for address, its in end.states.items()
            if its != "accepted" and (address, its) not in forgotten
        }
        self._must(not others, f"not accepted: {others}")

    @asynccontextmanager
    async def _sender(
        self, strikes: Sequence[Strike] = ()
    ) -> AsyncIterator[tuple[BulkSender, Wire]]:
        clock, wire = self.clock, Wire(self.clock, strikes, self.times)
        options: ClientOptions = {"clock": clock, "transport": wire, **self.options}
        async with self.bench.connect(options) as client:
            provider = WatchedProvider(client, clock)
            async with BulkSender(
                provider, journal=self.journal, settings=_FEW, clock=clock
            ) as sender:
                yield sender, wire

    async def _states(self) -> dict[str, str]:
        record = await self.journal.jobs.get("autumn")
        rows = self.journal.reports.rows(record)
        return {row.address: row.state async for batch in rows for row in batch}


@asynccontextmanager
async def _world(bench: Bench, story: str = "nothing goes wrong") -> AsyncIterator[_World]:
    journal = await Journal.open(":memory:", executor=InlineExecutor)
    try:
        yield _World(bench, journal, FakeClock(moved=bench.advance), story)
    finally:
        await journal.close()


async def _dispatch(bench: Bench) -> Dispatch:
    async with bench.connect({}) as client:
        return client.dispatch(bench.message, ["name"])


def _people(dispatch: Dispatch) -> list[str]:
    """People whom nobody has mailed yet, for two chunks and a half."""
    rows = dispatch.limits.rows
    if not 2 <= rows <= MOST_ROWS:
        raise Violation(f"connect a client that takes 2 to {MOST_ROWS} rows a chunk, not {rows}")
    return [f"p{next(_numbers)}@example.com" for _ in range(rows * 5 // 2)]


async def stages_are_sound(bench: Bench) -> None:
    """Each has a name of its own; the last one, and no other, sends; parts have their limit."""
    dispatch = await _dispatch(bench)
    try:
        check_stages(dispatch.stages)
    except ValueError as error:
        raise Violation(str(error)) from None
    limits = dispatch.limits
    if limits.base >= limits.size:
        raise Violation(f"limits: {limits.base} bytes of {limits.size} are there without a row")
    for stage in dispatch.stages:
        if stage.name in (POLL, SETTLE):
            raise Violation(f"stage {stage.name}: give it another name")
        if stage.scope is Scope.PART and not limits.part_rows:
            raise Violation(f"stage {stage.name}: say in limits.part_rows how large a part may be")


async def what_it_does_not_take_is_refused_by_name(bench: Bench) -> None:
    """reply_to, headers and a second body are Unsupported, unless the service takes them."""
    parts: dict[MessagePart, dict[str, Any]] = {
        "reply_to": {"reply_to": "Anna <anna@shop.example>"},
        "headers": {"headers": {"List-Unsubscribe": "<https://shop.example>"}},
        "both bodies": {"html": "<p>Hello {{ name }}</p>", "text": "Hello {{ name }}"},
    }
    async with bench.connect({}) as client:
        for part, change in parts.items():
            if part in bench.takes:
                continue
            try:
                client.dispatch(attrs.evolve(bench.message, **change), ["name"])
            except Unsupported as error:
                if not all(word in str(error) for word in change):
                    raise Violation(f"{part} is refused, but not by its name: {error}") from None
            else:
                raise Violation(f"{part}: it is neither refused nor one of Bench.takes")


async def everybody_is_mailed_once(bench: Bench) -> None:
    """Two chunks and a half arrive, are accepted, and are found in the status lists."""
    async with _world(bench) as world:
        end = await world.send(_people(await _dispatch(bench)))
        world.all_accepted(end)
        if end.report.unreconciled:
            raise Violation(f"{end.report.unreconciled} rows were not found by polls")


async def a_refused_row_costs_nobody_else(bench: Bench) -> None:
    """Whoever is refused is rejected, with the service's words; all others are accepted."""
    if bench.refuses is None:
        return
    people = _people(await _dispatch(bench))
    async with _world(bench, f"the service refuses {bench.refuses}") as world:
        end = await world.send([people[0], bench.refuses, *people[1:]])
        if end.of("rejected") != [bench.refuses] or end.of("accepted") != people:
            raise Violation(f"{world.story}: {end.states}")


async def what_was_not_sent_is_sent_later(bench: Bench) -> None:
    """A request that certainly did nothing costs nobody anything, at any stage."""
    await _at_each_stage(bench, Trouble.NOT_CONNECTED, Trouble.TURNED_AWAY)


async def an_unknown_outcome_mails_nobody_twice(bench: Bench) -> None:
    """A repeatable stage is repeated; what is not is settled, or in doubt and never sent again."""
    await _at_each_stage(bench, Trouble.REQUEST_LOST, Trouble.RESPONSE_LOST)


async def a_request_held_up_in_the_network_mails_nobody_twice(bench: Bench) -> None:
    """It arrives after it was given up: what is not there yet may still come."""
    dispatch = await _dispatch(bench)
    last = dispatch.stages[-1]
    async with _world(bench, f"stage {last.name}, {Trouble.HELD_UP.words}") as world:
        end = await world.send(_people(dispatch), [Strike(Trouble.HELD_UP, last.name)])
        if last.settles:
            world.all_accepted(end)


async def a_page_of_a_gateway_is_no_answer(bench: Bench) -> None:
    """Whatever its status, it is neither the service's yes nor its no."""
    await _at_each_stage(bench, Trouble.BAD_GATEWAY, Trouble.STRANGE_PAGE)


async def a_killed_run_is_resumed(bench: Bench) -> None:
    """Killed at any stage, before or after the service acted: nobody twice, nobody lost."""
    await _at_each_stage(bench, Trouble.KILLED_BEFORE, Trouble.KILLED_AFTER)


async def _at_each_stage(bench: Bench, *troubles: Trouble) -> None:
    dispatch = await _dispatch(bench)
    for stage in reversed(dispatch.stages):  # the one that sends first: most goes wrong there
        for trouble in troubles:
            times = OUTLASTS_A_CLIENT if stage.repeatable and not trouble.kills else 1
            people = _people(dispatch)
            if stage.optional:
                if bench.forgets is None:
                    continue
                people.append(bench.forgets)
            async with _world(bench, f"stage {stage.name}, {trouble.words}") as world:
                end = await world.send(people, [Strike(trouble, stage.name, times)])
                if stage.repeatable or stage.settles or trouble.known:
                    world.all_accepted(end)
                elif not end.of("in doubt"):
                    raise Violation(f"{world.story}: nobody is in doubt")


async def two_runs_share_a_job(bench: Bench) -> None:
    """Two processes may send one job: each chunk and part is the work of one of them."""
    async with _world(bench, "two runs at the same time") as world:
        world.all_accepted(await world.share(_people(await _dispatch(bench))))


async def one_request_at_a_time_is_enough(bench: Bench) -> None:
    """Under the account's own quota of one request in ten seconds a job comes to its end, also
    where the first request to send is turned away, and no request comes earlier.
    """
    dispatch = await _dispatch(bench)
    last = dispatch.stages[-1].name
    async with _world(bench, f"a quota of {_SCARCE}") as world:
        world.options = {"requests": _SCARCE}
        end = await world.send(_people(dispatch), [Strike(Trouble.TURNED_AWAY, last)])
        world.all_accepted(end)
        early = [after - at for at, after in pairwise(world.times) if after - at < 9.999]
        if early:
            raise Violation(f"{world.story}: the next request came after {early[0]:.0f} seconds")


async def lost_questions_are_asked_again(bench: Bench) -> None:
    """Polls, and the settling of what is in doubt, are safe to repeat."""
    dispatch = await _dispatch(bench)
    async with bench.connect({}) as client:
        can_poll = client.can_poll
    last = dispatch.stages[-1]
    for trouble in (Trouble.RESPONSE_LOST, Trouble.STRANGE_PAGE):
        if can_poll:
            async with _world(bench, f"poll, {trouble.words}") as world:
                strikes = [Strike(trouble, POLL, OUTLASTS_A_CLIENT)]
                world.all_accepted(await world.send(_people(dispatch), strikes))
        if last.settles:
            async with _world(bench, f"settle, {trouble.words}") as world:
                doubt = Strike(Trouble.RESPONSE_LOST, last.name)
                strikes = [doubt, Strike(trouble, SETTLE, OUTLASTS_A_CLIENT)]
                world.all_accepted(await world.send(_people(dispatch), strikes))


CHECKS: Sequence[Check] = (
    stages_are_sound,
    what_it_does_not_take_is_refused_by_name,
    everybody_is_mailed_once,
    a_refused_row_costs_nobody_else,
    what_was_not_sent_is_sent_later,
    an_unknown_outcome_mails_nobody_twice,
    a_request_held_up_in_the_network_mails_nobody_twice,
    a_page_of_a_gateway_is_no_answer,
    a_killed_run_is_resumed,
    two_runs_share_a_job,
    one_request_at_a_time_is_enough,
    lost_questions_are_asked_again,
)
