"""``mailkit plan`` over SendPulse: the tariff, and lists that are loaded ahead of the sending."""

from __future__ import annotations

from ..approval import approve
from .shop import Shop, customer
from .test_sendpulse import CREATE, WORDS, shop

__all__ = ["shop"]

LETTER = {
    "sender": "Shop <news@shop.by>",
    "subject": "Hi {{ name }}",
    "html": "<p>Hello {{ name }}</p>",
}


def test_a_plan_has_the_tariff_and_the_balance(shop: Shop) -> None:
    people = shop.customers(3)
    ended = shop("plan", shop.letter(**LETTER), people, "--provider", "sendpulse")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    approve("plan: over sendpulse", "\n".join(lines[-4:-1]))
    assert not shop.sandbox.requests["sendpulse.mailing_lists.create"]
    assert not shop.in_journal("jobs")


def test_an_upload_has_the_exact_cost_and_a_resume_sends_it(shop: Shop) -> None:
    people = shop.table(["email,name", *(f"{customer(n)},N" for n in range(3)), "invalid@x.by,N"])
    words = (shop.letter(**LETTER), people, *WORDS)
    ended = shop("plan", *words, "--upload", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json["to_send"] == 4
    assert (ended.json["cost"]["facts"]["emails"], ended.json["cost"]["enough"]) == (3, True)
    assert (ended.json["job"]["rejected"], ended.json["job"]["unsent"]) == (1, 3)
    assert not shop.sandbox.requests[CREATE]
    assert shop("status", "autumn").code == 4
    ended = shop("resume", "autumn", "--json")
    assert (ended.code, ended.json["accepted"], ended.json["complete"]) == (0, 3, True)
    assert shop.sandbox.truth.emails == 3


def test_an_upload_knows_how_many_campaigns_the_tariff_makes_of_a_list(shop: Shop) -> None:
    shop.sandbox.sendpulse.settings.max_emails_per_task = 2
    words = (shop.letter(**LETTER), shop.customers(10), *WORDS)
    ended = shop("plan", *words, "--upload", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert (ended.json["chunks"], ended.json["requests"]) == (5, 5)
    assert ended.json["duration"]["seconds"] == 3600
    assert not shop.sandbox.requests[CREATE]


def test_others_have_nothing_to_upload(shop: Shop) -> None:
    words = (shop.letter(**LETTER), shop.customers(3), "--provider", "smsby", "--upload")
    shop("plan", *words).check_refusal("an upload that is none")
    assert not shop.in_journal("jobs")
