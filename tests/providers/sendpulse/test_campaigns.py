from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from mailkit.address import Address
from mailkit.attachment import Attachment
from mailkit.core.quota import Quota
from mailkit.errors import InvalidArgument, OutcomeUnknown, QuotaExhausted
from mailkit.providers.sendpulse import CampaignStatus, SendPulse, Stats
from mailkit.testing import FakeClock

from ...core.doubles import Script, response
from .doubles import KEY, client, sent

MADE = response(200, {"id": 1, "status": 13})
LETTER: dict[str, Any] = {"sender": "Shop <news@shop.by>", "subject": "Осень", "html": "<p>Ж</p>"}
AT = datetime(2030, 5, 1, 9, 0, 0, 1, tzinfo=UTC)


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


async def body_of(**arguments: Any) -> dict[str, Any]:
    script = Script(MADE)
    await client(script).campaigns.create(**arguments)
    body = sent(script).body
    assert isinstance(body, dict)
    return body


async def test_a_campaign_is_written_as_the_service_reads_it() -> None:
    body = await body_of(
        **LETTER,
        list_id=7,
        send_at=AT,
        use_dynamic_list=True,
        amp="<amp>",
        stats=Stats(opens=False, utm_campaign="autumn"),
    )
    assert body == {
        "sender_name": "Shop",
        "sender_email": "news@shop.by",
        "subject": "Осень",
        "body": base64("<p>Ж</p>"),
        "list_id": 7,
        "send_date": "2030-05-01 12:00:01",
        "use_dynamic_list": True,
        "body_amp": base64("<amp>"),
        "stats": {"opens": False, "utm_campaign": "autumn"},
    }


async def test_a_template_goes_to_several_lists_or_to_a_segment() -> None:
    letter: dict[str, Any] = {"sender": Address("news@shop.by", "Shop"), "subject": "S"}
    body = await body_of(**letter, template_id="c7a9", list_id=[7, 8], draft=True)
    assert (body["template_id"], body["list_id"], body["type"]) == ("c7a9", [7, 8], "draft")
    body = await body_of(**letter, template_id=5, segment_id=9, is_test=True)
    assert (body["template_id"], body["segment_id"], body["is_test"]) == (5, 9, True)
    assert {"list_id", "type", "attachments"}.isdisjoint(body)


async def test_a_segment_may_come_with_its_list() -> None:
    for list_id in (7, [7]):
        body = await body_of(**LETTER, list_id=list_id, segment_id=9)
        assert (body["list_id"], body["segment_id"]) == (7, 9)


async def test_texts_are_attached_as_they_are_and_all_else_in_base64(tmp_path: Path) -> None:
    path = tmp_path / "price.pdf"
    path.write_bytes(b"\xff")
    body = await body_of(
        **LETTER, list_id=7, attachments={"a.txt": "Ж", "b.bin": b"\xff", "c.pdf": path}
    )
    assert body["attachments"] == {"a.txt": "Ж"}
    assert body["attachments_binary"] == {"b.bin": "/w==", "c.pdf": "/w=="}
    body = await body_of(**LETTER, list_id=7, attachments=[path, Attachment("d.txt", "Ж")])
    assert body["attachments_binary"] == {"price.pdf": "/w==", "d.txt": base64("Ж")}
    assert "attachments" not in body


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"html": None}, "html and template_id"),
        ({"template_id": 5}, "html and template_id"),
        ({"list_id": None}, "give list_id, or segment_id, or both"),
        ({"list_id": [7, 8], "segment_id": 5}, "segment_id goes with one list, not 2"),
        ({"list_id": [7, 8], "is_test": True}, "is_test goes with one list, not 2"),
        ({"list_id": []}, "list_id"),
        ({"list_id": list(range(11))}, "10 lists"),
        ({"sender": "news@shop.by"}, "requires a name"),
        ({"sender": "Shop <news>"}, "sender"),
        ({"subject": "a\nb"}, "subject"),
        ({"subject": " "}, "subject"),
        ({"html": ""}, "html"),
        ({"html": "\ud800"}, "surrogate"),
        ({"send_at": datetime(2030, 5, 1)}, "time zone"),
        ({"send_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))}, "out of reach"),
        ({"use_dynamic_list": True}, "use_dynamic_list is for campaigns with send_at"),
        ({"is_test": True, "draft": True}, "is_test.*draft"),
        ({"is_test": True, "send_at": AT}, "is_test.*send_at"),
        ({"attachments": {f"{n}.txt": "x" for n in range(6)}}, "takes 5, not 6"),
        ({"attachments": [Attachment("a", b""), Attachment("a", b"")]}, "two files"),
        ({"attachments": Path("a.txt")}, "give a list"),
        ({"attachments": [Path("/nowhere/a.txt")]}, "no file"),
        ({"name": ""}, "name"),
    ],
)
async def test_what_can_not_be_sent_is_refused_with_its_name_before_the_network(
    change: dict[str, Any], words: str
) -> None:
    script = Script()
    with pytest.raises(InvalidArgument, match=words):
        await client(script).campaigns.create(**{**LETTER, "list_id": 7, **change})
    with pytest.raises(InvalidArgument, match=words):
        await client(script).campaigns.send_test(
            **{**LETTER, "list_id": 7, "to": ["a@mail.by"], **change}
        )


async def test_a_date_needs_the_zone_of_the_account() -> None:
    with pytest.raises(InvalidArgument, match="zone="):
        await client(Script(), zone=None).campaigns.create(**LETTER, list_id=7, send_at=AT)


async def test_a_test_goes_to_three_addresses_at_most() -> None:
    script = Script(response(200, {"id": 27, "status": 0, "count": 2}))
    sendpulse = client(script)
    await sendpulse.campaigns.send_test(**LETTER, list_id=7, to=["a@mail.by", "b@mail.by"])
    assert sent(script)[:2] == ("PATCH", "/campaigns")
    assert sent(script).body["send_test_only"] == ["a@mail.by", "b@mail.by"]
    for to in ([], "a@mail.by", ["a@mail.by"] * 4, ["nobody"]):
        with pytest.raises(InvalidArgument, match="to"):
            await sendpulse.campaigns.send_test(**LETTER, list_id=7, to=to)


@pytest.mark.parametrize(
    "said",
    [
        [], {}, {"id": None}, {"id": 0}, {"id": -5}, {"id": ""}, {"id": "five"}, {"id": True},
        {"id": 1.5}, {"id": [5]}, {"count": 5}, {"id": 5, "error": "no"}, [{"id": 5}],
        {"id": 5, "message": "no"}, {"id": 5, "errors": ["no"]}, {"id": 5, "error_code": 5},
        {"id": 5, "result": False}, {"id": 5, "success": False}, {"id": 5, "result": 1},
        {"data": {"id": 5}, "success": "OK"}, {"id": 5, "result": False, "cur": "USD"},
    ],
)  # fmt: skip
async def test_a_campaign_without_an_id_leaves_the_outcome_unknown(said: object) -> None:
    for status in (200, 400, 403) if isinstance(said, dict) and said.get("id") == 5 else (200,):
        script = Script(response(status, said), response(status, said))
        with pytest.raises(OutcomeUnknown):
            await client(script).campaigns.create(**LETTER, list_id=7)
        with pytest.raises(OutcomeUnknown):
            await client(script).campaigns.send_test(**LETTER, list_id=7, to=["a@mail.by"])


@pytest.mark.parametrize("number", [27, "27"])
async def test_a_campaign_has_an_id(number: object) -> None:
    made = await client(Script(response(200, {"id": number}))).campaigns.create(**LETTER, list_id=7)
    assert made.id == 27


async def test_a_waiting_campaign_is_edited() -> None:
    script = Script(response(200, {"result": True, "id": 27}))
    await client(script).campaigns.edit(id=27, name="autumn", **LETTER, send_at=AT)
    assert sent(script)[:2] == ("PATCH", "/campaigns/27")
    assert sent(script).body["send_date"] == "2030-05-01 12:00:01"
    with pytest.raises(InvalidArgument, match="html and template_id"):
        await client(script).campaigns.edit(id=27, name="autumn", **LETTER, template_id=5)


async def test_campaigns_are_listed_by_status() -> None:
    script = Script(response(200, []))
    await client(script).campaigns.list(status=[CampaignStatus.SENT, 26], scheduled=True)
    assert sent(script).query == [("status[]", "3"), ("status[]", "26"), ("planed", "1")]


async def test_four_campaigns_an_hour_drafts_and_tests_among_them() -> None:
    clock, script = FakeClock(), Script(*[MADE] * 5)
    sendpulse = SendPulse(api_key=KEY, transport=script, clock=clock)
    options: list[dict[str, Any]] = [{}, {"draft": True}, {"is_test": True}, {}]
    for option in options:
        await sendpulse.campaigns.create(**LETTER, **option, list_id=7)
    with pytest.raises(QuotaExhausted, match="4 campaigns") as caught:
        await sendpulse.campaigns.create(**LETTER, list_id=7)
    assert caught.value.available_at == clock.utc + timedelta(hours=1)
    clock.advance(3600)
    await sendpulse.campaigns.create(**LETTER, list_id=7)


async def test_both_kinds_of_tests_share_a_quota_and_other_campaigns_have_no_part_in_it() -> None:
    script = Script(*[MADE] * 4)
    sendpulse = client(script, tests=Quota(2, 3600.0, "test sends"))
    await sendpulse.campaigns.create(**LETTER, list_id=7)
    await sendpulse.campaigns.create(**LETTER, list_id=7, is_test=True)
    await sendpulse.campaigns.send_test(**LETTER, list_id=7, to=["a@mail.by"])
    await sendpulse.campaigns.create(**LETTER, list_id=7)
    with pytest.raises(QuotaExhausted, match="2 test sends"):
        await sendpulse.campaigns.send_test(**LETTER, list_id=7, to=["a@mail.by"])
    with pytest.raises(QuotaExhausted, match="2 test sends"):
        await sendpulse.campaigns.create(**LETTER, list_id=7, is_test=True)


async def test_ten_requests_a_second() -> None:
    clock, script = FakeClock(), Script(*[response(200, [])] * 11)
    sendpulse = SendPulse(api_key=KEY, transport=script, clock=clock)
    for _ in range(11):
        await sendpulse.senders.list()
    assert clock.slept == [1.0]
