"""Whatever comes in, the services answer in their own words, and the sandbox never breaks."""

import json
import logging
import re
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from mailkit.sandbox import Sandbox
from mailkit.sandbox.sendpulse import SendPulse

from .conftest import Api, JsonApi

FORM = "application/x-www-form-urlencoded"
DEEP = "[" * 5_000
FIELDS = {
    "smsby": "token email message_id uuid list_id list_ids name d_schedule track_open track_click "
    "sender_email sender_name subject message message_type delivery_list delivery_list[0] "
    "delivery_list[0][email] field_names field_names[0] data data[0][0] attachment",
    "devino": "Recipients Sender Subject Body AttachmentsIds CheckUnsubscription category file",
    "sendpulse": "grant_type client_id client_secret bookName name emails email phone variables "
    "tags sender_email sender_name subject body template_id list_id segment_id send_date type "
    "is_test use_dynamic_list attachments attachments_binary stats body_amp send_test_only "
    "confirmation message_lang lang code url actions actions[] comment limit offset order status "
    "status[] active not_active planed owner",
}
TEXTS = [
    "",
    " ",
    "9" * 5_000,
    "-1",
    "1e999",
    "²³",
    "٣",
    "0001-01-01 00:00",
    "9999-12-31 23:59",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59",
    "a@b.by",
    "bounce@b.by",
    "opens@b.by",
    "@",
    "a@" + "b." * 120 + "by",
    "\0\x1b[2J\r\nX: y",
    "\ufeff\u2028\U0010ffff",
    DEEP,
    '{"a":' * 500,
    "[" * 70 + "]" * 70,
    '["a@b.by"]',
    'a:1:{i:0;s:6:"a@b.by";}',
    "a:1:{i:0;" * 500 + "}",
    "a:999999999:{}",
    '[{"email": "a@b.by", "variables": {"x": 1e308}}]',
    '{"x.pdf": ""}',
    "PGI+W1Vuc3Vic2NyaWJlXTwvYj4=",
    "http://[::1%25x]:99999/",
    "http://\udcff",
    "force",
    "draft",
    "personal",
    "[Unsubscribe][a][[b]]",
    "422326",
]
VALUES: list[Any] = [
    *(text for text in TEXTS if "\udcff" not in text),
    None,
    True,
    0,
    -1,
    10**400,
    1e308,
    [],
    {},
    [None],
    [[[]]],
    ["a@b.by", "opens@b.by"],
    [{"Address": "a@b.by", "MergeFields": {"a": [1]}, "ExtraData": {"status": {}}}],
    [{"Address": "\0", "MergeFields": None}],
    [{"email": "a@b.by", "variables": {"Phone": "²", "": None, "when": "2020-01-01"}}],
    [{"name": "when", "value": "9999-99-99"}, {"name": "Phone", "value": 10**300}],
    {"Address": "news@shop.by", "Name": "x" * 200},
    {"Html": "<p>[Unsubscribe] [a]</p>"},
    {"opens": True, "clicks": 0},
    {"a": {"b": [{"c": []}]}},
]
GOOD: dict[str, dict[str, Any]] = {
    "smsby": {"token": "sandbox-token", "sender_email": "a@b.by", "subject": "x", "message": "x",
              "email": "a@b.by", "delivery_list[0]": "a@b.by", "list_id": "3434"},
    "devino": {"Recipients": [{"Address": "a@b.by"}], "Sender": {"Address": "a@b.by"},
               "Subject": "x", "Body": {"Html": "[Unsubscribe]"}},
    "sendpulse": {"bookName": "x", "name": "x", "email": "a@b.by", "emails": ["a@b.by"],
                  "sender_name": "x", "sender_email": "news@shop.by", "subject": "x",
                  "body": "eA==", "list_id": 422326, "lang": "en", "phone": "²"},
}  # fmt: skip


def requests(rng: Random) -> Iterator[tuple[str, str, str, bytes]]:
    """Method, path, content type and body, for every operation in turn, without an end."""
    paths = [route.split(" ") for one in SendPulse.endpoints for route in one.routes]
    names = ("sendEmail sendEmailByList getEmailDeliveryList sendBulkEmail statusBulkEmail "
             "unsubscribeEmail subscribeEmail getEmailTemplates createSubscriberList "
             "importContacts")  # fmt: skip
    while True:
        for name in names.split():
            yield "POST", f"/api/v2/{name}{_query(rng, 'smsby')}", *_form(rng, "smsby")
        for path in ("/email/messages", "/files/files?category=EMAIL_ATTACHMENT"):
            yield "POST", path, *(rng.choice((_json, _json, _form))(rng, "devino"))
        for method, path in paths:
            for name in ("id", "email", "name", "value", "slug", "lang", "currency"):
                there = rng.choice((b"422326", b"a@b.by", b"9" * 2_000, _short(rng)))
                path = path.replace(f"{{{name}}}", quote(there, ""))
            body = rng.choice((_json, _json, _form))(rng, "sendpulse")
            yield method, path + _query(rng, "sendpulse"), *body
        for order in ("faults", "truth/compare", "advance", "deliver"):
            value = rng.choice([*VALUES, {"seconds": rng.choice(VALUES)}, {"kind": "cut_json"}])
            value = {"kind": rng.choice(VALUES)} if order == "faults" else value
            yield "POST", f"/sandbox/{order}", "application/json", json.dumps(value).encode()


def _fields(rng: Random, service: str) -> dict[str, Any]:
    fields = dict(GOOD[service]) if rng.random() < 0.8 else {}
    for name in rng.sample(FIELDS[service].split(), rng.randrange(4)):
        fields[name] = rng.choice(VALUES)
    return fields


def _json(rng: Random, service: str) -> tuple[str, bytes]:
    body = json.dumps(_fields(rng, service) if rng.random() < 0.9 else rng.choice(VALUES))
    return "application/json", (body if rng.random() < 0.95 else body[: len(body) // 2]).encode()


def _form(rng: Random, service: str) -> tuple[str, bytes]:
    pairs = [
        (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in _fields(rng, service).items()
    ]
    if rng.random() < 0.5:
        return FORM, "&".join(f"{name}={quote(value)}" for name, value in pairs).encode()
    head = 'Content-Disposition: form-data; name="{}"'
    file = '; filename="{}"'.format(rng.choice(("x.pdf", "", "../x", "\0.png", "ж.txt")))
    parts = (
        "--x\r\n" + head.format(name) + file * (name == "file") + f"\r\n\r\n{value}\r\n"
        for name, value in pairs
    )
    end = "--x--\r\n" if rng.random() < 0.9 else ""
    return "multipart/form-data; boundary=x", ("".join(parts) + end).encode()


def _query(rng: Random, service: str) -> str:
    chosen = rng.sample(FIELDS[service].split(), rng.randrange(3))
    return "?" + "&".join(f"{name}={quote(_short(rng))}" for name in chosen)


def _short(rng: Random) -> bytes:
    """A text that has room in a request's first line."""
    return rng.choice(TEXTS)[:500].encode(errors="surrogateescape")


@pytest.mark.parametrize("body", [DEEP, "[" * 65 + "]" * 65, '{"a":' * 65 + "1" + "}" * 65])
async def test_deep_json_is_a_bad_request(
    body: str, api: Api, devino: JsonApi, sendpulse: JsonApi
) -> None:
    faults = re.compile("nested|truncated")  # Python 3.13 sees that the first one has no end
    headers = {"Content-Type": "application/json", "Authorization": "Key sandbox-key"}
    async with api.session.post("/email/messages", data=body, headers=headers) as response:
        assert response.status == 400
        reason = (await response.json())["Reasons"][0]
        assert reason["Key"] == "validation.request.malformed"
        assert faults.search(reason["Message"])
    async with api.session.post("/addressbooks", data=body, headers=headers) as response:
        assert response.status == 422
        assert faults.search((await response.json())["message"])
    answer = await sendpulse("POST", "/tags/pin/email", {"email": "a@b.by", "tags": body})
    assert answer.value["message"] == "The tags field is not a valid array."


async def test_json_may_be_as_deep_as_anybody_needs(devino: JsonApi, sandbox: Sandbox) -> None:
    deep = json.loads('{"a":' * 60 + "1" + "}" * 60)
    recipient = {"Address": "a@b.by", "MergeFields": {"a": deep}, "ExtraData": deep}
    message = {**GOOD["devino"], "Recipients": [recipient]}
    assert (await devino("POST", "/email/messages", message)).status == 200
    assert sandbox.truth.count("a@b.by") == 1


@pytest.mark.parametrize("number", ["9" * 5_000, "²", "٣"])
async def test_odd_numbers_are_no_numbers(
    number: str, api: Api, sendpulse: JsonApi, sandbox: Sandbox
) -> None:
    assert (await api("getEmailDeliveryList", message_id=number)).status == 421
    assert (await api("unsubscribeEmail", email="a@b.by", list_ids=number)).status == 404
    sandbox.sendpulse.settings.quirks = True
    book = (await sendpulse("POST", "/addressbooks", {"bookName": "x"})).value["id"]
    path, contact = f"/addressbooks/{book}", {"email": "a@b.by", "phone": number}
    await sendpulse("POST", f"{path}/emails", {"emails": ["a@b.by"]})
    await sendpulse("PUT", f"{path}/phone", contact)
    for _ in range(20):  # each time in a shape chosen by chance
        answer = await sendpulse("GET", f"{path}/emails/a%40b.by")
        assert answer.value["phone"] == number


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_breaks_the_sandbox(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    rng = Random(seed)
    statuses = set()
    async with Sandbox(speed=0, seed=seed) as sandbox, aiohttp.ClientSession() as session:
        settings = sandbox.sendpulse.settings
        settings.requests_per_second = settings.campaigns_per_hour = settings.tests_per_hour = None
        settings.any_sender, settings.timezone = True, rng.choice(("UTC", "Asia/Tokyo"))
        for method, path, kind, body in islice(requests(rng), 800):
            devino = path.startswith(("/email/", "/files/"))
            key = "Key sandbox-key" if devino else "Bearer sandbox-api-key"
            headers = {"Content-Type": kind, "Authorization": key}
            url = URL(sandbox.url + path, encoded=True)
            async with session.request(method, url, data=body, headers=headers) as response:
                found = await response.read()
                assert response.status < 500, (method, path, kind, body, found)
                json.loads(found)
                statuses.add(response.status)
            sandbox.faults.clear()
    assert {200, 400, 404, 421, 422} <= statuses
    assert [record.getMessage() for record in caplog.records] == []
