"""What no call takes for a success, whatever it returns."""

from __future__ import annotations

from inspect import iscoroutinefunction
from types import NoneType
from typing import Any

import pytest

from mailkit.core.call import AsyncMethod, resource, result_type
from mailkit.errors import BadResponse, OutcomeUnknown
from mailkit.providers.sendpulse import BatchResult, SendPulse

from ...core.doubles import Script, response
from .arguments import ARGUMENTS
from .doubles import client

BEYOND: dict[str, tuple[Any, ...]] = {
    "sendpulse.tags.list": (),
    "sendpulse.tags.create": ("vip", "#f0f4f6"),
    "sendpulse.tags.update": (5, "vip"),
    "sendpulse.tags.delete": (5,),
    "sendpulse.tags.pin_email": ("a@mail.by", [5]),
    "sendpulse.tags.pin_phone": ("375291234567", [5]),
    "sendpulse.tags.unpin_email": ("a@mail.by", [5]),
    "sendpulse.tags.unpin_phone": ("375291234567", [5]),
    "sendpulse.user.info": (),
}
CALLS = {name: calls[0] for name, calls in ARGUMENTS.items()} | {
    name: (arguments, {}) for name, arguments in BEYOND.items()
}


def method(sendpulse: SendPulse, name: str) -> AsyncMethod[..., Any]:
    _, group, last = name.split(".")
    found: AsyncMethod[..., Any] = getattr(getattr(sendpulse, group), last)
    assert iscoroutinefunction(found)
    return found


def returns(name: str) -> Any:
    return result_type(method(client(Script()), name).call)  # type: ignore[arg-type]


WITHOUT_VALUE = [name for name in CALLS if returns(name) in (NoneType, None, BatchResult)]


async def is_no_success(name: str, said: bytes) -> None:
    call, script = CALLS[name], Script(*[response(200, said)] * 3)
    bound = method(client(script), name)
    once = not bound.call.__route__.repeatable  # type: ignore[attr-defined]
    with pytest.raises(OutcomeUnknown if once else BadResponse):
        await bound(*call[0], **call[1])
    assert len(script.requests) == (1 if once else 3)


def test_no_call_is_left_out() -> None:
    found = {
        f"sendpulse.{place}.{name}"
        for place, group in vars(SendPulse).items()
        if isinstance(group, resource)
        for name, one in vars(group.cls).items()
        if hasattr(one, "route")
    }
    assert found == CALLS.keys()
    assert len(WITHOUT_VALUE) == 27


@pytest.mark.parametrize("name", WITHOUT_VALUE)
@pytest.mark.parametrize(
    "said",
    [
        b"{}", b"[]", b"null", b"true", b'"ok"', b"1", b"[false]", b"[true]", b"[true,false]",
        b"[[true]]", b'{"0":true}', b'{"0":false}', b'{"failure":true}', b'{"failure":false}',
        b'{"is_error":true}', b'{"is_error":true,"http_code":200,"message":"No"}',
        b'{"error":"No"}', b'{"result":null}', b'{"result":1}', b'{"result":"true"}',
        b'{"result":[]}', b'{"result":{}}', b'{"success":1}', b'{"success":"true"}',
        b'{"success":true,"data":[]}', b'{"success":true,"data":null}', b'{"status":"OK"}',
        b'{"success":true,"data":false}', b'{"success":true,"data":{}}', b'{"id":5}',
        b'{"result":true,"failure":true}', b'{"result":true,"is_error":true}',
        b'{"result":true,"success":false}', b'{"success":true,"errors":["No"]}',
    ],
)  # fmt: skip
async def test_a_call_that_returns_nothing_takes_only_a_documented_yes(
    name: str, said: bytes
) -> None:
    if name == "sendpulse.campaigns.send_test" and said == b'{"id":5}':
        return  # the campaign that it made
    await is_no_success(name, said)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "said",
    [
        b"null", b"[false]", b"[true]", b'{"0":false,"2":true}', b'{"failure":true}',
        b'{"is_error":true,"message":"No"}', b'{"error":"No"}', b'{"message":"No"}', b"5",
        b'{"result":true,"failure":true,"id":5,"real_id":5}',
    ],
)  # fmt: skip
async def test_no_call_takes_a_no_for_its_value(name: str, said: bytes) -> None:
    await is_no_success(name, said)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in CALLS
        if name.rpartition(".")[2] not in ("countries", "get_many", "campaign_stats_many")
    ],
)
async def test_an_empty_object_is_no_value(name: str) -> None:
    await is_no_success(name, b"{}")


@pytest.mark.parametrize(
    "name",
    [
        "sendpulse.mailing_lists.create",
        "sendpulse.templates.create",
        "sendpulse.campaigns.create",
        "sendpulse.webhooks.create",
    ],
)
@pytest.mark.parametrize("number", [b"0", b"-1", b"true", b'""', b'"x"', b"1.5", b"null", b"[]"])
async def test_what_was_made_has_a_number(name: str, number: bytes) -> None:
    if name == "sendpulse.webhooks.create" and number in (b"0", b"-1"):
        return
    await is_no_success(name, b'{"id":%b,"real_id":%b}' % (number, number))


async def test_webhooks_that_were_made_are_named() -> None:
    for said in (b'{"success":true,"data":[]}', b"[]"):
        await is_no_success("sendpulse.webhooks.create", said)
