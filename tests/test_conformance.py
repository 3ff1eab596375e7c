"""Every row of the catalogue, for the services built so far: the method of that name exists, sends
the row's method, path, encoding and parameter names, and reads its example into typed values.

Another service joins by adding its client to CLIENTS and sample arguments for its rows to SAMPLES.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from aioresponses import CallbackResult, aioresponses

from mailkit.core.call import Bound
from mailkit.core.client import Client
from mailkit.message import Attachment
from mailkit.providers.smsby import (
    BulkError,
    BulkSent,
    BulkStatus,
    EmailSent,
    EmailStatus,
    Imported,
    ImportProblem,
    ListSending,
    PersonalLetter,
    SmsBy,
    Template,
)
from mailkit.sandbox import Sandbox

CATALOGUE = json.loads((Path(__file__).parent / "catalogue.json").read_text("utf-8"))
URL = "https://service.test"
Arguments = Mapping[str, object]

CLIENTS: Mapping[str, Callable[[], Client]] = {
    "smsby": lambda: SmsBy("TOKEN", URL, imports_in_query=True),
}

_LETTER: Arguments = {
    "sender": "Shop <news@shop.by>",
    "subject": "Autumn",
    "html": "<p>Ж</p>",
    "send_at": datetime(2030, 5, 1, 9, 0, tzinfo=UTC),
    "track_opens": True,
    "track_clicks": False,
}
_FILE = Attachment("price.txt", b"1")

SAMPLES: Mapping[str, list[tuple[Arguments, object]]] = {
    "smsby.emails.send": [
        ({**_LETTER, "to": "anna@mail.by"}, EmailSent(1234567)),
        ({**_LETTER, "to": "anna@mail.by", "attachment": _FILE}, EmailSent(1234567)),
    ],
    "smsby.emails.send_to_list": [
        (
            {**_LETTER, "list_id": 7, "name": "Autumn", "attachment": _FILE},
            ListSending(1234, 100),
        )
    ],
    "smsby.emails.delivery_list": [
        (
            {"message_id": 7},
            [
                EmailStatus(654321, "DELIVERED", "", " email1@email.by"),
                EmailStatus(
                    654322, "UNDELIVERED", "Bad recipient address syntax", "email2@emailby"
                ),
            ],
        )
    ],
    "smsby.bulk.send": [
        (
            {**_LETTER, "name": "Autumn", "delivery_list": ["anna@mail.by", "boris@mail.by"]},
            BulkSent("cc9c8043-8caf-11ef-b035-9e8f47954dec"),
        ),
        (
            {
                "sender": "news@shop.by",
                "delivery_list": [PersonalLetter("anna@mail.by", "Hi", "<p>Hi</p>")],
            },
            BulkSent("cc9c8043-8caf-11ef-b035-9e8f47954dec"),
        ),
    ],
    "smsby.bulk.status": [
        (
            {"uuid": "cc9c8043"},
            [
                BulkStatus(
                    12345,
                    "Newsletter name",
                    "from@test.com",
                    "SENDER",
                    (
                        EmailStatus(654321, "DELIVERED", recipient="email1@mail.com"),
                        EmailStatus(654322, "OPEN", recipient="email2@mail.com"),
                    ),
                    (BulkError("email3@mail", "The recipient's email address is incorrect"),),
                )
            ],
        )
    ],
    "smsby.subscriptions.unsubscribe": [
        ({"email": "anna@mail.by", "list_ids": [1, 2], "reason": "asked"}, None)
    ],
    "smsby.subscriptions.subscribe": [({"email": "anna@mail.by", "list_ids": [1]}, None)],
    "smsby.templates.list": [
        ({}, [Template(11, "Template name"), Template(12, "Name of the second template")])
    ],
    "smsby.mailing_lists.create": [({"name": "Autumn"}, 3434)],
    "smsby.mailing_lists.import_contacts": [
        (
            {"list_id": 7, "field_names": ["email", "name"], "rows": [["anna@mail.by", "Anna"]]},
            Imported(1, 0, 1, (ImportProblem(1, "Invalid email"),)),
        )
    ],
}

ROWS = [row for row in CATALOGUE["operations"] if row["service"] in CLIENTS]


@attrs.frozen
class Sent:
    """A request as a server would read it: the names of its parameters by their place."""

    verb: str
    path: str
    query: set[str]
    body: set[str]
    encoding: str


def sent(verb: str, url: Any, data: bytes | None, headers: Mapping[str, str]) -> Sent:
    query = {_name(key) for key, _ in parse_qsl(url.raw_query_string, keep_blank_values=True)}
    kind = headers.get("Content-Type", "")
    if data is None:
        return Sent(verb, url.raw_path, query, set(), "none")
    if kind == "application/json":
        return Sent(verb, url.raw_path, query, set(json.loads(data)), "json")
    if kind == "application/x-www-form-urlencoded":
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        names = [key for key, _ in pairs]
    else:
        message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + data)
        assert message.is_multipart()
        parts = message.get_payload()
        names = [str(part.get_param("name", header="content-disposition")) for part in parts]  # type: ignore[union-attr]
    return Sent(verb, url.raw_path, query, {_name(name) for name in names}, "form")


def _name(key: str) -> str:
    return key.partition("[")[0]


def method_of(client: Client, row: Mapping[str, Any]) -> Bound[..., object]:
    service, resource, name = row["id"].split(".")
    assert client.name == service
    method = getattr(getattr(client, resource), name)
    assert isinstance(method, Bound)
    return method


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
async def test_a_row_of_the_catalogue_is_spoken(row: dict[str, Any], wire: aioresponses) -> None:
    names = {place: _names(row, place) for place in ("query", "body", "path")}
    said: set[str] = set()
    for arguments, value in SAMPLES[row["id"]]:
        seen: list[Sent] = []

        def answer(url: Any, *, seen: list[Sent] = seen, **request: Any) -> CallbackResult:
            seen.append(sent(row["method"], url, request["data"], request["headers"]))
            return CallbackResult(body=json.dumps(row["response_example"]))

        wire.add(re.compile(re.escape(URL)), row["method"], callback=answer)
        async with CLIENTS[row["service"]]() as client:
            assert await method_of(client, row)(**arguments) == value
        (request,) = seen
        assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", row["path"]), request.path)
        assert request.encoding == row.get("body", "none")
        assert request.query <= names["query"]
        assert request.body <= names["body"]
        said |= request.query | request.body
    assert said == names["query"] | names["body"], "some parameter is never sent"


def _names(row: Mapping[str, Any], place: str) -> set[str]:
    usual = "query" if row.get("body", "none") == "none" else "body"
    return {one["name"] for one in row.get("params", ()) if one.get("in", usual) == place}


def test_no_method_stands_outside_the_catalogue() -> None:
    for service, make in CLIENTS.items():
        client = make()
        known = {row["id"] for row in ROWS if row["service"] == service}
        found = {
            f"{service}.{resource}.{name}"
            for resource, kind in vars(type(client)).items()
            if hasattr(kind, "cls")
            for name, method in vars(kind.cls).items()
            if hasattr(method, "route")
        }
        assert found == known == {row_id for row_id in SAMPLES if row_id.startswith(service)}


async def taken(client: SmsBy, bulk: BulkSent) -> list[EmailStatus]:
    return [one for message in await client.bulk.status(bulk.uuid) for one in message.success]


async def use_all_of_smsby(client: SmsBy) -> None:
    letter: dict[str, Any] = {"sender": "Shop <news@shop.by>", "subject": "Ж", "html": "<p>Ж</p>"}
    assert (await client.emails.send(**letter, to="anna@mail.by")).email_id
    assert (await client.emails.send(**letter, to="anna@mail.by", attachment=_FILE)).email_id
    list_id = await client.mailing_lists.create("Autumn")
    rows: list[list[str | None]] = [["anna@mail.by", "Anna"], ["no address", None]]
    imported = await client.mailing_lists.import_contacts(list_id, ["email", "name"], rows)
    assert (imported.inserted, imported.invalid, len(imported.log)) == (1, 1, 1)
    sending = await client.emails.send_to_list(**letter, list_id=list_id)
    (status,) = await client.emails.delivery_list(sending.message_id)
    assert status.address == "anna@mail.by"
    bulk = await client.bulk.send(**letter, delivery_list=["anna@mail.by", "boris@mail.by"])
    assert {one.address for one in await taken(client, bulk)} == {"anna@mail.by", "boris@mail.by"}
    letters = [PersonalLetter(f"n{n}@mail.by", f"Ж{n}", "<p>Ж\r\n--</p>") for n in range(300)]
    bulk = await client.bulk.send(sender="news@shop.by", delivery_list=letters)
    found = [one.address for one in await taken(client, bulk)]
    assert sorted(found) == sorted(one.email for one in letters)
    await client.subscriptions.unsubscribe("anna@mail.by", [list_id], "asked")
    await client.subscriptions.subscribe("anna@mail.by")
    assert all(isinstance(one, Template) for one in await client.templates.list())


@pytest.mark.parametrize("multipart", [True, False])
async def test_every_row_of_sms_by_is_understood_by_the_sandbox(multipart: bool) -> None:
    async with (
        Sandbox(seed=1) as sandbox,
        SmsBy(sandbox.smsby.token, sandbox.url, multipart=multipart) as client,
    ):
        await use_all_of_smsby(client)
        assert set(sandbox.requests) == {row["id"] for row in ROWS if row["service"] == "smsby"}
