"""``mailkit plan``: what a send would do, and nothing is sent."""

from __future__ import annotations

import pytest

from mailkit.sandbox import Fault

from ..approval import approve
from .shop import PERSONAL, SENDER, Shop, customer
from .test_send import DIRTY

TO_ALL = {
    "sender": SENDER,
    "subject": "Autumn",
    "html": "<head><title>-</title></head><p>Hello <b>{{ name }}</b>,</p>see {{ city }}"
    "<p>{{ unsubscribe }}</p>",
}


def nothing_happened(shop: Shop) -> bool:
    """Nobody was mailed, and the journal holds nothing."""
    tables = ("jobs", "rows", "chunks")
    return not (shop.sandbox.truth.emails or sum(map(shop.in_journal, tables)))


def test_a_plan_says_what_a_send_would_do(shop: Shop) -> None:
    letter, people = shop.letter(**PERSONAL), shop.table(DIRTY)
    words = (letter, people, "--provider", "smsby")
    ended = shop("plan", *words)
    assert (ended.code, ended.err) == (0, "")
    approve("plan: a dirty list", ended.out, message=letter, list=people)
    assert nothing_happened(shop)
    found = shop("plan", *words, "--json").json
    assert (found["invalid"], found["duplicate"], found["to_send"]) == (1, 1, 4)
    report = shop.send(letter, people, "--json").json
    for count in ("rows", "invalid", "duplicate", "suppressed"):
        assert found[count] == report[count]
    assert [one["to"] for one in found["messages"]] == [
        "anna@example.com",
        "boris@xn--80a1acny.example",
        "invalid-gone@example.com",
    ]


def test_devino_shows_its_own_macro_for_the_link(shop: Shop) -> None:
    letter, people = shop.letter(**TO_ALL), shop.table(DIRTY)
    ended = shop("plan", letter, people, "--provider", "devino")
    assert (ended.code, ended.err) == (0, "")
    approve("plan: over devino", ended.out, message=letter, list=people)
    assert nothing_happened(shop)


def test_the_command_that_sends_has_the_same_options(shop: Shop) -> None:
    people = shop.table(["email;name", f"{customer(1)};a b"])
    unwanted = shop.customers(1, "unwanted.csv")
    options = ["--name", "a b", "--suppress", str(unwanted), "--delimiter", ";", "--again"]
    ended = shop("plan", shop.letter(), people, "--provider", "smsby", *options)
    assert ended.code == 0
    command = ended.out.splitlines()[-1].partition("mailkit send ")[2]
    assert command.endswith(f"--name 'a b' --suppress {unwanted} --delimiter ';' --again")


def test_a_plan_without_anybody_left_to_mail_is_an_error(shop: Shop) -> None:
    people = shop.customers(12)
    ended = shop("plan", shop.letter(), people, "--suppress", people, "--provider", "smsby")
    assert (ended.code, ended.err) == (1, "")
    approve("plan: nobody is left", ended.out, list=people)
    assert nothing_happened(shop)


def test_what_was_sent_already_is_refused_unless_ordered_again(shop: Shop) -> None:
    letter, people = shop.letter(), shop.customers(2)
    shop.send(letter, people, "--name", "autumn")
    words = ("plan", letter, people, "--provider", "smsby")
    shop(*words).check_refusal("a plan of what was sent")
    assert shop(*words, "--again", "--json").json["to_send"] == 2
    more = shop.customers(5, "more.csv")
    found = shop("plan", letter, more, "--provider", "smsby", "--json").json
    assert (found["to_send"], found["duplicate"]) == (3, 2)
    assert found["left_out"][0]["reason"] == "already sent by job autumn"
    assert shop.sandbox.truth.emails == 2


def test_wrong_credentials_are_found(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("token_refused", on="smsby.templates.list", times=1))
    ended = shop("plan", shop.letter(), shop.customers(1), "--provider", "smsby")
    assert (ended.code, ended.out) == (1, "")
    assert nothing_happened(shop)


@pytest.mark.parametrize("words", [["--json"], []], ids=["json", "text"])
def test_a_list_from_stdin_is_planned_too(shop: Shop, words: list[str]) -> None:
    ended = shop(
        "plan", shop.letter(), "-", "--provider", "smsby", *words, stdin=f"email\n{customer(1)}\n"
    )
    assert ended.code == 0
    assert nothing_happened(shop)
