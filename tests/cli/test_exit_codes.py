"""Which exit code tells about which end, and which of them comes first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from mailkit import Journal
from mailkit.bulk.journal import Counts
from mailkit.bulk.report import Report
from mailkit.cli.run import Exit, exit_code
from mailkit.sandbox import Fault

from ..approval import approve
from .shop import SEND, Ended, Shop, customer

LISTS = {
    "all invalid": ["no-at-sign", "a@b@c", ""],
    "all refused": ["invalid1@example.com", "invalid2@example.com"],
    "invalid, refused, twice the same": ["x", "invalid@example.com", "INVALID@example.com"],
}


def report(
    *, stopped: Any = None, unreconciled: int = 0, asked_again: Any = None, **counts: int
) -> Report:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    return Report(
        job="autumn",
        provider="smsby",
        subject="Autumn",
        created=at,
        looks_until=None if asked_again else at,
        counts=Counts(read=sum(counts.values()), **counts),
        elsewhere={},
        unreconciled=unreconciled,
        deliveries={},
        statistics={},
        doubts=[],
        rejections=[],
        waiting=None,
        stopped=stopped,
        running=False,
    )


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        (report(accepted=1), Exit.DONE),
        (report(accepted=1, invalid=1, duplicate=1, suppressed=1, rejected=1), Exit.DONE),
        (report(accepted=1, unreconciled=1), Exit.DONE),
        (report(accepted=1, in_doubt=1), Exit.IN_DOUBT),
        (report(in_doubt=1, unsent=1), Exit.IN_DOUBT),
        (report(accepted=1, unsent=1), Exit.UNSENT),
        (report(unsent=1), Exit.UNSENT),
        (report(accepted=1, unreconciled=1, stopped="on request"), Exit.UNSENT),
        (report(accepted=1, unreconciled=1, asked_again=True, stopped="on request"), Exit.DONE),
        (report(accepted=1, stopped="on request"), Exit.DONE),
        *((report(**{state: 1}), Exit.ERROR) for state in ("invalid", "duplicate", "suppressed")),
        (report(rejected=2, invalid=1), Exit.ERROR),
    ],
    ids=str,
)
def test_the_code_of_a_job_that_nothing_stopped(ending: Report, code: Exit) -> None:
    assert exit_code(ending, failed=False) == code


def test_doubt_comes_before_an_error_and_an_error_before_rows_that_are_unsent() -> None:
    for in_doubt, unsent, accepted in product((0, 1), repeat=3):
        ending = report(in_doubt=in_doubt, unsent=unsent, accepted=accepted, rejected=1)
        expected = Exit.IN_DOUBT if in_doubt else Exit.ERROR
        assert exit_code(ending, failed=True) == expected


@pytest.mark.parametrize("state", ["invalid", "rejected"])
def test_strict_adds_an_error_and_takes_nothing_away(state: str) -> None:
    assert exit_code(report(accepted=1, **{state: 1}), failed=False, strict=True) == Exit.ERROR
    assert exit_code(report(accepted=1, duplicate=1), failed=False, strict=True) == Exit.DONE
    for other, code in (("in_doubt", Exit.IN_DOUBT), ("unsent", Exit.UNSENT)):
        ending = report(accepted=1, **{state: 1, other: 1})
        assert exit_code(ending, failed=False, strict=True) == code


@pytest.mark.parametrize("kind", LISTS)
def test_a_run_in_which_nobody_was_accepted_is_an_error(shop: Shop, kind: str) -> None:
    people = shop.table(["name,email", *(f"x,{address}" for address in LISTS[kind])])
    ended = shop.send(shop.letter(), people, "--name", "autumn")
    assert (ended.code, ended.err) == (1, "")
    approve(f"report: {kind}", ended.out)
    for command in ("resume", "status", "report"):
        assert shop(command, "autumn") == ended
    assert shop("report", "autumn", "--csv").code == 0
    assert "nobody accepted" in shop("status").out
    assert shop.sandbox.truth.emails == 0
    again = shop.send(shop.letter(), people, "--name", "autumn", "--json")
    assert (again.code, again.err) == (1, "")
    counts = {group["state"]: 0 for group in again.json["reasons"]}
    for group in again.json["reasons"]:
        counts[group["state"]] += group["rows"]
    assert counts == {state: n for state in counts if (n := again.json[state])}
    corrected = shop.send(shop.letter(), shop.customers(2), "--name", "autumn")
    assert (corrected.code, corrected.err) == (0, "")
    assert shop.report("autumn")["accepted"] == shop.sandbox.truth.emails == 2


def test_a_list_of_suppressed_people_is_one_of_those(shop: Shop) -> None:
    people = shop.customers(2)
    assert shop.send(shop.letter(), people, "--suppress", people, "--name", "autumn").code == 1
    assert shop.report()["suppressed"] == 2


def test_codes_of_whole_runs(shop: Shop) -> None:
    letter = shop.letter()

    def send(name: str, *words: str) -> Ended:
        people = shop.table(["email", f"{name}@example.com", "no-at-sign"], f"{name}.csv")
        return shop.send(letter, people, "--name", name, *words)

    assert send("well").code == 0
    assert send("strict", "--strict").code == 1
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=1))
    assert send("doubt", "--strict").code == 3
    assert shop("resolve", "doubt", "1", "--not-sent").code == 0
    assert shop("status", "doubt").code == 4
    assert shop.sandbox.truth.count(customer(0)) == 0


def test_a_command_that_is_cut_off_says_that_others_go_on(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND))
    words = ("--name", "autumn", "--concurrency", "1")
    assert shop.send(shop.letter(), shop.customers(5_000), *words).code == 3
    assert "3 chunks in a row" in shop.report()["stopped"]
    with asyncio.Runner() as runner:
        journal = runner.run(Journal.open(shop.journal))
        record = runner.run(journal.jobs.get("autumn"))
        other = runner.run(journal.workers.join(record))
        ended = shop("resume", "autumn", "--concurrency", "1")
        runner.run(journal.workers.leave(other))
        runner.run(journal.close())
    assert ended.code == 3
    why = "mailkit: autumn is left to other workers: the outcome of 3 chunks in a row is unknown: "
    assert why in ended.err
    assert shop.report()["stopped"] is None
