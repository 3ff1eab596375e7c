"""Faults strike the operations of every service alike."""

import re
from typing import Any

import aiohttp
import pytest

from mailkit.sandbox import Fault, Sandbox

from .conftest import JsonApi
from .test_catalogue import OPERATIONS

NEW = [row for row in OPERATIONS if row["service"] != "smsby"]
ADD = "sendpulse.mailing_lists.add_contacts"


async def call(api: JsonApi, row: dict[str, Any]) -> tuple[int, bytes]:
    """Call an operation with nothing but what decides which one it is."""
    path = re.sub(r"\{\w+\}", "1", row["path"])
    body = {"confirmation": "force"} if row["id"].endswith("double_opt_in") else {}
    async with api.session.request(row["method"], api.url + path, json=body) as response:
        return response.status, await response.read()


@pytest.mark.parametrize("row", NEW, ids=lambda row: row["id"])
async def test_every_operation(row: dict[str, Any], sendpulse: JsonApi, sandbox: Sandbox) -> None:
    resets: tuple[str, ...] = (
        "reset_before_reading",
        "reset_after_reading",
        "reset_after_acting",
    )
    for reset in resets:
        sandbox.faults.add(Fault(reset, on=row["id"]))  # aiohttp itself repeats some methods
        with pytest.raises(aiohttp.ClientConnectionError):
            await call(sendpulse, row)
        sandbox.faults.clear()
    refusals: tuple[tuple[str, int], ...] = (
        ("server_error", 500),
        ("rate_limited", 429),
        ("token_refused", 401),
    )
    for kind, status in refusals:
        sandbox.faults.add(Fault(kind, on=row["id"], times=1))
        assert (await call(sendpulse, row))[0] == status
    sandbox.faults.add(Fault("html_200", on=row["id"], times=1))
    assert (await call(sendpulse, row))[1].startswith(b"<!DOCTYPE")
    assert sandbox.requests[row["id"]] >= 7
    assert set(sandbox.requests) == {row["id"]}


async def test_the_body_tells_which_of_two_operations_a_fault_strikes(
    sendpulse: JsonApi, sandbox: Sandbox
) -> None:
    book = (await sendpulse("POST", "/addressbooks", {"bookName": "x"})).value["id"]
    where = f"/addressbooks/{book}/emails"
    sandbox.faults.add(Fault("server_error", on=f"{ADD}_double_opt_in"))
    body: dict[str, Any] = {"emails": ["anna@b.by"]}
    assert (await sendpulse("POST", where, body)).status == 200
    assert (await sendpulse("POST", where, {**body, "confirmation": "force"})).status == 500


async def test_answers_of_other_types_and_in_another_order(
    sendpulse: JsonApi, sandbox: Sandbox
) -> None:
    book = (await sendpulse("POST", "/addressbooks", {"bookName": "x"})).value["id"]
    where = f"/addressbooks/{book}/emails"
    people = ["anna@b.by", "boris@b.by", "carl@b.by"]
    await sendpulse("POST", where, {"emails": people})
    sandbox.faults.add(Fault("partial", times=1))
    rows = (await sendpulse("GET", where)).value
    assert [row["email"] for row in rows] == [people[2], people[1], "stranger@elsewhere.example"]
    sandbox.faults.add(Fault("wrong_types", times=3))
    assert isinstance((await sendpulse("GET", where)).value, dict)
    assert (await sendpulse("GET", f"{where}/total")).value == {"total": [3]}
    assert (await sendpulse("POST", where, {"emails": people})).value == {"result": [True]}


async def test_the_service_acts_though_the_answer_is_lost(
    sendpulse: JsonApi, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault("reset_after_acting", times=1))
    with pytest.raises(aiohttp.ClientConnectionError):
        await sendpulse("POST", "/addressbooks", {"bookName": "x"})
    assert len((await sendpulse("GET", "/addressbooks")).value) == 1
