"""The command line with Devino: the same commands, another service."""

from __future__ import annotations

from ..approval import approve
from .shop import SENDER, Shop

LETTER = {
    "sender": SENDER,
    "subject": "Autumn",
    "html": "<p>Hi {{ name | 'friend' }}</p>{{ unsubscribe }}",
}
LIST = [
    "email,name",
    "anna@example.com,<Anna>",
    "boris@example.com,",
    "invalid-gone@example.com,Gone",
    "missing@example.com,Missing",
    "no-at-sign,Nobody",
]


def test_a_list_goes_out_and_every_row_is_accounted_for(shop: Shop) -> None:
    letter, table = shop.letter(**LETTER), shop.table(LIST)
    ended = shop("send", letter, table, "--provider", "devino", "--name", "autumn", "--json")
    assert (ended.code, ended.err) == (3, "")
    assert shop.states() == {
        "anna@example.com": "accepted",
        "boris@example.com": "accepted",
        "invalid-gone@example.com": "rejected",
        "missing@example.com": "in doubt",
        "no-at-sign": "invalid",
    }
    assert dict(shop.sandbox.truth.mailed) == {"anna@example.com": 1, "boris@example.com": 1}
    texts = {letter.address: letter.body for letter in shop.sandbox.truth.kept}
    assert texts["anna@example.com"].startswith("<p>Hi &lt;Anna&gt;</p>http")
    assert texts["boris@example.com"].startswith("<p>Hi friend</p>http")


def test_no_credentials(shop: Shop) -> None:
    words = ("send", shop.letter(**LETTER), shop.table(LIST), "--provider", "devino")
    ended = shop(*words, environment={"MAILKIT_DEVINO_API_KEY": None})
    ended.check_refusal("no credential of Devino")


def test_wrong_credentials_stop_at_the_first_chunk_and_a_resume_sends_it(shop: Shop) -> None:
    letter, table = shop.letter(**LETTER), shop.table(LIST)
    ended = shop(
        *("send", letter, table, "--provider", "devino", "--name", "autumn"),
        *("--account", "shop"),
        environment={"MAILKIT_DEVINO_API_KEY": "stolen-canary"},
    )
    assert ended.code == 1
    approve("report: a credential that Devino refuses", ended.out)
    assert "stolen-canary" not in ended.out + ended.err
    assert shop.report()["unsent"] == 4
    assert shop("resume", "autumn", "--account", "shop").code == 3
    assert dict(shop.sandbox.truth.mailed) == {"anna@example.com": 1, "boris@example.com": 1}


def test_what_devino_can_t_do_is_told_before_anything_is_sent(shop: Shop) -> None:
    letter = shop.letter(**LETTER | {"subject": "Hi {{ name }}"})
    ended = shop("send", letter, shop.table(LIST), "--provider", "devino")
    ended.check_refusal("a placeholder in Devino's subject")
    assert shop.sandbox.requests.total() == 0


def test_deliveries_that_nobody_can_be_asked_for_are_not_waited_for(shop: Shop) -> None:
    letter, table = shop.letter(**LETTER), shop.table(LIST[:3])
    words = ("send", letter, table, "--provider", "devino", "--name", "autumn")
    ended = shop(*words, "--track", "1h")
    ended.check_refusal("tracking at Devino")
    assert shop.sandbox.requests.total() == 0
    assert shop(*words).code == 0
    ended = shop("status", "autumn", "--follow")
    ended.check_refusal("tracking at Devino")
