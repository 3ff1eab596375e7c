"""SendPulse's part in a bulk send, stage by stage, against the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from mailkit.attachment import Attachment
from mailkit.bulk.policy import Answers, Next, next_step
from mailkit.core.quota import LocalPermits
from mailkit.errors import (
    AccountRefused,
    InvalidArgument,
    NotSent,
    OutcomeUnknown,
    QuotaExhausted,
    Refused,
    RequestError,
    Unavailable,
    Unsupported,
)
from mailkit.message import Message
from mailkit.provider import (
    Dispatch,
    Done,
    InvalidRow,
    NotTaken,
    Permit,
    Recut,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
)
from mailkit.providers.sendpulse import (
    BalanceDetails,
    ChunkLimits,
    Contact,
    ContactStatus,
    EmailTariff,
    Money,
    SendPulse,
)
from mailkit.providers.sendpulse.chunk_list import ChunkList, compare, shortfall
from mailkit.providers.sendpulse.dispatch import AFFORD, COMPARE, LIST, LOAD, READY, SCREEN, SEND
from mailkit.sandbox import Fault, Sandbox
from mailkit.testing import FakeClock

SENDER = "Shop <news@shop.by>"
HTML = "<p>{{ first name | 'friend' }}</p>"
MESSAGE = Message(SENDER, "Hi {{ first name | 'friend' }}", html=HTML)
ANNA = TaskRow(1, "Anna@example.com", ["Anna <3"])
BORIS = TaskRow(2, "boris@example.com", [""])
MISSING = TaskRow(3, "missing-one@example.com", ["Gone"])
ROWS = (ANNA, BORIS)
CREATE, LISTED = "sendpulse.campaigns.create", "sendpulse.mailing_lists.campaigns"
MOMENT = datetime(2031, 1, 1, tzinfo=UTC)


@attrs.define
class World:
    sandbox: Sandbox
    client: SendPulse
    clock: FakeClock
    dispatch: Dispatch

    async def do(
        self, stage: Stage, *rows: TaskRow, cursor: str | None = None, **others: Any
    ) -> Done | Sent | Wait | Recut:
        return await self.dispatch.perform(task(stage, *rows, cursor=cursor, **others))

    async def done(
        self, stage: Stage, *rows: TaskRow, cursor: str | None = None, **others: Any
    ) -> Done:
        ended = await self.do(stage, *rows, cursor=cursor, **others)
        assert isinstance(ended, Done)
        return ended

    async def made(self) -> str:
        """The cursor of a new list."""
        cursor = (await self.done(LIST)).cursor
        assert cursor is not None
        return cursor

    async def loaded(self, *rows: TaskRow) -> str:
        """That of a list with these rows."""
        cursor = await self.made()
        await self.done(LOAD, *rows, cursor=cursor)
        return cursor

    async def ready(self, *rows: TaskRow) -> str:
        """That of a list with these rows which a campaign may use."""
        cursor = (await self.done(READY, cursor=await self.loaded(*rows))).cursor
        assert cursor is not None
        return cursor

    def at(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(self.clock.now() + seconds, UTC)


def task(stage: Stage, *rows: TaskRow, count: int = 2, **others: Any) -> Task:
    return Task("autumn", 1, stage, rows, **{"count": count, "key": "7f3a", **others})


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Sandbox(speed=0, seed=1) as sandbox:
        clock = FakeClock(sandbox.clock.now(), moved=sandbox.clock.advance)
        own = sandbox.sendpulse.settings
        own.moderated_first = 0
        async with SendPulse(
            own.client_id, own.client_secret, sandbox.url, clock=clock, hooks=[clock.hook]
        ) as client:
            yield World(sandbox, client, clock, client.dispatch(MESSAGE, ["first name"]))


async def test_from_a_list_to_a_campaign(world: World) -> None:
    await world.dispatch.prepare()
    cursor = await world.made()
    chunk = ChunkList.of(cursor)
    assert chunk.variables == {"firstname": "first name", "firstnameA": "first name"}
    assert await world.done(SCREEN, *ROWS, cursor=cursor) == Done()
    assert await world.done(LOAD, *ROWS, cursor=cursor) == Done()
    ready = await world.done(READY, cursor=cursor)
    assert ready.skips == 1
    assert ready.cursor is not None
    assert ChunkList.of(ready.cursor).emails == 2
    assert await world.done(AFFORD, cursor=ready.cursor, cursors=[ready.cursor]) == Done()
    sent = await world.do(SEND, cursor=ready.cursor)
    assert isinstance(sent, Sent)
    assert sent.cursor == ready.cursor
    world.clock.advance(60)
    texts = {email.address: (email.subject, email.body) for email in world.sandbox.truth.kept}
    assert texts == {
        "anna@example.com": ("Hi Anna <3", "<p>Anna &lt;3</p>"),
        "boris@example.com": ("Hi friend", "<p>friend</p>"),
    }


async def test_a_list_whose_response_was_lost_is_found_by_its_name(world: World) -> None:
    for n in range(101):
        await world.client.mailing_lists.create(f"other {n}")
    lost = Fault("reset_after_acting", on="sendpulse.mailing_lists.create", times=1)
    world.sandbox.faults.add(lost)
    with pytest.raises(OutcomeUnknown):
        await world.do(LIST)
    first = await world.made()
    assert await world.made() == first
    found = await world.client.mailing_lists.get(ChunkList.of(first).id)
    assert found.name == "autumn #1 7f3a"
    assert len(world.sandbox.sendpulse.account.lists) == 102


async def test_the_name_of_a_list_stays_short(world: World) -> None:
    named = attrs.evolve(task(LIST), job="winter #1 " * 20, attempt=2)
    done = await world.dispatch.perform(named)
    assert isinstance(done, Done)
    found = await world.client.mailing_lists.get(ChunkList.of(done.cursor).id)
    assert found.name == ("winter #1 " * 10).strip() + "  #1.2 7f3a"


async def test_who_has_opted_out_is_suppressed(world: World) -> None:
    world.sandbox.sendpulse.settings.opt_outs = "forgotten"
    old = await world.client.mailing_lists.create("old")
    await world.client.mailing_lists.add_contacts(old, ["anna@example.com", "b@example.com"])
    await world.client.mailing_lists.unsubscribe(old, ["anna@example.com"])
    await world.client.blacklist.add(["Boris@example.com"])
    unknown = TaskRow(3, "c@example.com", ["C"])
    done = await world.done(SCREEN, *ROWS, unknown, cursor=await world.made())
    assert done.suppressed == {
        1: "unsubscribed at SendPulse",
        2: "in SendPulse's blacklist",
    }
    assert not done.rejected


async def test_lookups_are_as_large_as_the_service_allows(world: World) -> None:
    world.sandbox.sendpulse.settings.lookups_per_request = 2
    await world.client.blacklist.add(["p4@example.com"])
    own = world.sandbox.sendpulse.settings
    limits = ChunkLimits(lookup_rows=2)
    async with SendPulse(
        own.client_id, own.client_secret, world.sandbox.url, clock=world.clock, limits=limits
    ) as client:
        dispatch = client.dispatch(MESSAGE, ["first name"])
        rows = [TaskRow(n, f"p{n}@example.com", ["x"]) for n in range(5)]
        cursor = await world.made()
        for _ in range(2):
            world.clock.advance(2)
            done = await dispatch.perform(task(SCREEN, *rows, cursor=cursor))
            assert isinstance(done, Done)
            assert [*done.suppressed] == [4]
    assert world.sandbox.requests["sendpulse.contacts.get_many"] == 6
    assert world.sandbox.requests["sendpulse.blacklist.list"] == 1


async def test_one_bad_address_refuses_a_part(world: World) -> None:
    bad = TaskRow(3, "invalid-one@example.com", ["x"])
    with pytest.raises(Refused, match="email is invalid"):
        await world.do(LOAD, ANNA, bad, cursor=await world.made())


async def test_a_list_that_is_being_loaded_is_waited_for(world: World) -> None:
    world.sandbox.sendpulse.settings.loading = 30.0
    cursor = await world.loaded(*ROWS)
    waits = []
    while isinstance(ended := await world.do(READY, cursor=cursor), Wait):
        assert "still loading the list autumn #1 7f3a" in ended.why
        waits.append((ended.until - world.at(0)).total_seconds())
        assert ended.cursor is not None
        cursor = ended.cursor
        world.clock.advance(waits[-1])
    assert [round(seconds) for seconds in waits] == [5, 5, 10, 20]
    assert isinstance(ended, Done)


@pytest.mark.parametrize(
    ("verdict", "seconds", "words"),
    [("ask", 0.0, "have a question"), ("block", 3600.0, r"60 minutes \(status 4\)")],
)
async def test_a_list_that_stays_locked_is_for_a_person_to_look_at(
    world: World, verdict: Any, seconds: float, words: str
) -> None:
    world.sandbox.sendpulse.settings.list_verdict = verdict
    cursor: str | None = await world.loaded(*ROWS)
    if seconds:
        ended = await world.do(READY, cursor=cursor)
        assert isinstance(ended, Wait)
        cursor = ended.cursor
    world.clock.advance(seconds)
    with pytest.raises(AccountRefused, match=words):
        await world.do(READY, cursor=cursor)


async def test_a_list_that_is_gone_is_a_refusal(world: World) -> None:
    cursor = await world.loaded(*ROWS)
    await world.client.mailing_lists.delete(ChunkList.of(cursor).id)
    for stage in (READY, LOAD):
        with pytest.raises(Refused):
            await world.do(stage, *ROWS, cursor=cursor)


async def test_strangers_in_the_list_stop_the_job(world: World) -> None:
    cursor = await world.loaded(*ROWS)
    await world.client.mailing_lists.add_contacts(ChunkList.of(cursor).id, ["c@example.com"])
    with pytest.raises(AccountRefused, match="has 3 contacts, and 2 were loaded"):
        await world.do(READY, cursor=cursor)


async def test_who_is_missing_from_the_list_is_looked_for(world: World) -> None:
    cursor = await world.loaded(*ROWS, MISSING)
    ended = await world.do(READY, cursor=cursor, count=3)
    assert isinstance(ended, Wait)
    assert ended.cursor is not None
    world.clock.advance(20)
    ready = await world.done(READY, cursor=ended.cursor, count=3)
    assert ready.skips == 0
    done = await world.done(COMPARE, *ROWS, MISSING, cursor=ready.cursor)
    assert done.rejected == {3: "SendPulse has not taken the address into the list"}
    assert not done.suppressed


async def test_who_has_opted_out_meanwhile_is_suppressed(world: World) -> None:
    cursor = await world.loaded(*ROWS)
    await world.client.blacklist.add(["boris@example.com"])
    ready = await world.done(READY, cursor=cursor)
    assert ready.skips == 0
    done = await world.done(COMPARE, *ROWS, cursor=ready.cursor)
    assert done == Done(suppressed={2: "blocked at SendPulse"})


async def test_an_empty_list_is_compared(world: World) -> None:
    cursor = await world.loaded(MISSING)
    ended = await world.do(READY, cursor=cursor, count=1)
    assert isinstance(ended, Wait)
    world.clock.advance(20)
    ready = await world.done(READY, cursor=ended.cursor, count=1)
    assert (ready.skips, ChunkList.of(ready.cursor).emails) == (0, 0)


async def test_contacts_that_stay_new_count_as_active(world: World) -> None:
    world.sandbox.sendpulse.settings.active_after = None
    cursor = await world.loaded(*ROWS)
    ended = await world.do(READY, cursor=cursor)
    assert isinstance(ended, Wait)
    assert "not activated all contacts" in ended.why
    world.clock.advance(3600)
    ready = await world.done(READY, cursor=ended.cursor)
    done = await world.done(COMPARE, *ROWS, cursor=ready.cursor)
    assert done == Done()
    assert await world.client.mailing_lists.count(ChunkList.of(cursor).id) == 2


def test_rows_are_compared_with_the_contacts_of_their_list() -> None:
    rows = [TaskRow(int(status), f"p{int(status)}@example.com", []) for status in ContactStatus]
    found = {
        row.address: [Contact(row.address, list_id=7, status=ContactStatus(row.n))] for row in rows
    }
    compared = compare(rows, found, 7)
    left_out = {*compared.rejected, *compared.suppressed}
    assert {*ContactStatus} - left_out == {ContactStatus.NEW, ContactStatus.ACTIVE}
    assert len(compared.inactive) == len(compared.rejected)
    assert {*compare(rows, found, 8).rejected} == {*ContactStatus}


async def test_a_campaign_above_the_tariff_is_cut_anew(world: World) -> None:
    cursor = await world.loaded(*ROWS)
    world.sandbox.sendpulse.settings.max_emails_per_task = 1
    assert await world.do(READY, cursor=cursor) == Recut(1)
    assert await world.do(LIST) == Recut(1)  # the next one needs no list to know
    assert isinstance(await world.do(LIST, count=1), Done)


async def test_all_campaigns_together_must_be_paid(world: World) -> None:
    own = world.sandbox.sendpulse.settings
    own.tariff_emails, own.balance = 3, 0.0
    cursor = await world.ready(*ROWS)
    assert await world.done(AFFORD, cursor=cursor, cursors=[cursor]) == Done()
    with pytest.raises(AccountRefused, match="4 emails, and the tariff has 3 left"):
        await world.do(AFFORD, cursor=cursor, cursors=[cursor, cursor])


def costs(emails: int, tariff: int, price: str = "0", **others: Any) -> ChunkList:
    return ChunkList(
        1,
        emails=emails,
        from_tariff=tariff,
        from_balance=emails - tariff,
        price=Decimal(price),
        currency="USD",
        **others,
    )


def account(left: int | None, money: str | None = None, currency: str = "USD") -> BalanceDetails:
    return BalanceDetails(
        balance=None if money is None else Money(Decimal(money), Decimal(1), currency),
        email=None if left is None else EmailTariff(emails_left=left),
    )


@pytest.mark.parametrize(
    ("lists", "details", "words"),
    [
        ([costs(5, 5), costs(5, 5)], account(10), None),
        ([costs(5, 5), costs(5, 5)], account(9), "10 emails, and the tariff has 9 left"),
        ([costs(5, 5), costs(5, 5)], account(9, "5"), None),  # at a price that nobody says
        ([costs(5, 3, "4"), costs(5, 3, "4")], account(3, "13"), None),
        ([costs(5, 3, "4"), costs(5, 3, "4")], account(3, "9"), "cost 14 USD"),
        ([costs(5, 3, "4"), costs(5, 3, "4")], account(3, "9", "EUR"), None),
        ([costs(5, 0, "4")], account(None, "2.99"), "cost 4 USD, and the balance is 3.99"),
        ([costs(5, 0, "4")], account(None), None),
        ([costs(5, 0, "4", affordable=False)], account(None), "cost 4"),
    ],
)
def test_the_sum_of_all_costs(
    lists: list[ChunkList], details: BalanceDetails, words: str | None
) -> None:
    found = shortfall(lists, details)
    assert (found is None) == (words is None), found
    assert (words or "") in (found or "")


async def test_a_campaign_as_it_goes_over_the_wire(world: World) -> None:
    message = attrs.evolve(
        MESSAGE,
        attachments=[Attachment("a.txt", b"\x00\x01")],
        track_opens=False,
        send_at=world.at(3600).astimezone(),
    )
    own = world.sandbox.sendpulse.settings
    async with SendPulse(
        own.client_id, own.client_secret, world.sandbox.url, clock=world.clock, zone="UTC"
    ) as client:
        sent = await client.dispatch(message, ["first name"]).perform(
            task(SEND, cursor=await world.ready(*ROWS))
        )
    assert isinstance(sent, Sent)
    (made,) = world.sandbox.sendpulse.account.campaigns.values()
    assert (str(made.id), made.name) == (sent.reference, "autumn #1 7f3a")
    assert (made.sender_name, made.sender_email) == ("Shop", "news@shop.by")
    assert (made.subject, made.body) == ("Hi {{firstname}}", "<p>{{firstnameA}}</p>")
    assert [(file.name, file.size) for file in made.attachments] == [("a.txt", 2)]
    assert (made.opens, made.clicks, made.scheduled) == (False, True, True)


async def test_a_campaign_is_created_once_whatever_happens(world: World) -> None:
    world.sandbox.faults.add(Fault("reset_after_acting", on=CREATE, times=1))
    cursor = await world.ready(*ROWS)
    with pytest.raises(OutcomeUnknown):
        await world.do(SEND, cursor=cursor)
    assert world.sandbox.requests[CREATE] == 1
    found = await world.dispatch.settle(task(SEND, cursor=cursor, started=world.at(0)))
    (made,) = world.sandbox.sendpulse.account.campaigns
    assert found == Sent(str(made), cursor=cursor)


async def test_a_campaign_is_given_up_after_two_looks(world: World) -> None:
    cursor = await world.ready(*ROWS)
    doubt = task(SEND, cursor=cursor, started=world.at(0))
    arrives = world.at(1270)
    first = await world.dispatch.settle(doubt)
    assert isinstance(first, Wait)
    assert first.until == arrives
    world.clock.advance(1270)
    second = await world.dispatch.settle(doubt)
    assert isinstance(second, Wait)
    assert second.until == world.at(60)
    doubt = attrs.evolve(doubt, cursor=second.cursor, looks=2)
    third = await world.dispatch.settle(doubt)
    assert isinstance(third, Wait)
    world.clock.advance(60)
    assert isinstance(await world.dispatch.settle(doubt), NotTaken)
    sent = await world.do(SEND, cursor=cursor)
    assert isinstance(sent, Sent)
    assert await world.dispatch.settle(doubt) == Sent(sent.reference, cursor=second.cursor)


async def test_a_campaign_is_looked_for_before_it_is_created_again(world: World) -> None:
    """A gateway's page says that it was not; the service has created it all the same."""
    cursor = await world.ready(*ROWS)
    sent = await world.do(SEND, cursor=cursor)
    assert await world.do(SEND, cursor=cursor, tried=world.at(0)) == sent
    assert world.sandbox.requests[CREATE] == 1
    world.clock.advance(60)
    other = await world.do(SEND, cursor=cursor, tried=world.at(0), key="other")
    assert other != sent
    assert world.sandbox.requests[CREATE] == 2


async def test_a_campaign_was_not_created_after_two_looks(world: World) -> None:
    """A list may show its new campaign late."""
    cursor = await world.ready(*ROWS)
    tried = world.at(0)
    for seconds in (1200, 60):
        waits = await world.dispatch.settle(task(SEND, cursor=cursor, tried=tried))
        assert isinstance(waits, Wait)
        assert waits.until == world.at(seconds)
        assert "no campaign autumn #1 7f3a at SendPulse so far" in waits.why
        assert waits.cursor is not None
        cursor = waits.cursor
        world.clock.advance(seconds)
    again = task(SEND, cursor=cursor, tried=world.at(0))
    assert isinstance(await world.dispatch.settle(again), Wait)  # it was tried meanwhile
    gone = await world.dispatch.settle(task(SEND, cursor=cursor, tried=tried))
    assert isinstance(gone, NotTaken)
    assert world.sandbox.requests[CREATE] == 0
    assert isinstance(await world.do(SEND, cursor=cursor, tried=tried), Sent)


async def test_a_refusal_that_is_known_is_believed(world: World) -> None:
    cursor = await world.ready(*ROWS)
    settings = world.sandbox.sendpulse.settings
    settings.campaigns_per_hour = 0
    with pytest.raises(RequestError) as caught:
        await world.do(SEND, cursor=cursor, take=1)
    assert caught.value.code == 791
    assert next_step(caught.value, Answers(), SEND) is Next.WAIT
    settings.campaigns_per_hour = 4
    tried = world.at(0)
    world.clock.advance(3600)
    assert isinstance(await world.do(SEND, cursor=cursor, tried=tried, take=2), Sent)
    assert world.sandbox.requests[CREATE] == 2


async def test_after_a_refused_token_the_campaign_is_looked_for(world: World) -> None:
    cursor = await world.ready(*ROWS)
    sent = await world.do(SEND, cursor=cursor, key="made")
    world.clock.advance(60)
    for key in ("made", "not made"):
        world.sandbox.faults.add(Fault("token_refused", on=CREATE, times=1))
        world.sandbox.requests.clear()
        with nullcontext() if key == "made" else pytest.raises(OutcomeUnknown):
            assert await world.do(SEND, cursor=cursor, key=key) == sent
        assert [*world.sandbox.requests] == [CREATE, LISTED]
        world.clock.advance(60)


async def test_a_campaign_that_its_list_does_not_show_yet_is_found_by_what_webhooks_say(
    world: World,
) -> None:
    cursor = await world.ready(*ROWS)
    sent = await world.do(SEND, cursor=cursor)
    assert isinstance(sent, Sent)
    (made,) = world.sandbox.sendpulse.account.campaigns.values()
    made.lists = []
    told = (str(sent.reference),)
    doubt = task(SEND, started=world.at(-5_000), cursor=cursor, heard_of=told)
    assert await world.dispatch.settle(doubt) == sent
    world.clock.advance(60)
    forged = attrs.evolve(doubt, heard_of=("4711", *told, "4712"))
    assert await world.dispatch.settle(forged) == sent
    world.clock.advance(60)
    assert await world.do(SEND, tried=world.at(0), cursor=cursor, heard_of=told) == sent
    assert world.sandbox.requests[CREATE] == 1
    world.clock.advance(60)
    with pytest.raises(NotSent, match="webhooks for campaign 4711, but does not show it"):
        await world.do(SEND, tried=world.at(0), cursor=cursor, heard_of=("4711",))
    assert world.sandbox.requests[CREATE] == 1
    made.name = "another one"  # which webhooks speak of as well
    world.clock.advance(60)
    assert await world.do(SEND, cursor=cursor, tried=world.at(0), heard_of=told) != sent
    assert world.sandbox.requests[CREATE] == 2


async def test_a_campaign_that_only_webhooks_know_is_for_a_person_after_a_day(world: World) -> None:
    cursor = await world.ready(*ROWS)
    began = world.at(0)
    doubt = task(SEND, started=began, cursor=cursor, heard_of=("4711",))
    for seconds in (700, 80_000):
        world.clock.advance(seconds)
        with pytest.raises(Unavailable, match="campaign 4711"):
            await world.dispatch.settle(doubt)
    world.clock.advance(10_000)
    assert await world.dispatch.settle(doubt) is None


async def test_two_campaigns_of_one_name_are_for_a_person(world: World) -> None:
    cursor = await world.ready(*ROWS)
    await world.do(SEND, cursor=cursor)
    world.clock.advance(60)
    await world.do(SEND, cursor=cursor)
    assert await world.dispatch.settle(task(SEND, cursor=cursor, started=world.at(0))) is None
    world.clock.advance(2)
    with pytest.raises(OutcomeUnknown, match="two campaigns called autumn #1 7f3a"):
        await world.do(SEND, cursor=cursor, tried=world.at(0))


async def test_the_fifth_campaign_of_an_hour_waits(world: World) -> None:
    cursor = await world.ready(*ROWS)
    for _ in range(4):
        await world.do(SEND, cursor=cursor)
        world.clock.advance(10)
    waits = await world.do(SEND, cursor=cursor, take=5)
    assert isinstance(waits, Wait)
    assert waits.until > world.at(3_500)
    assert world.sandbox.requests[CREATE] == 4


class Counted:
    """The permits of so many requests."""

    def __init__(self, left: int) -> None:
        self.left = left
        self._inner = LocalPermits({})

    async def acquire(
        self, names: tuple[str, ...], max_wait: float | None, deadline: float
    ) -> Permit:
        if not self.left:
            raise QuotaExhausted("used up", available_at=MOMENT)
        self.left -= 1
        return await self._inner.acquire(names, max_wait, deadline)


async def test_a_look_is_not_made_again_where_no_permit_is_left_for_the_campaign(
    world: World,
) -> None:
    """With one permit a take, each take makes the next request."""
    cursor = await world.ready(*ROWS)
    told = []
    for n in range(2):
        other = await world.do(SEND, cursor=cursor, key=f"other {n}")
        assert isinstance(other, Sent)
        told.append(other.reference)
        world.clock.advance(60)
    for made in world.sandbox.sendpulse.account.campaigns.values():
        made.lists = []
    world.sandbox.requests.clear()
    ended: list[str] = []
    tried = world.at(-5_000)

    async def performed(take: int) -> object:
        dispatch = world.client.with_permits(Counted(1)).dispatch(MESSAGE, ["first name"])
        asked = task(SEND, cursor=cursor, tried=tried, heard_of=told, take=take)
        outcome = await dispatch.perform(asked)
        ended.extend(what for what in world.sandbox.requests if what not in ended)
        return outcome

    for take in (5, 6, 7):
        outcome = await performed(take)
        assert isinstance(outcome, Wait)
        assert outcome.until == MOMENT
        assert outcome.cursor is not None
        cursor = outcome.cursor
    assert isinstance(await performed(8), Sent)
    assert ended == [LISTED, "sendpulse.campaigns.get", CREATE]
    assert [*world.sandbox.requests.values()] == [1, 2, 1]


async def test_a_look_holds_for_the_next_take_alone(world: World) -> None:
    """Whatever came between, may have been an attempt."""
    cursor = await world.ready(*ROWS)
    dispatch = world.client.with_permits(Counted(1)).dispatch(MESSAGE, ["first name"])
    asked = task(SEND, cursor=cursor, tried=world.at(-5_000), heard_of=("4711",), take=5)
    waits = await dispatch.perform(asked)
    assert isinstance(waits, Wait)
    assert waits.until == MOMENT
    for take, looks in ((6, 0), (7, 1)):
        world.sandbox.requests.clear()
        with pytest.raises(NotSent, match="4711"):
            await world.dispatch.perform(attrs.evolve(asked, cursor=waits.cursor, take=take))
        assert world.sandbox.requests[LISTED] == looks


async def test_a_campaign_that_was_found_is_kept_if_no_permit_is_left_to_look_on(
    world: World,
) -> None:
    cursor = await world.ready(*ROWS)
    sent = await world.do(SEND, cursor=cursor)
    assert isinstance(sent, Sent)
    dispatch = world.client.with_permits(Counted(1)).dispatch(MESSAGE, ["first name"])
    waits = await dispatch.perform(task(SEND, cursor=cursor, tried=world.at(0), take=2))
    assert isinstance(waits, Wait)
    found = await world.do(SEND, cursor=waits.cursor, tried=world.at(0), take=3)
    assert found == Sent(sent.reference, cursor=waits.cursor)
    assert world.sandbox.requests[CREATE] == 1


async def test_a_look_that_got_no_permit_is_still_to_be_made(world: World) -> None:
    cursor = await world.ready(*ROWS)
    dispatch = world.client.with_permits(Counted(0)).dispatch(MESSAGE, ["first name"])
    with pytest.raises(QuotaExhausted):
        await dispatch.perform(task(SEND, cursor=cursor, tried=world.at(0), take=2))
    waits = await dispatch.perform(task(SEND, cursor=cursor, take=1))
    assert isinstance(waits, Wait)  # nobody had asked for this campaign before
    assert waits.cursor is not None
    assert ChunkList.of(waits.cursor).looked == 1


async def test_polls_count_themselves_and_end_with_the_campaign(world: World) -> None:
    world.sandbox.sendpulse.settings.open_share = 0.0
    sent = await world.do(SEND, cursor=await world.ready(*ROWS))
    assert isinstance(sent, Sent)
    assert sent.reference is not None
    first = await world.dispatch.poll(sent.reference, sent.cursor)
    assert (first.again, first.others) == (world.at(5), None)
    second = await world.dispatch.poll(sent.reference, first.cursor)
    assert second.again == world.at(10)
    world.clock.advance(300)
    last = await world.dispatch.poll(sent.reference, second.cursor)
    assert (last.again, last.statistics) == (None, {"sent": 2, "delivered": 2})
    assert last.ask is not None
    named = await last.ask("boris@example.com")
    assert named is not None
    assert (named.address, named.rejected) == ("boris@example.com", False)
    assert await last.ask("stranger@example.com") is None
    again = await world.dispatch.poll(sent.reference, None)
    assert again.others == last.others
    assert ChunkList.of(again.cursor).over == world.clock.now()


async def test_a_campaign_that_is_gone_says_nothing_of_its_recipients(world: World) -> None:
    sent = await world.do(SEND, cursor=await world.ready(*ROWS))
    assert isinstance(sent, Sent)
    assert sent.reference is not None
    world.clock.advance(300)
    found = await world.dispatch.poll(sent.reference, None)
    world.sandbox.sendpulse.account.campaigns.clear()
    assert found.ask is not None
    assert await found.ask("boris@example.com") is None


async def test_a_campaign_is_taken_back(world: World) -> None:
    world.sandbox.sendpulse.settings.copying = 100.0
    sent = await world.do(SEND, cursor=await world.ready(*ROWS))
    assert isinstance(sent, Sent)
    assert sent.reference is not None
    await world.dispatch.recall(sent.reference)
    world.clock.advance(1000)
    assert not world.sandbox.truth.mailed


@pytest.mark.parametrize(
    ("message", "error", "words"),
    [
        (Message(SENDER, "Hi", text="Hi"), Unsupported, "html only"),
        (
            Message(
                SENDER, "Hi", html="x", attachments=[Attachment(f"{n}", b"") for n in range(6)]
            ),
            Unsupported,
            "5 attachments, not 6",
        ),
        (
            Message(SENDER, "Hi", html="x", attachments=[Attachment("a", b"")] * 2),
            InvalidArgument,
            "two files are called 'a'",
        ),
        (Message("news@shop.by", "Hi", html="x"), InvalidArgument, "requires a name"),
        (
            Message(SENDER, "Hi", html="x", send_at=datetime(2040, 1, 1, tzinfo=UTC)),
            InvalidArgument,
            r"Europe/Minsk, as zone=… or MAILKIT_SENDPULSE_ZONE",
        ),
        (Message(SENDER, "Hi", html="{{ nobody }}"), InvalidArgument, "has no such column"),
    ],
    ids=str,
)
async def test_what_can_not_be_sent_is_refused_before_the_network(
    world: World, message: Message, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        world.client.dispatch(message, ["first name"])
    assert world.sandbox.requests.total() == 0


async def test_a_sender_that_may_not_send_is_named(world: World) -> None:
    await world.client.senders.add("new@shop.by", "New")
    for sender in ("New <new@shop.by>", "Other <other@shop.by>"):
        dispatch = world.client.dispatch(attrs.evolve(MESSAGE, sender=sender), ["first name"])
        with pytest.raises(InvalidArgument, match=r"it has news@shop\.by$"):
            await dispatch.prepare()


async def test_the_tariff_limits_a_chunk(world: World) -> None:
    world.sandbox.sendpulse.settings.max_emails_per_task = 100
    await world.dispatch.prepare()
    assert world.dispatch.limits.rows == 50_000  # no list says more
    await world.client.mailing_lists.create("empty")
    await world.loaded(*ROWS)
    await world.dispatch.prepare()
    assert (world.dispatch.limits.rows, world.dispatch.limits.part_rows) == (100, 500)


async def test_the_cost_of_emails(world: World) -> None:
    own = world.sandbox.sendpulse.settings
    own.tariff_emails, own.balance = 10, 0.0
    few, many = await world.dispatch.cost(10), await world.dispatch.cost(11)
    assert few is not None
    assert many is not None
    assert few.facts == {"tariff": "Sandbox", "emails left": 10, "balance": "0.00 USD"}
    assert (few.enough, many.enough) == (True, False)
    own.balance = 1.0
    many = await world.dispatch.cost(11)
    assert many is not None
    assert many.enough is None


def test_a_row_is_measured_as_it_is_written(world: World) -> None:
    variables = '{"firstname":"Anna <3","firstnameA":"Anna &lt;3"}'
    written = f'{{"email":"Anna@example.com","variables":{variables}}},'
    assert world.dispatch.measure(*ANNA[1:]) == len(written)
    with pytest.raises(InvalidRow):
        world.dispatch.measure("a@b.by", ["{{ x"])


async def test_waiting_for_a_campaign_takes_no_time_on_the_wall(world: World) -> None:
    cursor = await world.ready(*ROWS)
    started = world.at(0) + timedelta(days=1)  # the clock was set back since
    found = await world.dispatch.settle(task(SEND, cursor=cursor, started=started))
    assert isinstance(found, Wait)
