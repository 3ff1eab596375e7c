from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mailkit import BulkSender, Message, SmsBy, read_recipients
from mailkit.address import Address
from mailkit.core.wire import Response
from mailkit.errors import InvalidArgument, OutcomeUnknown
from mailkit.events import DeliveryStatus
from mailkit.providers.smsby import BulkError, PersonalMessage, SendBulkResult
from mailkit.sandbox import Sandbox, SmsBySettings

from ...core.doubles import Script, response
from .doubles import client, form, is_multipart, sample

UUID = "0c5d3a52-1111-2222-3333-444455556666"
OK = response(200, {"status": "OK", "result": {"uuid": UUID}})
LETTERS = [PersonalMessage("anna@mail.by", "Анна", "1\r\n"), PersonalMessage("b@c.by", "", b"")]


async def test_one_letter_to_many() -> None:
    script = Script(OK)
    addresses: list[str | Address] = ["anna@mail.by", Address("boris@mail.by")]
    sent = await client(script).bulk.send(
        sender="Shop <news@shop.by>",
        subject="s",
        html="h",
        name="autumn #1",
        delivery_list=addresses,
    )
    assert sent == SendBulkResult(UUID)
    assert not is_multipart(script)
    assert form(script) == {
        "sender_email": "news@shop.by",
        "sender_name": "Shop",
        "subject": "s",
        "message": "h",
        "name": "autumn #1",
        "message_type": "bulk",
        "delivery_list[0]": "anna@mail.by",
        "delivery_list[1]": "boris@mail.by",
        "token": "TOKEN",
    }


@pytest.mark.parametrize("multipart", [True, False])
async def test_personal_letters_are_multipart_unless_that_is_off(multipart: bool) -> None:
    script = Script(OK)
    await client(script, multipart=multipart).bulk.send(sender="a@b.by", delivery_list=LETTERS)
    assert is_multipart(script) is multipart
    assert form(script) == {
        "sender_email": "a@b.by",
        "message_type": "personal",
        "delivery_list[0][email]": "anna@mail.by",
        "delivery_list[0][subject]": "Анна",
        "delivery_list[0][message]": "1\r\n",
        "delivery_list[1][email]": "b@c.by",
        "delivery_list[1][subject]": "",
        "delivery_list[1][message]": "",
        "token": "TOKEN",
    }


@pytest.mark.parametrize("multipart", [True, False])
async def test_the_first_message_is_repeated_at_the_top_where_that_is_set(multipart: bool) -> None:
    script = Script(OK, OK)
    smsby = client(script, multipart=multipart, text_at_top=True)
    await smsby.bulk.send(sender="a@b.by", delivery_list=LETTERS)
    sent = form(script)
    assert (sent["subject"], sent["message"]) == ("Анна", "1\r\n")
    assert list(sent)[-1] == "token"
    await smsby.bulk.send(sender="a@b.by", subject="s", html="h", delivery_list=["a@b.by"])


async def test_an_empty_id_is_no_success() -> None:
    nothing: tuple[object, ...] = ("", None, " ", 0)
    for uuid in nothing:
        for tree in (
            {"uuid": uuid},
            {"status": "OK", "uuid": uuid},
            {"success": "OK", "uuid": uuid},
            {"status": "OK", "result": {"uuid": uuid}},
            {"status": "success", "data": {"uuid": uuid}},
        ):
            with pytest.raises(OutcomeUnknown):
                await client(Script(response(200, tree))).bulk.send(
                    sender="a@b.by", subject="s", html="h", delivery_list=["a@b.by"]
                )


async def test_a_job_repeats_a_message_at_the_top_where_the_service_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = Message("news@shop.by", "Hello {{ name }}", html="<p>Hi {{ name }}</p>")
    people = [{"email": f"n{n}@mail.by", "name": f"N{n}"} for n in range(3)]
    settings = SmsBySettings(text_at_top=True)
    async with Sandbox(speed=0, seed=1, smsby=settings) as sandbox:
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        for top, accepted in (("", 0), ("0", 0), ("1", 3)):
            monkeypatch.setenv("MAILKIT_SMSBY_TEXT_AT_TOP", top)
            place = tmp_path / f"{top}.db"
            async with SmsBy.from_env() as smsby, BulkSender(smsby, journal=place) as sender:
                job = await sender.start(message, read_recipients(people))
                assert (await job.wait()).counts.accepted == accepted
        assert sandbox.truth.emails == 3
        assert not sandbox.truth.mailed_twice
    monkeypatch.setenv("MAILKIT_SMSBY_TEXT_AT_TOP", "yes")
    with pytest.raises(InvalidArgument, match="MAILKIT_SMSBY_TEXT_AT_TOP: give 1 or 0, not 'yes'"):
        SmsBy.from_env()


@pytest.mark.parametrize("multipart", [True, False])
async def test_the_token_stands_last_so_that_a_cut_form_is_refused(multipart: bool) -> None:
    script = Script(OK)
    await client(script, multipart=multipart).bulk.send(
        sender="a@b.by", delivery_list=LETTERS * 400
    )
    assert list(form(script))[-1] == "token"


@pytest.mark.parametrize(
    "wrong",
    [
        {"delivery_list": []},
        {"delivery_list": "a@b.by"},
        {"delivery_list": ["a@b.by\n"]},
        {"delivery_list": ["a@b.by", 7]},
        {"delivery_list": ["a@b.by"], "subject": None},
        {"delivery_list": ["a@b.by"], "html": None},
        {"delivery_list": LETTERS},
        {"delivery_list": LETTERS, "subject": None},
        {"delivery_list": [*LETTERS, "a@b.by"], "subject": None, "html": None},
        {"delivery_list": ["a@b.by", *LETTERS]},
        {"delivery_list": [PersonalMessage("a@b.by\r", "", "")], "subject": None, "html": None},
        {"delivery_list": [PersonalMessage("a@b.by", "\u2028", "")], "subject": None, "html": None},
        {"delivery_list": [PersonalMessage("a@b.by", "", "\udc00")], "subject": None, "html": None},
        {"delivery_list": ["a@b.by"], "name": "a\0b"},
    ],
)
async def test_what_cannot_be_sent_is_refused_before_the_network(wrong: dict[str, Any]) -> None:
    script = Script()
    letter: dict[str, Any] = {"sender": "a@b.by", "subject": "s", "html": "h"}
    with pytest.raises(InvalidArgument):
        await client(script).bulk.send(**letter | wrong)
    assert script.requests == []


async def test_white_space_that_is_no_line_break_may_stand_in_a_subject() -> None:
    script = Script(OK)
    letters = [PersonalMessage("a@b.by", "1\u00a0000", "")]
    await client(script).bulk.send(sender="a@b.by", delivery_list=letters)
    assert form(script)["delivery_list[0][subject]"] == "1\u00a0000"


@pytest.mark.parametrize("name", ["bulk_sent_without_result", "bulk_sent_under_data"])
async def test_the_uuid_is_found_in_any_envelope(name: str) -> None:
    sent = await client(Script(sample(name))).bulk.send(sender="a@b.by", delivery_list=LETTERS)
    assert sent == SendBulkResult(UUID)


@pytest.mark.parametrize(
    "result",
    [
        None, [], {}, {"uuid": None}, {"uuid": ""}, {"uuid": " "}, {"uuid": 7}, {"uuid": ["x"]},
        {"uuid": "a b"}, {"uuid": "x" * 201}, {"uuid": True}, {"id": 1}, "x", [{"uuid": "x"}],
    ],
)  # fmt: skip
async def test_a_success_without_a_uuid_leaves_the_outcome_unknown(result: object) -> None:
    script = Script(response(200, {"status": "OK", "result": result}))
    with pytest.raises(OutcomeUnknown):
        await client(script).bulk.send(sender="a@b.by", delivery_list=LETTERS)


async def test_the_status_is_a_list_of_messages_with_partial_failures_as_data() -> None:
    first, second = await client(Script(sample("bulk_status"))).bulk.status(UUID)
    assert (first.message_id, second.message_id) == (71, 72)
    assert (first.sender_name, second.sender_name) == (None, "Shop")
    assert [one.address for one in (*first.success, *second.success)] == [
        "anna@mail.by",
        "vera@mail.by",
    ]
    assert [one.delivery for one in second.success] == [DeliveryStatus.OPENED]
    assert first.errors == (BulkError("boris@mail", "Wrong address"),)
    assert first.errors[0].address == "boris@mail"
    assert second.errors == ()


@pytest.mark.parametrize("accepted", ["email", "recipient"])
@pytest.mark.parametrize("refused", ["email", "recipient"])
async def test_an_address_is_its_email_or_its_recipient(accepted: str, refused: str) -> None:
    said = {
        "message_id": "1",
        "success": [{"email_id": "1", accepted: " a@b.by", "status": "OPEN"}],
        "errors": [{refused: " c@d.by", "error": "Wrong address"}],
    }
    script = Script(response(200, {"status": "OK", "result": [said]}))
    (message,) = await client(script).bulk.status(UUID)
    assert [one.address for one in message.success] == ["a@b.by"]
    assert [one.address for one in message.errors] == ["c@d.by"]


@pytest.mark.parametrize("key", ["email", "recipient"])
async def test_a_job_knows_who_was_refused_by_either_key(tmp_path: Path, key: str) -> None:
    people = ["anna@mail.by", "invalid@mail.by"]
    settings = SmsBySettings(error_key=key)
    async with (
        Sandbox(speed=0, seed=1, smsby=settings) as sandbox,
        SmsBy(settings.token, url=sandbox.environment()["MAILKIT_SMSBY_URL"]) as smsby,
        BulkSender(smsby, journal=tmp_path / "journal.db") as sender,
    ):
        job = await sender.start(
            Message("news@shop.by", "Hello", html="<p>Hi"), read_recipients(people)
        )
        counts = (await job.wait()).counts
    assert (counts.accepted, counts.rejected, counts.in_doubt) == (1, 1, 0)


def rows(count: int, **change: object) -> Response:
    row = {"email_id": "1", "recipient": "a@b.by", "status": "OPEN", "error": None} | change
    tree = {"status": "OK", "result": [{"message_id": "1", "success": [row] * count, "errors": []}]}
    return Response(200, {}, json.dumps(tree).encode())


@pytest.mark.parametrize("change", [{}, {"status": 7}, {"error": 5}, {"email_id": ""}])
async def test_a_long_status_is_read_whole_in_any_shape(change: dict[str, object]) -> None:
    (message,) = await client(Script(rows(10_000, **change))).bulk.status(UUID)
    assert len(message.success) == 10_000
    assert {one.address for one in message.success} == {"a@b.by"}


@pytest.mark.parametrize("nothing", [None, "", "e@f.by"])
@pytest.mark.parametrize("numbered", [False, True])
async def test_a_row_that_tells_nothing_costs_none_of_the_others(
    nothing: object, numbered: bool
) -> None:
    accepted: list[object] = [nothing, {"email_id": "1", "recipient": "a@b.by"}]
    refused: list[object] = [{"email": "c@d.by", "error": None}, nothing]
    said = {
        "message_id": "1",
        "success": dict(enumerate(accepted)) if numbered else accepted,
        "errors": dict(enumerate(refused)) if numbered else refused,
    }
    script = Script(response(200, {"status": "OK", "result": [{"success": None}, said]}))
    empty, message = await client(script).bulk.status(UUID)
    assert (empty.success, empty.errors) == ((), ())
    assert [one.address for one in message.success] == ["a@b.by"]
    assert [one.address for one in message.errors] == ["c@d.by"]


@pytest.mark.parametrize("result", [{}, "", 7, [7], [{"success": 7}], [{"success": [7]}]])
async def test_a_status_of_another_shape_is_an_error(result: Sequence[object]) -> None:
    bad = response(200, {"status": "OK", "result": result})
    with pytest.raises(Exception, match=r"smsby\.bulk\.status: "):
        await client(Script(bad, bad, bad)).bulk.status(UUID)
