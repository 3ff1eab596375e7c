"""A list that was corrected and sent again: what is said of people who have the message."""

from __future__ import annotations

from ..approval import approve
from .shop import Shop, customer


def test_a_corrected_list_says_who_has_the_message(shop: Shop) -> None:
    message = shop.letter()
    wrong = shop.table(["email", customer(0), customer(1), "custmer2@example.com"])
    shop.send(message, wrong, "--name", "autumn")
    ended = shop.send(message, shop.customers(3), "--name", "corrected")
    assert ended.code == 0
    approve("report: duplicates of another job", ended.out)
    assert shop.report("corrected")["elsewhere"] == {"already sent by job autumn": 2}
    rows = shop("report", "corrected", "--csv").out.splitlines()
    assert rows[1].endswith(",duplicate,already sent by job autumn,,")
    assert shop.states("corrected") == {
        customer(0): "duplicate",
        customer(1): "duplicate",
        customer(2): "accepted",
    }
    assert set(shop.sandbox.truth.mailed.values()) == {1}


def test_a_list_of_people_who_all_have_the_message(shop: Shop) -> None:
    message = shop.letter()
    shop.send(message, shop.customers(3), "--name", "autumn")
    ended = shop.send(message, shop.customers(2), "--name", "again")
    approve("report: nobody is left to mail", ended.out)
    assert shop.report("again")["duplicate"] == 2
    assert shop.sandbox.truth.mailed == {customer(n): 1 for n in range(3)}
    ended = shop.send(message, shop.customers(2), "--name", "again", "--again")
    assert ended.code == 0
    assert shop.report("again")["accepted"] == 2
    assert shop.sandbox.truth.mailed[customer(0)] == 2


def test_rejected_rows_that_another_job_has_sent_since_are_left_out(shop: Shop) -> None:
    message = shop.letter()
    invalid = shop.table(["email", customer(0), "invalid1@example.com", "invalid2@example.com"])
    shop.send(message, invalid, "--name", "autumn")
    shop.send(message, shop.table(["email", "invalid1@example.com"]), "--name", "other")
    shop("resolve", "other", "--rejected")
    ended = shop("resolve", "autumn", "--rejected")
    approve("resolve --rejected: one left out", ended.out)
    approve("report: a row that waits in another job", shop("report", "autumn").out)
    shop("resume", "autumn")
    [line] = [line for line in shop("status").out.splitlines() if line.startswith("autumn")]
    assert line.endswith("left to other jobs")
