"""What has become of each email, by each service: now, in the end, and over HTTP."""

from typing import Any

import aiohttp

from mailkit.sandbox import Outcome, Sandbox

from .conftest import MESSAGE, Api, Hook, JsonApi
from .test_devino import MESSAGES, order
from .test_sendpulse_webhooks import campaign, played

ENDS = {
    "bounce@b.by": "undelivered",
    "expires@b.by": "expired",
    "complaint@b.by": "complained",
    "unsubscribes@b.by": "unsubscribed",
    "leaves@b.by": "unsubscribed",
    "returns@b.by": "unsubscribed",
    "opens@b.by": "opened",
    "clicks@b.by": "clicked",
    "slow@b.by": "delivered",
}
PEOPLE = list(ENDS)


def states(outcomes: list[Outcome]) -> dict[str, str]:
    assert len({one.address for one in outcomes}) == len(outcomes)
    return {one.address: one.state for one in outcomes}


async def test_devino_s_ends_are_the_last_statuses_that_it_posts(
    devino: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    sandbox.devino.settings.callback_url = hook.url
    sandbox.devino.settings.posting.shuffled = True
    answer = await devino("POST", MESSAGES, order(*PEOPLE, "invalid@b.by", "missing@b.by"))
    await devino("POST", MESSAGES, order("unsubscribed@b.by", CheckUnsubscription=True))
    ids = {row["address"]: row.get("messageId", "") for row in answer.value["result"]}
    ends = sandbox.outcomes(in_the_end=True)
    assert set(states(sandbox.outcomes()).values()) == {"queued", "refused"}
    assert states(ends) == {**ENDS, "invalid@b.by": "refused", "unsubscribed@b.by": "rejected"}
    assert {one.address: one.reference for one in ends}.items() >= ids.items()
    sandbox.clock.advance(2 * 86400)
    await sandbox.deliver()
    assert sandbox.outcomes() == ends
    last = {
        row["email"]: row["status"]
        for row in sorted(hook.events, key=lambda row: row["ts"])
        if row["status"] != "SUBSCRIBED"
    }
    assert {one.address: one.word for one in ends if one.word} == last


async def test_sendpulse_s_ends_are_the_statuses_of_its_recipients(
    sendpulse: JsonApi, sandbox: Sandbox, hook: Hook
) -> None:
    told = await played(sendpulse, sandbox, hook, *PEOPLE)
    number = next(int(row["task_id"]) for row in told if row["event"] == "delivered")
    ends = sandbox.outcomes(in_the_end=True, service="sendpulse")
    assert sandbox.outcomes() == ends
    assert states(ends) == ENDS
    for one in ends:
        answer = await sendpulse("GET", f"/campaigns/{number}/email/{one.address}")
        codes = {answer.value["global_status"], answer.value["detail_status"]}
        assert one.word in codes
        assert one.reference == str(number)


async def test_sendpulse_s_unsent_emails_are_unsent(sendpulse: JsonApi, sandbox: Sandbox) -> None:
    sandbox.sendpulse.settings.halts_after = 1
    await campaign(sendpulse, "anna@b.by", "boris@b.by")
    sandbox.clock.advance(3600)
    found = states(sandbox.outcomes())
    assert found["boris@b.by"] == "unsent"
    assert found["anna@b.by"] in ("delivered", "opened")


async def test_sms_by_s_ends_are_those_of_its_status(api: Api, sandbox: Sandbox) -> None:
    people = [*PEOPLE, "invalid@b.by", "missing@b.by"]
    fields = {f"delivery_list[{n}]": one for n, one in enumerate(people)}
    sent = await api("sendBulkEmail", **MESSAGE, **fields, track_open="1")
    ends = sandbox.outcomes(in_the_end=True)
    sandbox.clock.advance(2 * 86400)
    assert sandbox.outcomes() == ends
    [status] = (await api("statusBulkEmail", uuid=sent.result["uuid"])).result
    rows = {row["recipient"]: (row["email_id"], row["status"]) for row in status["success"]}
    assert {one.address: (one.reference, one.word) for one in ends if one.word} == rows
    assert states(ends)["invalid@b.by"] == "refused"
    assert states(ends)["expires@b.by"] == "undelivered"
    assert "missing@b.by" not in states(ends)


async def test_other_processes_read_the_same(devino: JsonApi, api: Api, sandbox: Sandbox) -> None:
    await devino("POST", MESSAGES, order(*PEOPLE))
    await api("sendBulkEmail", **MESSAGE, **{"delivery_list[0]": "anna@mail.by"})

    async def read(query: str) -> Any:
        async with aiohttp.request("GET", f"{sandbox.url}/sandbox/truth/outcomes{query}") as found:
            return await found.json()

    def rows(outcomes: list[Outcome]) -> list[dict[str, Any]]:
        return [one._asdict() for one in outcomes]

    assert await read("") == rows(sandbox.outcomes())
    assert await read("?end=1") == rows(sandbox.outcomes(in_the_end=True))
    only = sandbox.outcomes(in_the_end=True, service="devino")
    assert await read("?end=1&service=devino") == rows(only)
    assert len(await read("?service=devino")) == len(PEOPLE)
    assert "no service 'nobody'" in (await read("?service=nobody"))["error"]
