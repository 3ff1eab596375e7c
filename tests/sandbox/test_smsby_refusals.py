from typing import Any

import aiohttp
import pytest

from mailkit.sandbox import Sandbox, SmsBySettings

from .conftest import BULK, MESSAGE, Api, Socket, request_bytes

PERSONAL = {
    "sender_email": "news@shop.by",
    "message_type": "personal",
    "delivery_list[0][email]": "anna@mail.by",
    "delivery_list[0][subject]": "Hi",
    "delivery_list[0][message]": "Text",
}


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("sendEmail", {"email": "anna@mail.by", "sender_email": ""}, 400),
        ("sendEmail", {"email": "anna@mail.by", "subject": ""}, 400),
        ("sendEmail", {"email": "anna@mail.by", "message": ""}, 400),
        ("sendEmail", {}, 400),
        ("sendEmail", {"email": "anna@mail"}, 421),
        ("sendEmail", {"email": "invalid@mail.by"}, 421),
        ("sendEmail", {"email": "unsubscribed@mail.by"}, 200),
        ("sendEmail", {"email": "anna@mail.by", "sender_email": "news"}, 421),
        ("sendEmail", {"email": "anna@mail.by", "track_open": "yes"}, 421),
        ("sendEmail", {"email": "anna@mail.by", "track_click": "2"}, 421),
        ("sendEmail", {"email": "anna@mail.by", "d_schedule": "31.12.2030 12:00"}, 421),
        ("sendEmail", {"email": "anna@mail.by", "d_schedule": "2030-12-31 12:00:00"}, 421),
        ("sendEmail", {"email": "anna@mail.by", "d_schedule": "2030-02-30 12:00"}, 421),
        ("sendBulkEmail", {**BULK, "sender_email": ""}, 400),
        ("sendBulkEmail", {**BULK, "subject": ""}, 400),
        ("sendBulkEmail", {**BULK, "message": ""}, 400),
        ("sendBulkEmail", {**BULK, "message_type": "mass"}, 421),
        ("sendBulkEmail", {**BULK, "d_schedule": "tomorrow"}, 421),
        ("sendBulkEmail", {"delivery_list": "anna@mail.by"}, 421),
        ("sendBulkEmail", {}, 200),
        ("sendEmailByList", {}, 400),
        ("sendEmailByList", {"list_id": "1"}, 404),
        ("sendEmailByList", {"list_id": "x"}, 421),
    ],
)
async def test_a_refused_call_mails_nobody(
    name: str, fields: dict[str, str], status: int, api: Api, sandbox: Sandbox
) -> None:
    answer = await api.post(name, {**MESSAGE, **fields})
    assert answer.status == status
    assert "error" in answer.value or answer.value["status"] == "error"
    assert sandbox.truth.emails == 0


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("statusBulkEmail", {"uuid": "cc9c8043-8caf-11ef-b035-9e8f47954dec"}, 200),
        ("statusBulkEmail", {}, 400),
        ("getEmailDeliveryList", {"message_id": "1"}, 200),
        ("getEmailDeliveryList", {"message_id": "first"}, 421),
        ("getEmailDeliveryList", {}, 400),
        ("unsubscribeEmail", {}, 400),
        ("unsubscribeEmail", {"email": "anna"}, 421),
        ("unsubscribeEmail", {"email": "anna@mail.by", "list_ids": "7"}, 404),
        ("subscribeEmail", {"email": "anna@mail.by", "list_ids": "a,b"}, 404),
        ("createSubscriberList", {}, 400),
        ("importContacts", {"list_id": "1", "field_names[]": "email"}, 400),
        ("importContacts", {"list_id": "1", "field_names[]": "email", "data[0][0]": "x"}, 404),
    ],
)
async def test_other_refusals(name: str, fields: dict[str, str], status: int, api: Api) -> None:
    answer = await api.post(name, fields)
    assert answer.status == status
    assert "error" in answer.value or answer.value["status"] == "error"


@pytest.mark.parametrize(
    "fields",
    [
        {"field_names": "email", "data[0][0]": "a@b.by"},
        {"field_names[]": "email", "data": "a@b.by"},
        {"field_names[]": "name", "data[0][0]": "a@b.by"},
        {"field_names[]": "email", **{f"data[{row}][0]": f"a{row}@b.by" for row in range(501)}},
        {"data[0][0]": "x", **{f"field_names[{col}]": f"email{col}" for col in range(31)}},
    ],
)
async def test_imports_of_the_wrong_form(fields: dict[str, str], api: Api) -> None:
    list_id = (await api("createSubscriberList", name="Autumn")).result["list_id"]
    assert (await api.post("importContacts", {**fields, "list_id": list_id})).status == 421


async def test_the_refusals_have_several_shapes(api: Api) -> None:
    assert (await api("sendEmail")).value.keys() == {"error"}
    assert (await api("sendEmail", **MESSAGE, email="x")).value.keys() == {"status", "message"}
    assert (await api("sendBulkEmail", **MESSAGE)).value.keys() == {"error"}
    assert (await api("sendEmailByList", **MESSAGE, list_id=1)).value["status"] == "error"


@pytest.mark.parametrize("token", ["", "wrong", "sandbox-token "])
async def test_a_wrong_token_is_refused_at_http_200(token: str, api: Api, sandbox: Sandbox) -> None:
    answer = await api("sendEmail", **MESSAGE, email="anna@mail.by", token=token)
    assert answer.status == 200
    assert "token" in answer.value["error"].lower()
    assert sandbox.truth.emails == 0


async def test_a_wrong_token_can_be_refused_at_http_401() -> None:
    settings = SmsBySettings(token="other", token_error_status=401)
    async with (
        Sandbox(smsby=settings) as sandbox,
        aiohttp.ClientSession(sandbox.url) as session,
    ):
        assert sandbox.environment()["MAILKIT_SMSBY_TOKEN"] == "other"
        wrong = await Api(session, "sandbox-token")("getEmailDeliveryList", message_id=1)
        assert wrong.status == 401
        right = await Api(session, "other")("getEmailDeliveryList", message_id=1)
        assert right.value["message"] == "Message not found"


@pytest.mark.parametrize(
    "options",
    [
        {"params": {"token": "sandbox-token"}, "data": {"uuid": "x"}},
        {"headers": {"Authorization": "Bearer sandbox-token"}, "data": {"uuid": "x"}},
        {"json": {"token": "sandbox-token", "uuid": "x"}},
        {"data": b"token=sandbox-token&uuid=x"},
    ],
)
async def test_the_token_of_a_form_call_is_looked_for_in_the_form(
    options: dict[str, Any], api: Api
) -> None:
    async with api.session.post("/api/v2/statusBulkEmail", **options) as response:
        assert "token" in (await response.json())["error"]


async def test_the_token_of_the_templates_is_looked_for_in_the_query(api: Api) -> None:
    assert "token" in (await api("getEmailTemplates")).value["error"]
    query = {"token": api.token}
    async with api.session.post("/api/v2/getEmailTemplates", params=query) as response:
        assert [row["id"] for row in (await response.json())["result"]] == [11, 12]


async def test_fields_beyond_max_input_vars_vanish(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.max_input_vars = 6
    many = {f"delivery_list[{i}]": f"person{i}@mail.by" for i in range(5)}
    await api.post("sendBulkEmail", {**MESSAGE, **many})  # with the token: four fields before them
    assert set(sandbox.truth.mailed) == {"person0@mail.by", "person1@mail.by"}


async def test_multipart_fields_vanish_too(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.max_input_vars = 6
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    fields = {"token": api.token, **PERSONAL, "delivery_list[1][email]": "boris@mail.by"}
    for name, value in fields.items():
        form.add_field(name, value)
    async with api.session.post("/api/v2/sendBulkEmail", data=form) as response:
        assert (await response.json())["status"] == "OK"
    assert set(sandbox.truth.mailed) == {"anna@mail.by"}


async def test_a_body_that_is_too_large_leaves_no_fields(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.post_max_size = 1000
    answer = await api("sendEmail", **{**MESSAGE, "message": "x" * 1000}, email="anna@mail.by")
    assert "token" in answer.value["error"]
    assert sandbox.truth.emails == 0
    assert (await api("sendEmail", **MESSAGE, email="anna@mail.by")).result


async def test_a_broken_multipart_body_is_a_bad_request(api: Api, sandbox: Sandbox) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nsandbox-token\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with api.session.post("/api/v2/sendEmail", data=body, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["status"] == "error"
    assert sandbox.requests["smsby.emails.send"] == 1


async def test_a_compressed_body_is_not_unpacked(api: Api) -> None:
    form = {"token": api.token, "uuid": "x"}
    async with api.session.post("/api/v2/statusBulkEmail", data=form, compress="deflate") as got:
        assert "token" in (await got.json())["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v2/sendEmail"), ("POST", "/api/v2/sendEMail"), ("POST", "/"), ("PUT", "/x")],
)
async def test_other_paths_and_methods_are_not_found(
    method: str, path: str, api: Api, sandbox: Sandbox
) -> None:
    async with api.session.request(method, path, data=b"x") as response:
        assert response.status == 404
        assert (await response.json())["status"] == "error"
    assert sandbox.requests == {"unknown": 1}


async def test_more_requests_than_allowed_are_told_to_wait(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.requests_per_second = 2
    statuses = [(await api("sendEmail", **MESSAGE, email="anna@mail.by")).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert sandbox.truth.emails == 2
    answer = await api("statusBulkEmail", uuid="x")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    sandbox.clock.advance(1)
    assert (await api("sendEmail", **MESSAGE, email="anna@mail.by")).status == 200


async def test_a_rate_below_one_a_second(api: Api, sandbox: Sandbox) -> None:
    sandbox.smsby.settings.requests_per_second = 0.25
    await api("statusBulkEmail", uuid="x")
    answer = await api("statusBulkEmail", uuid="x")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "4")
    sandbox.clock.advance(4)
    assert (await api("statusBulkEmail", uuid="x")).status == 200


async def test_expect_continue_is_answered(connect: Any) -> None:
    socket: Socket = await connect()
    head, _, body = request_bytes("statusBulkEmail", {"token": "x"}, close=True).partition(
        b"\r\n\r\n"
    )
    socket.writer.write(head + b"\r\nExpect: 100-continue\r\n\r\n")
    assert (await socket.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    socket.writer.write(body)
    assert (await socket.answer())[0] == 200
