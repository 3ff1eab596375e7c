from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from mailkit.sandbox import Fault, Sandbox
from mailkit.sandbox.truth import AttachedFile

from .conftest import JsonApi

HTML = '<p>Hello, {{name}}!</p><a href="https://shop.by/sale">sale</a>'


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.fixture
async def book(sendpulse: JsonApi) -> int:
    number: int = (await sendpulse("POST", "/addressbooks", {"bookName": "Autumn"})).value["id"]
    return number


async def fill(api: JsonApi, book: int, *emails: Any) -> None:
    assert (await api("POST", f"/addressbooks/{book}/emails", {"emails": [*emails]})).status == 200


def order(book: Any, **changes: Any) -> dict[str, Any]:
    """A campaign in order, with changes; a change to None takes the key out."""
    whole = {
        "sender_name": "Shop",
        "sender_email": "news@shop.by",
        "subject": "Hi {{name}}",
        "body": base64(HTML),
        "list_id": book,
        "name": "autumn",
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


async def launch(api: JsonApi, book: Any, **changes: Any) -> int:
    answer = await api("POST", "/campaigns", order(book, **changes))
    assert answer.status == 200, answer.value
    number: int = answer.value["id"]
    return number


async def status(api: JsonApi, number: int) -> int:
    found: int = (await api("GET", f"/campaigns/{number}")).value["status"]
    return found


async def test_a_small_campaign_goes_from_copying_to_sent(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    anna = {"email": "anna@b.by", "variables": {"name": "Anna"}}
    await fill(sendpulse, book, anna, "boris@b.by", "unsubscribed@b.by")
    made = await sendpulse("POST", "/campaigns", order(str(book)))
    assert made.value == {
        "id": made.value["id"],
        "status": 13,
        "count": 2,
        "tariff_email_qty": 2,
        "overdraft_price": "0",
        "ovedraft_currency": "USD",
    }
    number = made.value["id"]
    where = f"/addressbooks/{book}"
    assert (await sendpulse("GET", where)).value[0]["status"] == 5
    assert await status(sendpulse, number) == 13
    assert sandbox.truth.emails == 0
    sandbox.clock.advance(5)
    assert sandbox.truth.emails == 2
    assert (await sendpulse("GET", where)).value[0]["status"] == 0
    assert await status(sendpulse, number) == 2
    sandbox.clock.advance(60)
    assert await status(sendpulse, number) == 3
    assert dict(sandbox.truth.mailed) == {"anna@b.by": 1, "boris@b.by": 1}
    assert sandbox.truth.mailings[0].operation == "sendpulse.campaigns.create"
    assert [(one.subject, one.body) for one in sandbox.truth.kept] == [
        ("Hi Anna", HTML.replace("{{name}}", "Anna")),
        ("Hi ", HTML.replace("{{name}}", "")),
    ]
    rows = (await sendpulse("GET", f"{where}/campaigns")).value
    assert rows == [{"task_id": number, "task_name": "autumn", "task_status": 3}]


async def test_twenty_addresses_wait_for_the_moderator(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    await fill(sendpulse, book, *[f"person{n}@b.by" for n in range(20)])
    number = await launch(sendpulse, book)
    sandbox.clock.advance(5)
    assert await status(sendpulse, number) == 1
    sandbox.clock.advance(599)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (1, 0)
    sandbox.clock.advance(1)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (2, 20)


@pytest.mark.parametrize(("verdict", "code"), [("rejected", 5), ("need_edit", 27)])
async def test_a_moderator_can_say_no(
    verdict: Any, code: int, sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    settings = sandbox.sendpulse.settings
    settings.moderated_first, settings.verdict = 1, verdict
    await fill(sendpulse, book, "anna@b.by")
    number = await launch(sendpulse, book)
    sandbox.clock.advance(3600)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (code, 0)
    one = (await sendpulse("GET", f"/campaigns/{number}/email/anna@b.by")).value
    assert (one["global_status"], one["sent_date"]) == (13, None)
    changed = await sendpulse("PATCH", f"/campaigns/{number}", order(None, list_id=None))
    assert changed.status == (200 if verdict == "need_edit" else 422)
    sandbox.clock.advance(600)
    assert sandbox.truth.emails == (1 if verdict == "need_edit" else 0)
    await sendpulse("DELETE", f"/campaigns/{number}")
    second = await launch(sendpulse, book)
    sandbox.clock.advance(10)
    assert await status(sendpulse, second) == 2


async def test_a_moderator_can_ask_where_the_list_is_from(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    settings = sandbox.sendpulse.settings
    settings.moderated_first, settings.verdict = 1, "confirm_addresses"
    await fill(sendpulse, book, "anna@b.by")
    number = await launch(sendpulse, book)
    sandbox.clock.advance(605)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (11, 0)
    assert (await sendpulse("GET", f"/addressbooks/{book}")).value[0]["status"] == 3
    assert (await sendpulse("DELETE", f"/campaigns/{number}")).status == 200


async def test_a_campaign_can_be_sent_in_parts(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    settings = sandbox.sendpulse.settings
    settings.moderated_first, settings.verdict = 1, "approve_part"
    await fill(sendpulse, book, "anna@b.by", "boris@b.by")
    number = await launch(sendpulse, book)
    sandbox.clock.advance(605)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (22, 1)
    sandbox.clock.advance(30)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (22, 2)
    assert [list(one.addresses) for one in sandbox.truth.mailings] == [
        ["anna@b.by"],
        ["boris@b.by"],
    ]
    assert {one.campaign for one in sandbox.truth.mailings} == {number}
    sandbox.clock.advance(30)
    assert await status(sendpulse, number) == 3


@pytest.mark.parametrize(("cancelled_after", "mailed"), [(10, 2), (40, 3)])
async def test_cancelling_stops_what_is_not_out_yet(
    cancelled_after: int, mailed: int, sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    sandbox.sendpulse.settings.sent_at_once = 0.5
    people = ["anna@b.by", "boris@b.by", "carl@b.by"]
    await fill(sendpulse, book, *people)
    number = await launch(sendpulse, book)
    sandbox.clock.advance(5 + cancelled_after)
    await sendpulse("GET", f"/campaigns/{number}")
    assert (await sendpulse("DELETE", f"/campaigns/{number}")).status == 200
    sandbox.clock.advance(600)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (16, mailed)
    rows = [(await sendpulse("GET", f"/campaigns/{number}/email/{one}")).value for one in people]
    assert [row["global_status"] for row in rows] == [1, 1, 13 if mailed == 2 else 1]
    [listed] = (await sendpulse("GET", "/campaigns")).value
    assert listed["statistics"]["sent"] == mailed


@pytest.mark.parametrize("code", [23, 25])
async def test_a_limit_can_stop_a_campaign_half_way(
    code: Any, sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    settings = sandbox.sendpulse.settings
    settings.halts_after, settings.halted_status = 2, code
    people = ["anna@b.by", "boris@b.by", "carl@b.by"]
    await fill(sendpulse, book, *people)
    number = await launch(sendpulse, book)
    sandbox.clock.advance(600)
    assert dict(sandbox.truth.mailed) == {"anna@b.by": 1, "boris@b.by": 1}
    shown = (await sendpulse("GET", f"/campaigns/{number}")).value
    figures = {row["code"]: row["count"] for row in shown["statistics"]["general"]}
    assert (shown["status"], figures[1], figures[13]) == (code, 2, 1)
    rows = [(await sendpulse("GET", f"/campaigns/{number}/email/{one}")).value for one in people]
    assert [row["global_status"] for row in rows] == [1, 1, 13]
    assert (await sendpulse("DELETE", f"/addressbooks/{book}")).status == 200


async def test_a_strict_dmarc_policy_ignores_the_date(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    sandbox.sendpulse.settings.strict_dmarc = True
    await fill(sendpulse, book, "anna@b.by")
    await launch(sendpulse, book, send_date="2036-02-02 23:34:23")
    sandbox.clock.advance(5)
    assert sandbox.truth.emails == 1


async def test_nobody_active_ends_at_once(sendpulse: JsonApi, book: int, sandbox: Sandbox) -> None:
    await fill(sendpulse, book, "unsubscribed@b.by")
    number = await launch(sendpulse, book)
    sandbox.clock.advance(5)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (12, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"sender_name": None},
        {"sender_email": "nobody"},
        {"sender_email": "unknown@shop.by"},
        {"subject": ""},
        {"body": None},
        {"body": "no base64!"},
        {"body": b64encode(b"\xff").decode()},
        {"template_id": 508742},
        {"list_id": None},
        {"list_id": [1] * 11},
        {"list_id": "x"},
        {"attachments": {f"{n}.txt": "x" for n in range(6)}},
        {"attachments": ["x"]},
        {"attachments": {"a.txt": 7}},
        {"attachments_binary": {"a.txt": "no base64!"}},
        {"body_amp": "no base64!"},
        {"stats": "x"},
        {"stats": {"opens": 1}},
        {"type": "other"},
        {"is_test": "maybe"},
        {"send_date": "2016-02-02 23:34:23"},
        {"send_date": "tomorrow"},
        {"send_date": "2036-02-31 00:00:00"},
    ],
)
async def test_what_is_not_in_order_is_refused(
    changes: dict[str, Any], sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    await fill(sendpulse, book, "anna@b.by")
    answer = await sendpulse("POST", "/campaigns", order(book, **changes))
    assert (answer.status, answer.value["error_code"]) == (422, 422)
    assert not sandbox.sendpulse.account.campaigns


async def test_unknown_lists_segments_templates_and_campaigns(
    sendpulse: JsonApi, book: int
) -> None:
    for changes in (
        {"list_id": 7},
        {"list_id": None, "segment_id": 7},
        {"body": None, "template_id": "x"},
    ):
        answer = await sendpulse("POST", "/campaigns", order(book, **changes))
        assert answer.status == 404
    for end in ("", "/countries", "/referrals", "/email/a@b.by"):
        assert (await sendpulse("GET", f"/campaigns/7{end}")).status == 404


async def test_a_locked_list_and_a_small_tariff_are_refused(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    await fill(sendpulse, book, "anna@b.by", "boris@b.by")
    sandbox.sendpulse.settings.max_emails_per_task = 1
    answer = await sendpulse("POST", "/campaigns", order(book))
    assert (answer.status, answer.value["error_code"]) == (422, 708)
    sandbox.sendpulse.settings.max_emails_per_task = 2
    await launch(sendpulse, book)
    assert (await sendpulse("POST", "/campaigns", order(book))).status == 422
    sandbox.clock.advance(5)
    await launch(sendpulse, book)


async def test_an_empty_list_and_an_empty_account_are_refused(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    answer = await sendpulse("POST", "/campaigns", order(book))
    assert (answer.status, answer.value["error_code"]) == (422, 211)
    other = (await sendpulse("POST", "/addressbooks", {"bookName": "Other"})).value["id"]
    await fill(sendpulse, book, "anna@b.by", "boris@b.by")
    await fill(sendpulse, other, "anna@b.by")
    settings = sandbox.sendpulse.settings
    settings.tariff_emails, settings.overdraft_price, settings.balance = 1, 0.5, 0.9
    settings.tariff_status = 402
    answer = await sendpulse("POST", "/campaigns", order([book, other]))
    assert (answer.status, answer.value["error_code"]) == (402, 707)
    settings.balance = 1.0
    made = await sendpulse("POST", "/campaigns", order([book, other]))
    assert (made.value["count"], made.value["tariff_email_qty"]) == (2, 1)
    assert made.value["overdraft_price"] == "0.5"
    shown = (await sendpulse("GET", f"/campaigns/{made.value['id']}")).value
    assert (shown["paid_email_qty"], shown["company_price"]) == (2, "1.0")
    assert (await sendpulse("GET", "/balance")).value["balance_currency"] == 0.0
    details = (await sendpulse("GET", "/user/balance/detail")).value
    assert (details["balance"]["main"], details["email"]["emails_left"]) == ("0.00", 0)
    sandbox.clock.advance(5)
    assert (await sendpulse("POST", "/campaigns", order(book))).value["error_code"] == 707
    await launch(sendpulse, book, type="draft")


async def test_a_list_stays_until_its_campaigns_are_over(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    await fill(sendpulse, book, "anna@b.by")
    await launch(sendpulse, book, type="draft")
    await launch(sendpulse, book)
    for seconds in (0, 5):
        sandbox.clock.advance(seconds)
        assert (await sendpulse("DELETE", f"/addressbooks/{book}")).status == 422
    sandbox.clock.advance(60)
    assert (await sendpulse("DELETE", f"/addressbooks/{book}")).status == 200


async def test_a_segment_or_a_test_goes_with_one_list(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    other = (await sendpulse("POST", "/addressbooks", {"bookName": "Other"})).value["id"]
    sandbox.sendpulse.account.segments[9] = book
    await fill(sendpulse, book, "anna@b.by")
    await fill(sendpulse, other, "boris@b.by")
    assert (await sendpulse("POST", "/campaigns", order(book, segment_id=7))).status == 404
    for changes in ({"list_id": [book, other]}, {"list_id": other}):
        answer = await sendpulse("POST", "/campaigns", order(book, segment_id=9, **changes))
        assert answer.status == 422
    answer = await sendpulse("POST", "/campaigns", order([book, other], is_test=True))
    assert answer.status == 422
    number = await launch(sendpulse, book, segment_id=9)
    sandbox.clock.advance(5)
    [mailing] = sandbox.truth.mailings
    assert (mailing.campaign, list(mailing.addresses)) == (number, ["anna@b.by"])


async def test_a_lost_answer_leaves_a_campaign_to_be_found(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    await fill(sendpulse, book, "anna@b.by")
    sandbox.faults.add(Fault("reset_after_acting", on="sendpulse.campaigns.create", times=1))
    with pytest.raises(aiohttp.ClientConnectionError):
        await sendpulse("POST", "/campaigns", order(book))
    [row] = (await sendpulse("GET", f"/addressbooks/{book}/campaigns")).value
    [same] = (await sendpulse("GET", "/campaigns")).value
    assert (
        (row["task_id"], row["task_name"])
        == (same["id"], same["name"])
        == (row["task_id"], "autumn")
    )
    sandbox.clock.advance(5)
    assert sandbox.truth.mailings[0].campaign == row["task_id"]


async def test_arrivals_are_counted_in_windows(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    settings = sandbox.sendpulse.settings
    settings.campaigns_per_hour, settings.hour = 2, 60.0
    began = sandbox.clock.now()
    for seconds in (0, 59, 0, 1, 60):
        sandbox.clock.advance(seconds)
        await sendpulse("POST", "/campaigns", order(book, type="draft"))
    create = "sendpulse.campaigns.create"
    arrivals = [at - began for at in sandbox.requests.arrivals[create]]
    assert arrivals == [0, 59, 59, 60, 120]
    assert sandbox.requests.over_quota == {create: 1}
    assert sandbox.requests.busiest(60, create) == 3
    assert sandbox.requests.busiest(60.5, create) == 4
    assert sandbox.requests.busiest(60) == 4  # making the list was a request, too
    assert sandbox.requests.busiest(60, "sendpulse.auth.token") == 0


async def test_lists_segments_and_templates(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    other = (await sendpulse("POST", "/addressbooks", {"bookName": "Other"})).value["id"]
    await fill(sendpulse, book, "anna@b.by")
    await fill(sendpulse, other, "anna@b.by", "boris@b.by")
    await launch(sendpulse, [book, str(other)], body=None, template_id=508742)
    sandbox.clock.advance(10)
    assert dict(sandbox.truth.mailed) == {"anna@b.by": 1, "boris@b.by": 1}
    assert sandbox.truth.kept[0].body == "<h1>Holiday</h1>"
    sandbox.sendpulse.account.segments[9] = other
    await launch(sendpulse, None, segment_id=9)
    sandbox.clock.advance(10)
    assert sandbox.truth.emails == 4


async def test_attachments_are_kept(sendpulse: JsonApi, book: int, sandbox: Sandbox) -> None:
    await fill(sendpulse, book, "anna@b.by")
    files = {"attachments": {"a.txt": "four"}, "attachments_binary": {"b.txt": base64("five!")}}
    number = await launch(sendpulse, book, **files)
    sandbox.clock.advance(10)
    assert sandbox.truth.mailings[0].attachments == (
        AttachedFile("a.txt", 4),
        AttachedFile("b.txt", 5),
    )
    one = (await sendpulse("GET", f"/campaigns/{number}")).value
    assert one["message"]["attachments"] == "a.txt, b.txt"
    assert one["message"]["body"] == HTML


async def test_a_campaign_waits_for_its_date(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    sandbox.sendpulse.settings.timezone = "Europe/Minsk"
    when = datetime.fromtimestamp(sandbox.clock.now() + 3 * 3600 + 7200, UTC)
    date = when.strftime("%Y-%m-%d %H:%M:%S")
    await fill(sendpulse, book, "anna@b.by")
    fixed = await launch(sendpulse, book, send_date=date, name="fixed")
    sandbox.clock.advance(10)
    dynamic = await launch(sendpulse, book, send_date=date, use_dynamic_list=True)
    await fill(sendpulse, book, "boris@b.by")
    sandbox.clock.advance(10)
    assert await status(sendpulse, fixed) == 0
    planned = (await sendpulse("GET", "/campaigns?planed=1")).value
    assert [row["id"] for row in planned] == [dynamic, fixed]
    assert planned[0]["send_date"] == date
    later = when.timestamp() - 3 * 3600 + 3600
    moved = datetime.fromtimestamp(later + 3 * 3600, UTC).strftime("%Y-%m-%d %H:%M:%S")
    edited = await sendpulse(
        "PATCH", f"/campaigns/{fixed}", order(None, list_id=None, send_date=moved, subject="New")
    )
    assert edited.value == {"result": True, "id": fixed}
    sandbox.clock.advance(7200)
    assert dict(sandbox.truth.mailed) == {"anna@b.by": 1, "boris@b.by": 1}
    sandbox.clock.advance(3600)
    assert dict(sandbox.truth.mailed) == {"anna@b.by": 2, "boris@b.by": 1}
    assert sandbox.truth.kept[-1].subject == "New"
    sandbox.clock.advance(60)
    assert await status(sendpulse, fixed) == 3
    edited = await sendpulse("PATCH", f"/campaigns/{fixed}", order(None, list_id=None))
    assert edited.status == 422


async def test_drafts_are_not_sent(sendpulse: JsonApi, book: int, sandbox: Sandbox) -> None:
    made = await sendpulse("POST", "/campaigns", order(book, type="draft"))
    assert made.value["status"] == 26
    edited = order(None, list_id=None, body=None, name="second")
    number = made.value["id"]
    assert (await sendpulse("PATCH", f"/campaigns/{number}", edited)).status == 200
    sandbox.clock.advance(3600)
    found = (await sendpulse("GET", f"/campaigns/{number}")).value
    assert (found["status"], found["name"], found["send_date"]) == (26, "second", "")
    assert sandbox.truth.emails == 0


async def test_a_cancelled_campaign_is_not_sent(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    await fill(sendpulse, book, "anna@b.by")
    number = await launch(sendpulse, book)
    assert (await sendpulse("DELETE", f"/campaigns/{number}")).value == {"result": True}
    sandbox.clock.advance(100)
    assert (await status(sendpulse, number), sandbox.truth.emails) == (16, 0)
    late = await sendpulse("DELETE", f"/campaigns/{number}")
    assert (late.status, late.value["error_code"]) == (422, 602)


async def test_both_kinds_of_test_emails(sendpulse: JsonApi, book: int, sandbox: Sandbox) -> None:
    await fill(sendpulse, book, "anna@b.by")
    number = await launch(sendpulse, book, is_test=True)
    assert await status(sendpulse, number) == 4
    sandbox.clock.advance(5)
    assert await status(sendpulse, number) == 8
    assert dict(sandbox.truth.mailed) == {"news@shop.by": 1}
    people = {"send_test_only": ["me@shop.by", "you@shop.by"]}
    assert (await sendpulse("PATCH", "/campaigns", order(book, **people))).status == 200
    assert sandbox.truth.mailings[-1].operation == "sendpulse.campaigns.send_test"
    assert sandbox.truth.emails == 3
    for wrong in (None, [], ["no address"], [f"p{n}@b.by" for n in range(4)]):
        body = order(book, send_test_only=wrong)
        assert (await sendpulse("PATCH", "/campaigns", body)).status == 422
    sandbox.sendpulse.settings.tests_per_hour = 2
    answers = [await sendpulse("PATCH", "/campaigns", order(book, **people)) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].value["error_code"] == 791
    assert (await sendpulse("POST", "/campaigns", order(book, is_test=True))).status == 429
    sandbox.clock.advance(3600)
    assert (await sendpulse("PATCH", "/campaigns", order(book, **people))).status == 200


async def test_four_campaigns_in_any_hour(sendpulse: JsonApi, book: int, sandbox: Sandbox) -> None:
    sandbox.sendpulse.settings.campaigns_per_hour = 4
    await fill(sendpulse, book, "anna@b.by")
    await launch(sendpulse, book, type="draft")
    sandbox.clock.advance(1800)
    await launch(sendpulse, book, is_test=True)
    assert (await sendpulse("POST", "/campaigns", {})).status == 422
    await launch(sendpulse, book, type="draft")
    fifth = await sendpulse("POST", "/campaigns", order(book))
    assert (fifth.status, fifth.value["error_code"]) == (429, 791)
    sandbox.clock.advance(1800)
    await launch(sendpulse, book, type="draft")
    sandbox.sendpulse.settings.campaign_quota_status = 400
    assert (await sendpulse("POST", "/campaigns", order(book))).status == 400


async def test_what_happens_between_copying_and_sending_counts(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    await fill(sendpulse, book, "anna@b.by", "boris@b.by", "carl@b.by", "dora@b.by")
    number = await launch(sendpulse, book)
    where = f"/addressbooks/{book}/emails"
    await sendpulse("POST", f"{where}/unsubscribe", {"emails": ["anna@b.by"]})
    await sendpulse("POST", "/blacklist", {"emails": base64("boris@b.by,x@b.by")})
    await sendpulse("DELETE", where, {"emails": ["carl@b.by"]})
    sandbox.clock.advance(5)
    assert dict(sandbox.truth.mailed) == {"carl@b.by": 1, "dora@b.by": 1}
    one = (await sendpulse("GET", f"/campaigns/{number}/email/boris@b.by")).value
    assert one["global_status"] == 20


async def test_figures_add_up(sendpulse: JsonApi, book: int, sandbox: Sandbox) -> None:
    odd = ["clicks@b.by", "bounce@b.by", "complaint@b.by", "slow@b.by"]
    people = [f"person{n}@b.by" for n in range(50)]
    await fill(sendpulse, book, *odd, *people)
    sandbox.sendpulse.settings.moderated_from = 1000
    number = await launch(sendpulse, book)
    for seconds in (0, 6, 15, 60, 300, 4000, 8000):
        sandbox.clock.advance(seconds)
        found = (await sendpulse("GET", f"/campaigns/{number}")).value
        general = {row["code"]: row["count"] for row in found["statistics"]["general"]}
        [listed] = (await sendpulse("GET", "/campaigns")).value
        sums = listed["statistics"]
        assert general[0] + general[1] == 54
        assert sums["sent"] == general[1]
        waiting = 0
        for email in [*odd, *people]:
            one = (await sendpulse("GET", f"/campaigns/{number}/email/{email}")).value
            waiting += one["detail_status"] in (1, 7)
        assert sums["delivered"] + sums["error"] + waiting == sums["sent"]
        assert sums["opening"] >= sums["link_redirected"]
    assert (sums["error"], sums["link_redirected"], general[6], general[11]) == (1, 1, 1, 1)
    assert 1 < sums["opening"] < 30
    assert (await sendpulse("GET", f"/campaigns/{number}/referrals")).value == [
        {"link": "https://shop.by/sale", "count": 1}
    ]
    countries = (await sendpulse("GET", f"/campaigns/{number}/countries")).value
    assert sum(countries.values()) == sums["opening"]
    rows = (await sendpulse("GET", f"/addressbooks/{book}/emails")).value
    assert [row["status"] for row in rows[:5]] == [1, 9, 6, 1, 1]
    for name, kept in (("kept", [6, 9]), ("forgotten", [6, 1])):
        sandbox.sendpulse.settings.opt_outs = name  # type: ignore[assignment]
        other = (await sendpulse("POST", "/addressbooks", {"bookName": name})).value["id"]
        await fill(sendpulse, other, "complaint@b.by", "bounce@b.by")
        rows = (await sendpulse("GET", f"/addressbooks/{other}/emails")).value
        assert [row["status"] for row in rows] == kept


async def test_campaigns_are_listed_in_order_and_by_status(
    sendpulse: JsonApi, book: int, sandbox: Sandbox
) -> None:
    drafts = [await launch(sendpulse, book, type="draft") for _ in range(3)]
    await fill(sendpulse, book, "anna@b.by")
    sent = await launch(sendpulse, book)
    sandbox.clock.advance(100)

    async def ids(query: str) -> list[int]:
        answer = await sendpulse("GET", f"/campaigns{query}")
        assert answer.status == 200
        return [row["id"] for row in answer.value]

    assert await ids("") == [sent, *reversed(drafts)]
    assert await ids("?order=desc&limit=2&offset=1") == drafts[1:]
    assert await ids("?status[]=3&status[]=1") == [sent]
    assert await ids("?status%5B%5D=26&planed=0") == drafts[::-1]
    assert await ids("?planed=1") == []
    for query in ("?limit=0", "?order=up", "?status[]=x"):
        assert (await sendpulse("GET", f"/campaigns{query}")).status == 422


async def test_shapes_differ_if_wanted(sendpulse: JsonApi, book: int, sandbox: Sandbox) -> None:
    await fill(sendpulse, book, "anna@b.by")
    number = await launch(sendpulse, book)
    sandbox.clock.advance(100)
    sandbox.sendpulse.settings.quirks = True
    where = f"/campaigns/{number}"
    seen = [(await sendpulse("GET", where)).value for _ in range(30)]
    assert {type(row["statistics"]) for row in seen} == {dict, list}
    assert {type(row["company_price"]) for row in seen} == {str, int}
    shown = [(await sendpulse("GET", "/campaigns")).value for _ in range(30)]
    assert {tuple(rows) if isinstance(rows, dict) else list for rows in shown} == {list, ("0",)}
    draft = await launch(sendpulse, book, type="draft")
    dates = [(await sendpulse("GET", f"/campaigns/{draft}")).value["send_date"] for _ in range(30)]
    assert set(dates) == {"", "0000-00-00 00:00:00"}
    keys = [set((await sendpulse("GET", f"{where}/email/anna@b.by")).value) for _ in range(30)]
    assert any("sent_date" in one for one in keys)
    assert any("send_date" in one for one in keys)
