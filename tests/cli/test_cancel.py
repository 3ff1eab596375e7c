"""``mailkit cancel``: a job is sent no further, whoever is sending it."""

from __future__ import annotations

import re

from mailkit.sandbox import Fault

from ..approval import approve
from .shop import SEND, Ended, Process, Shop, customer, end_of


def being_sent(shop: Shop, count: int = 10_000) -> Process:
    """A process that is at the job autumn, and has a long way to go."""
    shop.sandbox.faults.add(Fault("slow_before_acting", on=SEND, seconds=0.8))
    people = shop.customers(count)
    words = ("--provider", "smsby", "--name", "autumn", "--concurrency", "2")
    process = shop.spawn("send", shop.letter(), people, *words)
    shop.until_requests(2, process)
    return process


def half_sent(shop: Shop) -> None:
    """The job autumn, 500 rows of which are accepted and 700 unsent."""
    shop.sandbox.faults.add(Fault("token_refused", on=SEND, after=1))
    words = ("--name", "autumn", "--concurrency", "1")
    assert shop.send(shop.letter(), shop.customers(1_200), *words).code == 1
    shop.sandbox.faults.clear()


def approve_text(name: str, ended: Ended) -> None:
    """Approve what was said, but for the time, and whether anybody was looked for in time."""
    moments = re.findall(r"\d\d:\d\d:\d\d", ended.out)
    lines = [line for line in ended.out.splitlines() if "not in the status lists yet" not in line]
    lines = [line for line in lines if "delivery: " not in line]
    approve(name, "\n".join(lines), **dict.fromkeys(["moment"], moments[0]))


def test_a_job_is_cancelled_while_another_process_sends_it(shop: Shop) -> None:
    with being_sent(shop) as process:
        ended = shop("cancel", "autumn", "--json")
        assert (ended.code, ended.err) == (0, "")
        sent = end_of(process)
    assert sent.code == 4
    report = shop.report()
    assert ended.json == {**report, "recall": None}
    assert report["accepted"] + report["unsent"] == report["rows"] == 10_000
    assert 0 < report["accepted"] < 10_000
    assert report["stopped"] == "cancelled"
    assert shop.sandbox.truth.compare(shop.accepted()).agrees

    assert shop("status", "autumn").code == shop("report", "autumn").code == 4
    shop.sandbox.faults.clear()
    shop("resume", "autumn").check_refusal("a cancelled job")
    assert shop.sandbox.truth.emails == report["accepted"]
    ended = shop("resume", "autumn", "--cancelled", "--json")
    assert (ended.code, ended.json["accepted"], ended.json["cancelled"]) == (0, 10_000, None)
    assert shop.sandbox.truth.compare(shop.accepted()).agrees


def test_a_job_whose_last_requests_are_under_way_ends_as_any_other(shop: Shop) -> None:
    with being_sent(shop, 1_000) as process:
        ended = shop("cancel", "autumn")
        assert (ended.code, ended.err) == (0, "")
        first = "autumn: nothing is left to cancel: 1,000 accepted, 0 rejected"
        assert ended.out.splitlines()[0] == first
        sent = end_of(process)
    assert (sent.code, shop("resume", "autumn").code) == (0, 0)
    report = shop.report()
    assert (report["accepted"], report["unreconciled"], report["cancelled"]) == (1_000, 0, None)


def test_a_cancelled_job_is_called_that(shop: Shop) -> None:
    half_sent(shop)
    ended = shop("cancel", "autumn")
    assert (ended.code, ended.err) == (0, "")
    approve_text("cancel: half of it is sent", ended)
    assert shop("cancel", "autumn") == ended
    approve_text("report: cancelled", shop("report", "autumn"))
    assert shop("status").out.splitlines()[1].split()[-1] == "cancelled"
    found = shop("plan", shop.folder / "message.toml", shop.folder / "autumn.csv", "--json",
                 "--provider", "smsby").json  # fmt: skip
    assert (found["to_send"], found["duplicate"]) == (700, 500)


def test_who_belongs_to_another_job_by_now_is_left_out_and_that_is_said(shop: Shop) -> None:
    half_sent(shop)
    shop("cancel", "autumn")
    assert shop.send(shop.letter(), shop.folder / "autumn.csv", "--name", "rest").code == 0
    ended = shop("resume", "autumn", "--cancelled")
    assert ended.code == 0
    [line, *_] = [line for line in ended.err.splitlines() if "left out" in line]
    approve("resume: rows belong to another job by now", line)
    assert shop.report()["elsewhere"] == {"already sent by job rest": 700}


def test_a_job_that_is_done_has_nothing_to_cancel(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(3), "--name", "autumn")
    ended = shop("cancel", "autumn")
    assert (ended.code, ended.err) == (0, "")
    approve("cancel: nothing is left", ended.out)
    assert shop("resume", "autumn").code == 0


def test_a_job_that_does_not_exist(shop: Shop) -> None:
    shop.send(shop.letter(), shop.customers(3), "--name", "autumn")
    shop("cancel", "winter").check_refusal("a job to cancel that does not exist")


def test_rows_in_doubt_are_said_and_are_the_exit_code(shop: Shop) -> None:
    half_sent(shop)
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, times=1))
    shop.sandbox.faults.add(Fault("token_refused", on=SEND, after=1))
    assert shop("resume", "autumn", "--concurrency", "1").code == 3
    ended = shop("cancel", "autumn")
    assert (ended.code, ended.err) == (3, "")
    approve_text("cancel: rows in doubt", ended)
    chunk = shop.report()["doubts"][0]["label"].rpartition("#")[2]
    approve("resolve: a cancelled job", shop("resolve", "autumn", chunk, "--not-sent").out)


def test_a_provider_that_takes_nothing_back_says_so_and_the_job_is_cancelled(shop: Shop) -> None:
    half_sent(shop)
    ended = shop("cancel", "autumn", "--recall")
    assert ended.code == 1
    assert ended.out.startswith("autumn: cancelled at ")
    approve("cancel: a provider that takes nothing back", ended.err)
    assert shop.report()["cancelled"] is not None


def test_where_nothing_was_accepted_there_is_nothing_to_take_back(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("token_refused", on=SEND))
    shop.send(shop.letter(), shop.customers(3), "--name", "autumn")
    ended = shop("cancel", "autumn", "--recall")
    assert (ended.code, ended.err) == (0, "")
    approve_text("cancel: nothing to take back", ended)
    assert shop.states() == {customer(n): "unsent" for n in range(3)}
