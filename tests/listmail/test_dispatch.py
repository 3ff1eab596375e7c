"""Listmail's part in a bulk send, stage by stage, against its server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from listmail import Listmail
from listmail.dispatch import AFFORD, LIST, LOAD, READY, SEND
from listmail.server import Failure, Fault, Server
from mailkit import DeliveryStatus, Message
from mailkit.errors import (
    AccountRefused,
    AuthenticationFailed,
    OutcomeUnknown,
    RateLimited,
    Refused,
)
from mailkit.provider import (
    Dispatch,
    Done,
    InvalidRow,
    NotTaken,
    Recut,
    RowStatus,
    Sent,
    Stage,
    Task,
    TaskRow,
    Wait,
)
from mailkit.testing import FakeClock

MESSAGE = Message(
    "Shop <news@shop.example>",
    "Hi {{ name | 'friend' }}",
    html="<p>{{ name | 'friend' }}, see you in {{ city }}</p>",
)
ANNA = TaskRow(1, "anna@example.com", ["Anna <3", "Minsk"])
NOBODY = TaskRow(2, "nobody@example.com", ["", "Brest"])
INVALID = TaskRow(3, "invalid-gone@example.com", ["Gone", "Brest"])


@attrs.frozen
class World:
    server: Server
    client: Listmail
    clock: FakeClock
    dispatch: Dispatch

    async def do(
        self, stage: Stage, *rows: TaskRow, cursor: str | None = None
    ) -> Done | Sent | Wait | Recut:
        return await self.dispatch.perform(task(stage, *rows, cursor=cursor))

    async def loaded(self, *rows: TaskRow) -> str:
        """The list of a chunk with these rows, ready to be mailed."""
        made = await self.do(LIST)
        assert isinstance(made, Done)
        assert made.cursor is not None
        await self.do(LOAD, *rows, cursor=made.cursor)
        self.clock.advance(20)
        return made.cursor


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Server() as server:
        clock = FakeClock(moved=server.advance)
        async with Listmail(
            server.key, server.secret, server.url, clock=clock, hooks=[clock.hook]
        ) as client:
            yield World(server, client, clock, client.dispatch(MESSAGE, ["name", "city"]))


def task(stage: Stage, *rows: TaskRow, cursor: str | None = None) -> Task:
    return Task("autumn", 1, stage, rows, cursor=cursor, key="7f3a", count=2)


async def test_from_a_list_to_a_campaign(world: World) -> None:
    await world.dispatch.prepare()
    assert await world.do(LIST) == Done(cursor="1")
    assert await world.do(LOAD, ANNA, NOBODY, cursor="1") == Done()
    until = datetime.fromtimestamp(world.clock.now(), UTC) + timedelta(seconds=5)
    assert await world.do(READY, cursor="1") == Wait(until, "the list is being imported")
    world.clock.advance(20)
    assert await world.do(READY, cursor="1") == Done()
    assert await world.do(AFFORD, cursor="1") == Done()
    assert await world.do(SEND, cursor="1") == Sent("1")
    campaign = world.server.campaigns[1]
    assert (campaign.name, campaign.sender) == ("autumn #1 7f3a", "Shop <news@shop.example>")
    assert campaign.email(ANNA.address) == ("Hi Anna <3", "<p>Anna &lt;3, see you in Minsk</p>")
    assert campaign.email(NOBODY.address) == ("Hi friend", "<p>friend, see you in Brest</p>")
    assert world.server.mailed == {ANNA.address: 1, NOBODY.address: 1}


async def test_a_list_that_is_there_already_is_found(world: World) -> None:
    world.server.faults.append(Fault(Failure.CUT_AFTER, "PUT /v1/lists/{name}"))
    assert await world.do(LIST) == Done(cursor="1")
    assert await world.do(LIST) == Done(cursor="1")
    assert world.server.requests["PUT /v1/lists/{name}"] == 3
    assert len(world.server.lists) == 1


async def test_one_bad_contact_refuses_the_whole_request_and_nobody_is_named(world: World) -> None:
    made = await world.do(LIST)
    assert isinstance(made, Done)
    with pytest.raises(Refused) as refusal:
        await world.do(LOAD, ANNA, INVALID, cursor=made.cursor)
    assert (refusal.value.code, refusal.value.reasons) == (
        "contacts_invalid",
        ("not every contact is valid",),
    )
    assert not world.server.lists[1].contacts


async def test_a_row_without_a_value_can_not_be_loaded(world: World) -> None:
    with pytest.raises(InvalidRow, match="city"):
        world.dispatch.measure("a@b.by", ["Anna", " "])


async def test_a_balance_that_is_too_low_refuses_the_account(world: World) -> None:
    world.server.balance = 1
    with pytest.raises(AccountRefused, match="2 messages cost 2, and the balance is 1"):
        await world.do(AFFORD, cursor="1")


async def test_wrong_credentials_end_before_anything_else(world: World) -> None:
    async with Listmail(world.server.key, "trout", world.server.url) as client:
        with pytest.raises(AuthenticationFailed) as refusal:
            await client.dispatch(MESSAGE, ["name", "city"]).prepare()
    assert "trout" not in str(refusal.value)


@pytest.mark.parametrize(
    ("failure", "sent"),
    [
        (Failure.CUT_BEFORE, False),
        (Failure.CUT_AFTER, True),
        (Failure.GATEWAY, True),
    ],
)
async def test_a_campaign_whose_outcome_is_unknown_is_settled_by_its_name(
    world: World, failure: Failure, sent: bool
) -> None:
    cursor = await world.loaded(ANNA)
    world.server.faults.append(Fault(failure, "POST /v1/campaigns"))
    with pytest.raises(OutcomeUnknown):
        await world.do(SEND, cursor=cursor)
    assert world.server.requests["POST /v1/campaigns"] == 1
    found = await world.dispatch.settle(task(SEND, cursor=cursor))
    assert found == (Sent("1") if sent else NotTaken("there is no campaign of this name"))


async def test_two_campaigns_of_one_name_are_for_a_person(world: World) -> None:
    cursor = await world.loaded(ANNA)
    await world.do(SEND, cursor=cursor)
    await world.do(SEND, cursor=cursor)
    assert await world.dispatch.settle(task(SEND, cursor=cursor)) is None


async def test_too_many_requests_say_when_to_come_back(world: World) -> None:
    cursor = await world.loaded(ANNA)
    world.server.faults.append(Fault(Failure.BUSY, "POST /v1/campaigns"))
    with pytest.raises(RateLimited) as limit:
        await world.do(SEND, cursor=cursor)
    assert limit.value.retry_after == 7


async def test_results_come_page_by_page(world: World) -> None:
    world.server.page = 2
    names = ["p-1", "p-2", "p-3", "p-4", "bounce-1", "optout-1"]
    rows = [TaskRow(n, f"{name}@example.com", ["", "Brest"]) for n, name in enumerate(names)]
    await world.do(SEND, cursor=await world.loaded(*rows))
    polled = await world.dispatch.poll("1", None)
    statuses = [one for one in polled.statuses if isinstance(one, RowStatus)]
    assert [status.address for status in statuses] == [row.address for row in rows]
    assert statuses[0] == RowStatus("p-1@example.com", DeliveryStatus.DELIVERED, False, "")
    assert statuses[4].delivery is DeliveryStatus.HARD_BOUNCE
    assert statuses[5] == RowStatus(
        "optout-1@example.com", None, True, "unsubscribed at the service"
    )
    assert world.server.requests["GET /v1/campaigns/{id}/results"] == 3
