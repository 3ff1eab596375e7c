"""The command line with SendPulse: lists, campaigns, and a kill -9 at each stage."""

from __future__ import annotations

import signal

import pytest

from mailkit.sandbox import Fault

from ..approval import approve
from .shop import Shop, end_of, insist, kill

MESSAGE = {
    "sender": "Shop <news@shop.by>",
    "subject": "Hi {{ first name | 'friend' }}",
    "html": "<p>Hi {{ first name | 'friend' }}</p><a href='{{ unsubscribe }}'>Leave</a>",
}
LIST = [
    "email,first name",
    "anna@example.com,<Anna>",
    "boris@example.com,",
    "invalid-gone@example.com,Gone",
    "unsubscribed-left@example.com,Left",
    "no-at-sign,Nobody",
]
CREATE = "sendpulse.campaigns.create"
WORDS = ("--provider", "sendpulse", "--name", "autumn")


@pytest.fixture
def shop(shop: Shop) -> Shop:
    own = shop.sandbox.sendpulse.settings
    own.requests_per_second = own.campaigns_per_hour = None  # its time stands still
    own.moderated_first, own.moderated_from = 0, 1_000_000
    own.copying = own.sending = 0.0
    return shop


def test_a_list_goes_out_and_every_row_is_accounted_for(shop: Shop) -> None:
    ended = shop("send", shop.letter(**MESSAGE), shop.table(LIST), *WORDS, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert shop.states() == {
        "anna@example.com": "accepted",
        "boris@example.com": "accepted",
        "invalid-gone@example.com": "rejected",
        "unsubscribed-left@example.com": "suppressed",
        "no-at-sign": "invalid",
    }
    assert dict(shop.sandbox.truth.mailed) == {"anna@example.com": 1, "boris@example.com": 1}
    texts = {email.address: (email.subject, email.body) for email in shop.sandbox.truth.kept}
    subject, text = texts["anna@example.com"]
    assert subject == "Hi <Anna>"
    assert text.startswith("<p>Hi &lt;Anna&gt;</p><a href='http")
    assert texts["boris@example.com"][0] == "Hi friend"
    report = ended.json
    assert report["deliveries"] == {"queued": 2}
    assert report["statistics"] == {"queued": 2}
    approve("report: a job over SendPulse", shop("report", "autumn").out)


def test_what_is_taken_back_can_be_looked_at_afterwards(shop: Shop) -> None:
    assert shop("send", shop.letter(**MESSAGE), shop.table(LIST), *WORDS).code == 0
    (campaign,) = shop.sandbox.sendpulse.account.campaigns.values()
    campaign.copied_at = shop.sandbox.clock.now() + 3600.0
    ended = shop("cancel", "autumn", "--recall")
    assert (ended.code, ended.err) == (0, "")
    approve("cancel: what was sent is taken back", ended.out)
    assert campaign.cancelled


def test_no_credentials(shop: Shop) -> None:
    gone: dict[str, str | None] = {
        "MAILKIT_SENDPULSE_CLIENT_ID": None,
        "MAILKIT_SENDPULSE_CLIENT_SECRET": None,
    }
    words = ("send", shop.letter(**MESSAGE), shop.table(LIST), *WORDS)
    shop(*words, environment=gone).check_refusal("no credential of SendPulse")


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("a text body at SendPulse", {"html": None, "text": "Hi"}),
        ("a sender without a name at SendPulse", {"sender": "news@shop.by"}),
        ("the link to unsubscribe in SendPulse's subject", {"subject": "{{ unsubscribe }}"}),
    ],
)
def test_what_sendpulse_can_t_do_is_told_before_anything_is_sent(
    shop: Shop, name: str, changed: dict[str, object]
) -> None:
    words = {key: value for key, value in (MESSAGE | changed).items() if value is not None}
    ended = shop("send", shop.letter(**words), shop.table(LIST), *WORDS)
    ended.check_refusal(name)
    assert shop.sandbox.requests.total() == 0


def test_a_sender_that_is_not_active_is_told_before_the_list_is_read(shop: Shop) -> None:
    letter = shop.letter(**MESSAGE | {"sender": "Shop <other@shop.by>"})
    ended = shop("send", letter, shop.table(LIST), *WORDS)
    ended.check_refusal("an unknown sender at SendPulse")
    assert not shop.sandbox.sendpulse.account.lists


def test_a_job_that_can_not_be_paid_stops_and_a_resume_goes_on(shop: Shop) -> None:
    own = shop.sandbox.sendpulse.settings
    own.tariff_emails, own.balance = 1, 0.0
    ended = shop("send", shop.letter(**MESSAGE), shop.table(LIST), *WORDS)
    assert ended.code == 1
    approve("report: a tariff that is used up at SendPulse", ended.out)
    assert not shop.sandbox.truth.mailed
    own.tariff_emails = 2
    assert shop("resume", "autumn").code == 0
    assert dict(shop.sandbox.truth.mailed) == {"anna@example.com": 1, "boris@example.com": 1}
    assert len(shop.sandbox.sendpulse.account.lists) == 1


def test_a_list_that_the_service_asks_about_is_for_a_person(shop: Shop) -> None:
    shop.sandbox.sendpulse.settings.list_verdict = "ask"
    ended = shop("send", shop.letter(**MESSAGE), shop.table(LIST), *WORDS)
    assert ended.code == 1
    key = next(iter(shop.sandbox.sendpulse.account.lists.values())).name.split()[-1]
    approve("report: a list with a question at SendPulse", ended.out, key=key)


@pytest.mark.parametrize(
    "operation",
    [
        "sendpulse.mailing_lists.create",
        "sendpulse.mailing_lists.add_contacts",
        "sendpulse.mailing_lists.get",
        CREATE,
        "sendpulse.campaigns.get",
    ],
)
def test_a_job_that_is_killed_goes_on(shop: Shop, operation: str) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=operation, seconds=60.0, times=1))
    table = shop.table(["email,first name", *(f"p{n}@example.com,P{n}" for n in range(20))])
    process = shop.spawn("send", shop.letter(**MESSAGE), table, *WORDS)
    shop.until(lambda: shop.sandbox.requests[operation] or process.poll() is not None)
    kill(process)
    shop.sandbox.faults.clear()
    ended = shop("resume", "autumn", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert (ended.json["accepted"], ended.json["complete"]) == (20, True)
    assert set(shop.sandbox.truth.mailed.values()) == {1}
    assert len(shop.sandbox.truth.mailed) == 20
    account = shop.sandbox.sendpulse.account
    assert (len(account.lists), len(account.campaigns)) == (1, 1)


def test_a_job_that_is_killed_again_and_again(shop: Shop) -> None:
    table = shop.table(["email,first name", *(f"p{n}@example.com,P{n}" for n in range(1200))])
    words = ["send", str(shop.letter(**MESSAGE)), str(table), *WORDS]
    for wanted in (4, 8, 13):  # three requests of each run prepare it

        def come(wanted: int = wanted) -> bool:
            return shop.sandbox.requests.total() >= wanted

        process = shop.spawn(*words)
        shop.until(come, process)
        kill(process)
        words = ["resume", "autumn"]
    ended = shop("resume", "autumn", "--json")
    assert (ended.code, ended.json["accepted"]) == (0, 1200)
    assert set(shop.sandbox.truth.mailed.values()) == {1}
    account = shop.sandbox.sendpulse.account
    assert (len(account.lists), len(account.campaigns)) == (1, 1)


def test_ended_at_once_while_lists_are_loaded_nothing_is_in_doubt(shop: Shop) -> None:
    load = "sendpulse.mailing_lists.add_contacts"
    shop.sandbox.faults.add(Fault("slow_answer", on=load, seconds=600))
    with shop.spawn("send", shop.letter(**MESSAGE), shop.table(LIST), *WORDS) as process:
        assert process.stderr is not None
        shop.until(lambda: shop.sandbox.requests[load], process)
        process.send_signal(signal.SIGINT)
        assert "stopping" in process.stderr.readline()
        insist(process, signal.SIGINT)
        ended = end_of(process)
    assert (ended.code, ended.out) == (4, "")
    approve("signal: ended at once while nothing is sent", ended.err)
    assert (shop.report()["in_doubt"], shop.sandbox.truth.emails) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_sendpulse_is_at_the_campaign_leaves_nothing_undone(
    shop: Shop, number: signal.Signals
) -> None:
    shop.sandbox.sendpulse.settings.moderated_from = 1
    read = "sendpulse.campaigns.get"
    with shop.spawn("send", shop.letter(**MESSAGE), shop.table(LIST), *WORDS) as process:
        shop.until(
            lambda: shop.in_journal("chunks", "until IS NOT NULL AND state = 'accepted'"), process
        )
        process.send_signal(number)
        ended = end_of(process)
    assert shop.sandbox.requests[read]
    assert (ended.code, shop.report()["complete"], shop.report()["accepted"]) == (0, True, 2)
