"""The command line, killed or told to stop in the middle; compared with who was mailed.

The sandbox runs in a thread here, so it outlives the senders and knows the truth.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailkit.sandbox import Fault

from ..cli.shop import SEND, Shop, customer, end_of, insist, kill, open_shop

ROWS, CHUNK = 4000, 500
FOR_EVER = 600.0


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path, seed=1) as opened:
        yield opened


def send(shop: Shop, *words: str, rows: int = ROWS, concurrency: int = 3) -> list[str | Path]:
    """The words of a send of chunks of 500 rows."""
    files = [shop.letter(), shop.customers(rows)]
    options = ["--provider", "smsby", "--name", "autumn", "--concurrency", str(concurrency)]
    return ["send", *files, *options, *words]


def under_way(shop: Shop, requests: int, acted: int) -> bool:
    """Whether so many requests have come, so many of which were acted upon."""
    return shop.sandbox.requests[SEND] == requests and shop.sandbox.truth.emails == acted * CHUNK


def nobody_twice_nobody_lost(shop: Shop, rows: int = ROWS) -> None:
    """Whatever happened: every row has one state, what is accepted was mailed and what is unsent
    was not, and nobody was mailed twice.
    """
    truth, states = shop.sandbox.truth, shop.states()
    assert list(states) == [customer(n) for n in range(rows)]
    assert truth.mailed_twice == []
    wrong = [
        (address, state, truth.count(address))
        for address, state in states.items()
        if state != "in doubt" and truth.count(address) != (state == "accepted")
    ]
    assert wrong == []


def resolve_by_truth(shop: Shop) -> None:
    """What a person does: look in the panel, then say what was found, chunk by chunk."""
    for doubt in shop.report()["doubts"]:
        mailed = shop.sandbox.truth.count(doubt["first"])
        assert mailed == shop.sandbox.truth.count(doubt["last"])
        word = "--accepted" if mailed else "--not-sent"
        ended = shop("resolve", "autumn", doubt["label"].rpartition("#")[2], word)
        assert (ended.code, ended.err) == (0, "")


def everybody_was_mailed_once(shop: Shop, rows: int = ROWS) -> None:
    ended = shop("resume", "autumn", "--json")
    assert ended.code == 0, ended
    assert (ended.json["accepted"], ended.json["complete"]) == (rows, True)
    assert shop.sandbox.truth.compare(shop.accepted()).agrees
    assert shop.sandbox.truth.emails == rows


def test_a_kill_leaves_in_doubt_what_was_under_way_and_nothing_else(shop: Shop) -> None:
    taken = Fault("slow_answer", on=SEND, after=2, times=2, seconds=FOR_EVER)
    ignored = Fault("slow_before_acting", on=SEND, after=4, times=1, seconds=FOR_EVER)
    shop.sandbox.faults.add(taken)
    shop.sandbox.faults.add(ignored)
    with shop.spawn(*send(shop)) as process:
        shop.until(lambda: under_way(shop, requests=5, acted=4), process)
        kill(process)
    assert process.returncode == -signal.SIGKILL

    report = shop.report()
    assert (report["accepted"], report["in_doubt"], report["unsent"]) == (1000, 1500, 1500)
    nobody_twice_nobody_lost(shop)

    ended = shop.run("resume", "autumn")
    assert ended.code == 3
    assert "  accepted             2,500\n" in ended.out
    assert "  in doubt             1,500\n" in ended.out
    assert "  sum                  4,000  = rows read\n" in ended.out
    nobody_twice_nobody_lost(shop)
    doubts = shop.report()["doubts"]
    for doubt in doubts:
        first, last = CHUNK * (doubt["chunk"] - 1), CHUNK * doubt["chunk"] - 1
        assert (doubt["first"], doubt["last"]) == (customer(first), customer(last))
        assert (
            f"  chunk {doubt['chunk']} (autumn #{doubt['chunk']}, 500 rows, {doubt['first']} … "
            f"{doubt['last']}): the process ended while the request was under way\n"
        ) in ended.out
    mailed = [shop.sandbox.truth.count(doubt["first"]) for doubt in doubts]
    assert sorted(mailed) == [0, 1, 1]

    resolve_by_truth(shop)
    everybody_was_mailed_once(shop)


def test_an_answer_that_was_lost_after_the_service_acted(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("reset_after_acting", on=SEND, after=3, times=1))
    ended = shop.run(*send(shop))
    assert ended.code == 3
    assert "  in doubt               500\n" in ended.out
    assert shop.sandbox.truth.emails == ROWS
    nobody_twice_nobody_lost(shop)
    resolve_by_truth(shop)
    everybody_was_mailed_once(shop)
    assert shop.sandbox.requests[SEND] == ROWS / CHUNK


def test_a_kill_while_the_provider_is_asked_what_became_of_it_costs_nothing(shop: Shop) -> None:
    shop.sandbox.smsby.settings.status_delay = 3600.0
    with shop.spawn(*send(shop)) as process:
        asked = shop.sandbox.requests
        shop.until(lambda: asked["smsby.bulk.status"] and under_way(shop, 8, 8), process)
        shop.until(lambda: shop.in_journal("chunks", "state = 'accepted'") == 8, process)
        kill(process)
    assert shop.report()["unreconciled"] > 0
    nobody_twice_nobody_lost(shop)
    shop.sandbox.clock.advance(3600)
    everybody_was_mailed_once(shop)
    assert shop.report()["unreconciled"] == 0


def test_killed_while_planning_it_is_planned_again(shop: Shop) -> None:
    words: list[str | Path] = ["send", shop.letter(), "-", "--provider", "smsby"]
    words += ["--name", "autumn"]
    lines = shop.customers(ROWS).read_text()
    with shop.spawn(*words) as process:
        assert process.stdin is not None
        process.stdin.write(lines)
        process.stdin.flush()
        shop.until(lambda: shop.in_journal("rows") >= 3000, process)
        refused = shop(*words, stdin=lines)  # while the first one still reads
        kill(process)
    assert (refused.code, refused.out) == (1, "")
    assert "the job autumn is being planned right now" in refused.err
    assert shop("status", "--json").json == []
    assert shop("resume", "autumn").err == (
        "mailkit: there is no job 'autumn'; the journal is empty\n"
    )
    assert shop.sandbox.truth.emails == 0
    assert shop(*words, stdin=lines).code == 0
    assert shop.in_journal("jobs") == 1
    assert shop.in_journal("rows") == ROWS
    everybody_was_mailed_once(shop)


def test_what_a_living_process_sends_is_not_in_doubt(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=SEND, after=1, seconds=FOR_EVER))
    words = send(shop)
    with shop.spawn(*words) as process:
        shop.until(lambda: under_way(shop, requests=4, acted=4), process)
        for word in ("--accepted", "--not-sent"):
            ended = shop("resolve", "autumn", "2", word)
            assert (ended.code, ended.out) == (1, "")
            assert ended.err == "mailkit: chunk 2 of the job autumn is not in doubt\n"
        ended = shop(*words)
        assert ended.err == (
            "mailkit: the job autumn already exists, and is being sent right now; to see how far "
            "it is: mailkit status autumn\n"
        )
        report = shop.report()
        assert (report["running"], report["accepted"]) == (True, 500)
        assert (report["in_doubt"], report["unsent"]) == (0, 3500)
        ended = shop("status", "autumn")
        assert re.search(rf"^Process {process.pid} on .+ is sending it$", ended.out, re.MULTILINE)
        assert "mailkit status" not in ended.out, "the command that was just run"
        assert "running" in shop("status").out
        assert process.poll() is None
        kill(process)
    assert shop.sandbox.requests[SEND] == 4
    report = shop.report()
    assert (report["running"], report["in_doubt"], report["unsent"]) == (False, 1500, 2000)
    assert [(one["process"], one["presence"]) for one in report["workers"]] == [
        (process.pid, "dead")
    ]
    ended = shop("status", "autumn")
    assert f"Process {process.pid} on " in ended.out
    assert " died before the job had ended\n" in ended.out
    assert "Send the rest with: mailkit resume autumn\n" in ended.out


def test_a_second_process_joins_and_both_end_with_a_complete_report(shop: Shop) -> None:
    release = shop.hold()
    with shop.spawn(*send(shop, concurrency=2)) as first:
        shop.until(lambda: under_way(shop, requests=2, acted=2), first)
        first.send_signal(signal.SIGSTOP)
        release()
        with shop.spawn("resume", "autumn", "--concurrency", "2") as second:
            shop.until(lambda: shop.in_journal("chunks", "state = 'accepted'") == 6, second)
            assert second.poll() is None  # it waits for what the first one has under way
            first.send_signal(signal.SIGCONT)
            ends = [end_of(first), end_of(second)]
    for ended in ends:
        assert ended.code == 0, ended
        assert "  accepted             4,000\n" in ended.out
        assert "  sum                  4,000  = rows read\n" in ended.out
    assert shop.in_journal("chunks", "worker = (SELECT min(worker) FROM chunks)") == 2
    assert shop.sandbox.requests[SEND] == ROWS / CHUNK
    nobody_twice_nobody_lost(shop)
    everybody_was_mailed_once(shop)


def test_a_process_that_joined_goes_on_when_the_other_one_is_killed(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=SEND, times=2, seconds=FOR_EVER))
    with shop.spawn(*send(shop, concurrency=2)) as first:
        shop.until(lambda: under_way(shop, requests=2, acted=2), first)
        with shop.spawn("resume", "autumn") as second:
            shop.until(lambda: shop.in_journal("chunks", "state = 'accepted'") == 6, second)
            report = shop.report()
            assert (report["running"], report["accepted"]) == (True, 3000)
            assert (report["in_doubt"], report["unsent"]) == (0, 1000)
            kill(first)
            ended = end_of(second)
    assert ended.code == 3, ended
    assert "  accepted             3,000\n" in ended.out
    assert "  in doubt             1,000\n" in ended.out
    nobody_twice_nobody_lost(shop)
    resolve_by_truth(shop)
    everybody_was_mailed_once(shop)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_lets_requests_under_way_end_and_resume_does_the_rest(
    shop: Shop, number: signal.Signals
) -> None:
    release = shop.hold()
    with shop.spawn(*send(shop, concurrency=2)) as process:
        assert process.stderr is not None
        shop.until(lambda: under_way(shop, requests=2, acted=2), process)
        process.send_signal(number)
        assert process.stderr.readline() == (
            "mailkit: stopping: finishing requests under way; press Ctrl-C or send SIGTERM again "
            "to quit now\n"
        )
        release()
        ended = end_of(process)
    assert (ended.code, ended.err) == (4, "")
    assert "  in doubt                 0\n" in ended.out
    assert "Stopped at your request. Send the rest with: mailkit resume autumn\n" in ended.out
    report = shop.report()
    assert (report["in_doubt"], report["rejected"]) == (0, 0)
    assert report["accepted"] == shop.sandbox.truth.emails < ROWS
    nobody_twice_nobody_lost(shop)
    shop.sandbox.faults.clear()
    everybody_was_mailed_once(shop)


def test_a_second_signal_ends_at_once(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=FOR_EVER))
    with shop.spawn(*send(shop, concurrency=2)) as process:
        assert process.stderr is not None
        shop.until(lambda: under_way(shop, requests=2, acted=2), process)
        process.send_signal(signal.SIGINT)
        assert "stopping" in process.stderr.readline()
        insist(process, signal.SIGINT)
        ended = end_of(process)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        "mailkit: quit at once; 2 requests were under way, and their 1,000 rows are in doubt\n"
    )
    assert shop.report()["in_doubt"] == 1000
    shop.sandbox.faults.clear()
    resolve_by_truth(shop)  # without a resume before
    everybody_was_mailed_once(shop)


def test_a_signal_while_the_provider_is_asked_ends_without_success(shop: Shop) -> None:
    shop.sandbox.smsby.settings.status_delay = 3600.0
    with shop.spawn(*send(shop)) as process:
        shop.until(lambda: shop.in_journal("chunks", "state = 'accepted'") == 8, process)
        process.send_signal(signal.SIGINT)
        ended = end_of(process)
    assert ended.code == 4
    assert "rows are not in the status lists yet; to check again: mailkit resume" in ended.out
    shop.sandbox.clock.advance(3600)
    everybody_was_mailed_once(shop)


def test_a_signal_while_the_provider_lets_us_wait_ends_at_once(shop: Shop) -> None:
    shop.sandbox.faults.add(Fault("rate_limited", on=SEND, after=1, retry_after=FOR_EVER))
    with shop.spawn(*send(shop, concurrency=1)) as process:
        shop.until(lambda: shop.sandbox.requests[SEND] == 2, process)
        process.send_signal(signal.SIGINT)
        ended = end_of(process)
    assert ended.code == 4
    report = shop.report()
    assert (report["accepted"], report["in_doubt"], report["unsent"]) == (500, 0, 3500)
    shop.sandbox.faults.clear()
    everybody_was_mailed_once(shop)


@pytest.mark.parametrize("rows", [3, ROWS])
def test_a_signal_while_a_pipe_is_read_ends_at_once(shop: Shop, rows: int) -> None:
    words: list[str | Path] = ["send", shop.letter(), "-", "--provider", "smsby"]
    with shop.spawn(*words) as process:
        assert process.stdin is not None
        process.stdin.write(shop.customers(rows).read_text())
        process.stdin.flush()
        shop.until(lambda: shop.in_journal("jobs"), process)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130  # though the pipe is still open
        assert process.stderr is not None
        assert process.stderr.read() == (
            "mailkit: stopping: finishing requests under way; press Ctrl-C or send SIGTERM again "
            "to quit now\n"
            "mailkit: stopped while planning: nothing was sent\n"
        )
    assert [shop.in_journal(table) for table in ("jobs", "rows", "chunks")] == [0, 0, 0]
    assert shop.sandbox.truth.emails == 0
