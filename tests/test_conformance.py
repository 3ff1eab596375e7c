"""Every row of the catalogue: the method of that name exists, sends the row's method, path,
encoding and parameters, loses nothing of the row's example, and is understood by the sandbox.

Another service joins by adding itself to CLIENTS, with sample arguments for its rows.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email import message_from_bytes
from functools import partial
from inspect import iscoroutinefunction
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin
from urllib.parse import parse_qsl

import aiohttp
import attrs
import msgspec
import pytest
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from mailkit.core.call import AsyncMethod, result_type
from mailkit.core.client import Client
from mailkit.providers.devino import Devino, MessageRecipient
from mailkit.providers.sendpulse import SendPulse, Variables
from mailkit.providers.smsby import SmsBy
from mailkit.sandbox import Sandbox

from .providers.devino import arguments as devino
from .providers.sendpulse import arguments as sendpulse
from .providers.smsby import arguments as smsby

CATALOGUE = json.loads((Path(__file__).parent / "catalogue.json").read_text("utf-8"))
ROWS: list[dict[str, Any]] = CATALOGUE["operations"]
SERVICE = "https://service.test"
BEYOND = {"sendpulse.tags", "sendpulse.user"}
"""What a service publishes beside the pages of the catalogue."""

each_row = pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])


@attrs.frozen
class Spoken:
    """A service's client, made from the environment; ``also`` are clients that ask the same in
    another encoding.
    """

    make: Callable[[], Client]
    arguments: Mapping[str, Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]]]
    prepare: Callable[[Sandbox, Any], Awaitable[Mapping[Any, Any]]]
    also: tuple[Callable[[], Client], ...] = ()


CLIENTS: Mapping[str, Spoken] = {
    "smsby": Spoken(
        partial(SmsBy.from_env, imports_in_query=True),
        smsby.ARGUMENTS,
        smsby.prepare,
        also=(partial(SmsBy.from_env, multipart=False),),
    ),
    "sendpulse": Spoken(
        partial(SendPulse.from_env, zone="Europe/Minsk", requests=None, campaigns=None, tests=None),
        sendpulse.ARGUMENTS,
        sendpulse.prepare,
    ),
    "devino": Spoken(Devino.from_env, devino.ARGUMENTS, devino.prepare),
}


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MAILKIT_")]:
        monkeypatch.delenv(name)  # such as those that point to the session's sandbox
    for name in CLIENTS:
        monkeypatch.setenv(f"MAILKIT_{name.upper()}_URL", SERVICE)
    for name in ("SMSBY_TOKEN", "SENDPULSE_API_KEY", "DEVINO_API_KEY"):
        monkeypatch.setenv(f"MAILKIT_{name}", "KEY")


@attrs.frozen
class Sent:
    """A request as a server would read it: the names of its parameters by their place."""

    path: str
    query: set[str]
    body: set[str]
    encoding: str


def body(request: Mapping[str, Any]) -> bytes | None:
    """What aiohttp was given, which is a payload."""
    data: aiohttp.Payload | None = request["data"]
    return None if data is None else data.decode("latin-1").encode("latin-1")


def sent(url: URL, data: bytes | None, headers: Mapping[str, str]) -> Sent:
    query = _names(key for key, _ in parse_qsl(url.raw_query_string, keep_blank_values=True))
    kind = headers.get("Content-Type", "").partition(";")[0]
    names: list[str] = []
    if data is None:
        kind = "none"
    elif kind == "application/json":
        names = list(json.loads(data))
    elif kind == "application/x-www-form-urlencoded":
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        names = [key for key, _ in pairs]
    else:
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        parts: Any = message_from_bytes(head + data).get_payload()
        names = [str(part.get_param("name", header="content-disposition")) for part in parts]
    return Sent(url.raw_path, query, _names(names), kind.rpartition("/")[2])


ENCODINGS = {
    "none": {"none"},
    "json": {"json"},
    "form": {"x-www-form-urlencoded", "form-data"},
    "multipart": {"form-data"},
}


def _names(keys: Any) -> set[str]:
    return {key.partition("[")[0] for key in keys}


def declared(row: Mapping[str, Any], place: str, *, required: bool = False) -> set[str]:
    """The row's parameters; of the required ones only those that every call must have."""
    usual = "query" if row.get("body", "none") == "none" else "body"
    return {
        one["name"]
        for one in row["params"]
        if one.get("in", usual) == place
        and (not required or (one["required"] and one.get("note") != "bulk only"))
    }


def method_of(client: Client, row: Mapping[str, Any]) -> AsyncMethod[..., Any]:
    service, resource, name = row["id"].split(".")
    assert client.name == service
    method: AsyncMethod[..., Any] = getattr(getattr(client, resource), name)
    assert iscoroutinefunction(method)
    return method


def path_of(row: Mapping[str, Any], args: tuple[Any, ...]) -> str:
    path = re.sub(r"\{\w+\}", "[^/]+", row["path"])
    # /balance, or /balance/USD: the one parameter in a path that may be left out
    return f"{path}/[^/]+" if row["id"] == "sendpulse.balance.get" and args else path


async def examples(row: dict[str, Any], wire: aioresponses) -> tuple[list[Sent], list[Any]]:
    """What the calls of a row send, and what each makes of the example."""
    service = CLIENTS[row["service"]]
    requests: list[Sent] = []
    values = []

    def answer(url: URL, **request: Any) -> CallbackResult:
        requests.append(sent(url, body(request), request["headers"]))
        return CallbackResult(body=json.dumps(row["response_example"] or {"result": True}))

    for make in (service.make, *service.also):
        async with make() as client:
            for args, kwargs in service.arguments[row["id"]]:
                wire.add(re.compile(re.escape(SERVICE)), row["method"], callback=answer)
                values.append(await method_of(client, row)(*args, **kwargs))
                assert len(requests) == len(values)
                assert re.fullmatch(path_of(row, args), requests[-1].path)
    return requests, values


@each_row
async def test_a_row_is_sent_as_the_catalogue_has_it(
    row: dict[str, Any], wire: aioresponses
) -> None:
    requests, _ = await examples(row, wire)
    everywhere = declared(row, "query") | declared(row, "body")
    for request in requests:
        assert request.encoding in ENCODINGS[row.get("body", "none")] or _imported(row, request)
        if not _imported(row, request):
            assert declared(row, "query", required=True) <= request.query <= declared(row, "query")
            assert declared(row, "body", required=True) <= request.body <= declared(row, "body")
    said = set[str]().union(*(request.query | request.body for request in requests))
    assert said == everywhere, "a parameter is never sent, or unknown"


def _imported(row: Mapping[str, Any], request: Sent) -> bool:
    """An import may go into the form, whole: a setting, as the row's note says."""
    return (
        row["id"] == "smsby.mailing_lists.import_contacts"
        and not request.query
        and request.body == declared(row, "query")
    )


@each_row
async def test_nothing_of_a_row_s_example_is_lost(row: dict[str, Any], wire: aioresponses) -> None:
    _, values = await examples(row, wire)
    example = row["response_example"]
    kind = method_of(CLIENTS[row["service"]].make(), row).__signature__.return_annotation
    for value in values:
        assert is_a(value, kind)
        if value is None:  # an answer that says no more than yes, or repeats what was asked
            said = {key: one for key, one in (example or {}).items() if one != [True]}
            assert said.keys() <= {"result", "status", "success", "id", "email"}
            assert said.get("result") in (None, True)
        elif row["id"].endswith(BATCHED):
            assert value.done
            assert not value.failed
        else:
            assert leaves(plain(value)) >= leaves(_content(example)) - {"", "None"}


def is_a(value: object, kind: Any) -> bool:
    """Whether a value is what the method's annotation promises, down to the items of a list."""
    if get_origin(kind) in (Union, UnionType):
        return any(is_a(value, one) for one in get_args(kind))
    if get_origin(kind) is list:
        return isinstance(value, list) and all(is_a(one, get_args(kind)[0]) for one in value)
    return isinstance(value, type(None) if kind is None else get_origin(kind) or kind)


BATCHED = ("remove_contacts", "mailing_lists.unsubscribe")
"""Long calls go in several requests; the value names who is done, the answer does not."""


def _content(example: Any) -> Any:
    """The example without what only says that it is a yes."""
    if isinstance(example, dict):
        yes = {"result": True, "success": True, "status": "OK", "description": "ok"}
        return {key: one for key, one in example.items() if key not in yes or yes[key] != one}
    return example


def plain(value: Any) -> Any:
    """A typed value as dictionaries and lists."""
    if attrs.has(type(value)):
        fields = attrs.fields(type(value))
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, msgspec.Struct):
        return [plain(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, Variables):
        return [*value, *value.values(), *value.types.values()]
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def leaves(tree: Any) -> set[str]:
    """The texts and numbers in a tree; a yes is a 1, a day begins at midnight."""
    if isinstance(tree, dict):
        return set[str]().union(*map(leaves, tree.values()))
    if isinstance(tree, list):
        return set[str]().union(*map(leaves, tree))
    return {str(int(tree) if isinstance(tree, int) else tree).removesuffix(" 00:00:00")}


@each_row
async def test_a_row_is_understood_by_the_sandbox(
    row: dict[str, Any], wire: aioresponses, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, values = await examples(row, wire)
    wire.stop()
    monkeypatch.delenv("MAILKIT_SENDPULSE_API_KEY")
    service = CLIENTS[row["service"]]
    for make in (service.make, *service.also):
        for (args, kwargs), value in zip(service.arguments[row["id"]], values, strict=False):
            async with Sandbox(speed=0, seed=1) as sandbox:
                for name, text in sandbox.environment().items():
                    monkeypatch.setenv(name, text)
                async with make() as client:
                    ids = await service.prepare(sandbox, client)
                    before = sandbox.requests[row["id"]]
                    found = await method_of(client, row)(*put(ids, args), **put(ids, kwargs))
                assert sandbox.requests[row["id"]] == before + 1
                assert shape(found) == shape(value)
                assert bool(found) or not value


def put(ids: Mapping[Any, Any], value: Any) -> Any:
    """Sample arguments with the ids that the sandbox gave."""
    if isinstance(value, dict):
        return {key: put(ids, one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(put(ids, one) for one in value)
    return ids.get(value, value) if type(value) in (int, str) else value


def shape(value: Any) -> Any:
    """The type of a value, and those of its items."""
    if isinstance(value, list):
        return list, {type(one) for one in value}
    return type(value)


async def test_devino_s_own_example_travels_word_for_word(wire: aioresponses) -> None:
    (row,) = (row for row in ROWS if row["id"] == "devino.messages.send")
    bodies: list[Any] = []

    def answer(url: URL, **request: Any) -> CallbackResult:
        bodies.append(json.loads(body(request) or b""))
        [item, *_] = row["response_example"]["result"]
        said = {"result": [item | {"address": "james@jamesmail.ru"}], "description": "ok"}
        return CallbackResult(body=json.dumps(said))

    wire.post(re.compile(re.escape(SERVICE)), callback=answer)
    async with Devino.from_env() as client:
        await client.messages.send(
            recipients=[MessageRecipient("james@jamesmail.ru", merge_fields={"Name": "James"})],
            sender="TestShop <info@test.com>",
            subject="Test message",
            html="<p>[Name], Welcome!</p>[Unsubscribe]",
            attachment_ids=["312e628f-65dc-4d1d-a12e-64d86b6c06ca.png"],
            check_unsubscription=True,
        )
    assert bodies == [row["request_example"]]


def test_every_call_that_returns_nothing_says_what_a_yes_is() -> None:
    for service, spoken in CLIENTS.items():
        for group in vars(type(spoken.make())).values():
            for name, method in vars(getattr(group, "cls", object)).items():
                if hasattr(method, "route") and result_type(method.call) is NoneType:
                    assert method.route.pick or method.route.read, (service, name)


def test_every_row_has_a_method_and_every_method_a_row() -> None:
    found = {
        f"{service}.{resource}.{name}"
        for service, spoken in CLIENTS.items()
        for resource, group in vars(type(spoken.make())).items()
        if hasattr(group, "cls") and f"{service}.{resource}" not in BEYOND
        for name, method in vars(group.cls).items()
        if hasattr(method, "route")
    }
    told = {row_id for spoken in CLIENTS.values() for row_id in spoken.arguments}
    assert found == told == {row["id"] for row in ROWS}
    assert {row["service"] for row in ROWS} == CLIENTS.keys()
    assert len(ROWS) == 66
