"""``mailkit test``: one real message to one address, and no job is made of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailkit.sandbox import Fault

from ..approval import approve
from .shop import PERSONAL, SENDER, Ended, Shop
from .test_devino import LETTER

ME = "me@example.com"
SENDPULSE = {**PERSONAL, "sender": "Shop <news@shop.by>"}
LIST = ["name,email", "Anna,anna@example.com", "<Boris>,boris@example.com", ",nobody@example.com"]
LETTERS = {"smsby": PERSONAL, "devino": LETTER, "sendpulse": SENDPULSE}
CALLS = {
    "smsby": "smsby.emails.send",
    "devino": "devino.messages.send",
    "sendpulse": "sendpulse.campaigns.send_test",
}
every_provider = pytest.mark.parametrize("provider", LETTERS)


def send(shop: Shop, provider: str, *words: str, to: str = ME) -> Ended:
    """``mailkit test`` with a letter that has a placeholder for the name."""
    letter = shop.letter(**LETTERS[provider])
    return shop("test", letter, to, "--provider", provider, *words)


@every_provider
def test_one_message_is_sent_with_the_values_of_a_row(shop: Shop, provider: str) -> None:
    people = str(shop.table(LIST))
    ended = send(shop, provider, "--list", people, "--row", "2")
    assert (ended.code, ended.err) == (0, "")
    approve(f"test: over {provider}", ended.out)
    shop.sandbox.clock.advance(60)
    ended = send(shop, provider, "--list", people, "--json")
    assert (ended.code, ended.err) == (0, "")
    assert (ended.json["to"], ended.json["line"]) == (ME, 2)
    assert dict(shop.sandbox.truth.mailed) == {ME: 2}
    second, first = (email.body for email in shop.sandbox.truth.kept)
    assert "&lt;Boris&gt;" in second
    assert "Anna" in first
    assert not sum(map(shop.in_journal, ("jobs", "rows", "chunks")))


@every_provider
def test_an_unknown_outcome_is_said_to_be_one(shop: Shop, provider: str) -> None:
    shop.sandbox.faults.add(Fault("reset_after_acting", on=CALLS[provider]))
    ended = send(shop, provider, "--list", str(shop.table(LIST)))
    assert (ended.code, ended.out) == (3, "")
    approve(f"test: an unknown outcome over {provider}", ended.err)
    assert shop.sandbox.requests[CALLS[provider]] == 1
    assert dict(shop.sandbox.truth.mailed) == {ME: 1}


@every_provider
def test_a_refusal_has_the_services_words(shop: Shop, provider: str) -> None:
    shop.sandbox.faults.add(Fault("error_envelope", on=CALLS[provider]))
    ended = send(shop, provider, "--list", str(shop.table(LIST)))
    ended.check_refusal(f"a test over {provider}")
    assert not shop.sandbox.truth.emails


def test_devino_refuses_and_doubts_one_recipient_by_name(shop: Shop) -> None:
    people = str(shop.table(LIST))
    ended = send(shop, "devino", "--list", people, to="invalid@example.com")
    ended.check_refusal("a test to an address that Devino refuses")
    assert send(shop, "devino", "--list", people, to="missing@example.com").code == 3


def test_a_value_that_is_missing_is_named(shop: Shop) -> None:
    people = str(shop.table(LIST))
    send(shop, "smsby").check_refusal("a test without a list")
    send(shop, "smsby", "--list", people, "--row", "3").check_refusal("a test with an empty value")
    send(shop, "smsby", "--list", people, "--row", "4").check_refusal("a test with a row too many")
    send(shop, "smsby", to="me").check_refusal("a test to what is not an address")
    assert send(shop, "smsby", "--row", "2").code == 2
    assert not shop.sandbox.requests[CALLS["smsby"]]


def test_a_row_of_json_lines_fills_the_placeholders_too(shop: Shop) -> None:
    people = shop.folder / "autumn.jsonl"
    people.write_text('{"email": "a@b.by"}\n{"email": "a@b.by", "x": 1, "name": "Жанна"}\n["no"]')
    ended = send(shop, "smsby", "--list", str(people), "--row", "2", "--json")
    assert ended.json["subject"] == "Hi Жанна"
    send(shop, "smsby", "--list", str(people)).check_refusal("a test with a missing key")
    ended = send(shop, "smsby", "--list", str(people), "--row", "3")
    ended.check_refusal("a test with a row that can't be read")


def test_defaults_need_no_list_and_it_is_sent_at_once(shop: Shop) -> None:
    begun = datetime(2001, 1, 1, 10, 0, tzinfo=UTC)
    letter = shop.letter(
        sender=SENDER, subject="{{ name | 'Dear' }}", text="See you", send_at=begun
    )
    ended = shop("test", letter, ME, "--provider", "smsby", "--json")
    assert (ended.code, ended.json["subject"], ended.json["text"]) == (0, "Dear", "See you")
    assert ended.json["line"] is None
