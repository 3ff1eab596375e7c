"""``mailkit resolve``: which rows a person can name, and what is said back."""

from __future__ import annotations

import re

import pytest

from mailkit.sandbox import Fault

from ..approval import approve
from .shop import SEND, Shop, customer

HELD_UP = "mailkit.bulk.journal.resolving.HELD_UP_SECONDS"


def in_doubt(shop: Shop, chunks: int = 1) -> None:
    """A job whose first chunks of 500 are in doubt, though nobody was mailed, and 3 rows more."""
    shop.sandbox.faults.add(Fault("reset_after_reading", on=SEND, times=chunks))
    shop.send(
        shop.letter(), shop.customers(500 * chunks + 3), "--name", "autumn", "--concurrency", "1"
    )


def test_without_a_chunk_nothing_is_resolved_and_the_chunks_are_named(shop: Shop) -> None:
    in_doubt(shop, 2)
    ended = shop("resolve", "autumn", "--not-sent")
    ended.check_refusal("a resolve without chunks")
    assert shop.report()["in_doubt"] == 1000


def test_several_chunks_are_resolved_at_once(shop: Shop) -> None:
    in_doubt(shop, 2)
    ended = shop("resolve", "autumn", "1", "autumn #2", "--not-sent")
    assert (ended.code, ended.out.startswith("1,000 rows ")) == (0, True)
    ended = shop("resolve", "autumn", "1", "--not-sent")
    ended.check_refusal("a chunk that is not in doubt", chunk="chunk 1")


def test_a_chunk_that_was_sent_again_has_another_label(shop: Shop) -> None:
    in_doubt(shop)
    shop("resolve", "autumn", "1", "--not-sent")
    shop.sandbox.faults.add(Fault("reset_after_reading", on=SEND, times=1))
    ended = shop("resume", "autumn", "--concurrency", "1")
    assert "mailkit resolve autumn 1.2 --accepted" in ended.out
    ended = shop("resolve", "autumn", "1", "--not-sent")
    ended.check_refusal("a chunk that was sent again")
    assert shop("resolve", "autumn", "1.2", "--not-sent").code == 0


def test_single_rows_are_named_by_their_addresses(shop: Shop) -> None:
    in_doubt(shop)
    people = ["--address", customer(0), "--address", customer(499).upper()]
    ended = shop("resolve", "autumn", *people, "--accepted")
    assert (ended.code, ended.out.startswith("2 rows ")) == (0, True)
    ended = shop("resolve", "autumn", "1", "--address", customer(1), "--not-sent")
    approve("resolve --not-sent of one row", ended.out)
    ended = shop("resolve", "autumn", "--address", customer(501), "--not-sent")
    ended.check_refusal("an address that is not in doubt", address=customer(501))
    counts = shop.report()
    assert (counts["in_doubt"], counts["accepted"], counts["unsent"]) == (497, 5, 1)


def test_where_nothing_is_rejected_nothing_is_ordered_again(shop: Shop) -> None:
    shop.send(shop.letter(), shop.table(["email", customer(1)]), "--name", "autumn")
    ended = shop("resolve", "autumn", "--rejected")
    assert (ended.code, ended.err) == (0, "")
    approve("resolve --rejected: nothing is", ended.out)


def test_what_is_rejected_is_ordered_again(shop: Shop) -> None:
    people = shop.table(["email", customer(1), "invalid1@example.com", "invalid2@example.com"])
    shop.send(shop.letter(), people, "--name", "autumn")
    assert shop.report()["rejected"] == 2
    ended = shop("resolve", "autumn", "--rejected", "--address", "invalid2@example.com")
    approve("resolve --not-sent of one row", ended.out)
    assert shop("resume", "autumn").code == 0
    assert shop.sandbox.requests.last[-2].form.text("name") == "autumn #2.2"
    ended = shop("resolve", "autumn", "--rejected")
    assert (ended.code, ended.out.startswith("2 rows ")) == (0, True)
    assert shop.sandbox.truth.count(customer(1)) == 1


def test_too_early_a_word_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    in_doubt(shop)
    monkeypatch.setattr(HELD_UP, 120.0)
    ended = shop("resolve", "autumn", "1", "--not-sent")
    [moment] = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+", ended.err)
    ended.check_refusal("too early a word", moment=moment)
    assert shop("resolve", "autumn", "1", "--accepted").code == 0


def test_what_workers_are_not_told_is_said(shop: Shop) -> None:
    ended = shop("resume", "autumn", "--detach", "--rejected", "--track", "1h", "--strict")
    ended.check_usage("options that workers are not given")


@pytest.mark.parametrize(
    "words",
    [[], ["--accepted", "--not-sent"], ["--rejected", "--accepted"], ["--rejected", "--not-sent"]],
)
def test_one_word_is_needed_and_no_two(shop: Shop, words: list[str]) -> None:
    ended = shop("resolve", "autumn", "1", *words)
    assert (ended.code, ended.out) == (2, "")
    assert "--accepted" in ended.err
