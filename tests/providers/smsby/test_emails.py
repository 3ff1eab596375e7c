from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.address import Address
from mailkit.attachment import Attachment
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument, OutcomeUnknown
from mailkit.events import DeliveryStatus
from mailkit.providers.smsby import EmailStatus, SendEmailResult, SendToListResult
from mailkit.providers.smsby.fields import FileLike, moment

from ...core.doubles import Script, response
from .doubles import client, form, is_multipart, sample

OK = response(200, {"status": "OK", "result": {"email_id": 7}})
SENDER = "Shop <news@shop.by>"


async def test_a_letter_is_sent_in_the_service_s_words() -> None:
    script = Script(OK)
    sent = await client(script).emails.send(
        sender=SENDER,
        to="Анна <anna@Mail.BY>",
        subject="Осень & зима",
        html="<p>1+1=2; 100%</p>\r\n",
        send_at=datetime(2030, 5, 1, 9, 0, 1, tzinfo=UTC),
        track_opens=False,
        track_clicks=True,
    )
    assert sent == SendEmailResult(7)
    assert script.requests[0][:2] == ("POST", "https://app.sms.by/api/v2/sendEmail")
    assert form(script) == {
        "sender_email": "news@shop.by",
        "sender_name": "Shop",
        "email": "anna@mail.by",
        "subject": "Осень & зима",
        "message": "<p>1+1=2; 100%</p>\r\n",
        "d_schedule": "2030-05-01 12:01",
        "track_open": "0",
        "track_click": "1",
        "token": "TOKEN",
    }


@pytest.mark.parametrize("number", [None, 0, -5, "", "0", "five", True, 1.5, [7], {}])
async def test_a_success_without_a_number_leaves_the_outcome_unknown(number: object) -> None:
    said = {"status": "OK", "result": {"email_id": number, "message_id": number}}
    letter: dict[str, Any] = {"sender": SENDER, "subject": "s", "html": "h"}
    with pytest.raises(OutcomeUnknown):
        await client(Script(response(200, said))).emails.send(to="a@b.by", **letter)
    with pytest.raises(OutcomeUnknown):
        await client(Script(response(200, said))).emails.send_to_list(list_id=5, **letter)


async def test_what_is_not_given_is_absent() -> None:
    script = Script(OK)
    await client(script).emails.send(
        sender=Address("news@shop.by"), to=Address("a@b.by", "A"), subject="s", html=""
    )
    assert list(form(script)) == ["sender_email", "email", "subject", "message", "token"]


@pytest.mark.parametrize(
    ("size", "multipart", "wide"), [(1000, True, False), (1001, True, True), (9999, False, False)]
)
async def test_long_letters_go_out_as_multipart_unless_that_is_off(
    size: int, multipart: bool, wide: bool
) -> None:
    script = Script(OK)
    await client(script, multipart=multipart).emails.send(
        sender=SENDER, to="a@b.by", subject="s", html="Ж" * size
    )
    assert is_multipart(script) is wide
    assert form(script)["message"] == "Ж" * size


@pytest.mark.parametrize("multipart", [True, False])
@pytest.mark.parametrize("kind", ["path", "bytes", "attachment"])
async def test_an_attachment_makes_the_form_multipart(
    kind: str, multipart: bool, tmp_path: Path
) -> None:
    path = tmp_path / "прайс.txt"
    path.write_bytes(b"\r\n--data")
    files: dict[str, FileLike] = {
        "path": path,
        "bytes": b"\r\n--data",
        "attachment": Attachment("прайс.txt", b"\r\n--data"),
    }
    script = Script(OK)
    await client(script, multipart=multipart).emails.send(
        sender=SENDER, to="a@b.by", subject="s", html="h", attachment=files[kind]
    )
    body = script.requests[0][3]
    assert body is not None
    name = "attachment" if kind == "bytes" else "прайс.txt"
    assert f'name="attachment"; filename="{name}"\r\nContent-Type: '.encode() in body
    assert b"\r\n\r\n\r\n--data\r\n" in body


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"to": "a@b"}, "recipient"),
        ({"to": "a@b.by\r\nBcc: c@d.by"}, "recipient"),
        ({"to": "A\n <a@b.by>"}, "recipient"),
        ({"sender": "nobody"}, "sender"),
        ({"sender": "A\u2028 <a@b.by>"}, "sender"),
        ({"subject": "a\r\nb"}, "subject"),
        ({"subject": "a\0"}, "subject"),
        ({"subject": "a\u2028"}, "subject"),
        ({"html": "\ud83d"}, "message"),
        ({"html": "a" * 2000 + "\ud83d"}, "message"),
        ({"send_at": datetime(2030, 5, 1, 9, 0)}, "send_at"),
        ({"send_at": datetime.max.replace(tzinfo=UTC)}, "send_at"),
        ({"attachment": Path("no such file")}, "no such file"),
    ],
)
async def test_what_cannot_be_sent_is_refused_before_the_network(
    change: dict[str, object], place: str
) -> None:
    script = Script()
    letter: dict[str, object] = {"sender": SENDER, "to": "a@b.by", "subject": "s", "html": "h"}
    with pytest.raises(InvalidArgument, match=place):
        await client(script).emails.send(**letter | change)  # type: ignore[arg-type]
    assert script.requests == []


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.timezones()),
    st.sampled_from(["Europe/Minsk", "UTC", "Asia/Kathmandu", "America/New_York"]),
)
def test_a_moment_is_never_earlier_than_asked_and_less_than_a_minute_later(
    at: datetime, name: str
) -> None:
    zone: tzinfo = ZoneInfo(name)
    written = datetime.strptime(moment(at, WireFormat(zone=zone)), "%Y-%m-%d %H:%M")
    exact = at.astimezone(UTC)
    moments = [written.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    assert any(exact <= one < exact + timedelta(minutes=1) for one in moments)


def test_a_moment_keeps_its_own_offset_in_mind() -> None:
    at = datetime(2030, 5, 1, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-5)))
    assert moment(at, WireFormat(zone=ZoneInfo("Europe/Minsk"))) == "2030-05-02 08:00"


async def test_a_letter_to_a_list_has_its_number_and_name() -> None:
    script = Script(sample("list_sending"))
    sending = await client(script).emails.send_to_list(
        list_id=5, sender=SENDER, subject="s", html="h", name="autumn"
    )
    assert sending == SendToListResult(81, 12)
    assert form(script) | {"list_id": "5", "name": "autumn"} == form(script)


async def test_statuses_are_read_as_they_come() -> None:
    letters = await client(Script(sample("delivery_list"))).emails.delivery_list(71)
    assert [(one.email_id, one.address, one.status, one.delivery) for one in letters] == [
        (501, "anna@mail.by", "DELIVERED", DeliveryStatus.DELIVERED),
        (502, "boris@mail.by", "undelivered", DeliveryStatus.UNDELIVERED),
        (503, "vera@mail.by", "Open", DeliveryStatus.OPENED),
        (504, "galina@mail.by", "TELEPORTED", None),
    ]
    assert letters[1].error == "mailbox full"


def test_the_address_stands_under_either_name() -> None:
    assert EmailStatus(recipient=" a@b.by ").address == "a@b.by"
    assert EmailStatus(email="a@b.by").address == "a@b.by"
    assert EmailStatus().address == ""
    assert EmailStatus(status="").delivery is None
