from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from mailkit.sandbox import Fault

from ..cli.shop import Shop, end_of, kill
from ..postgres.server import Server
from .cable import Cable
from .cluster import SEND, Cluster


def test_one_job_over_two_workers(cluster: Cluster) -> None:
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=0.3))
    cluster.detach(6_000)
    assert cluster.chunks("planned") == 12
    workers = [cluster.work("--concurrency", "1") for _ in range(2)]
    cluster.until(lambda: cluster.senders() == 2, *workers)
    cluster.shop.sandbox.faults.clear()
    cluster.until(lambda: cluster.ask("SELECT bool_and(ended = 1) FROM workers"), *workers)
    report = cluster.shop.report()
    assert (report["accepted"], report["complete"]) == (6_000, True)
    assert cluster.shop.sandbox.truth.emails == 6_000
    for process in workers:
        process.send_signal(signal.SIGTERM)
        ended = end_of(process)
        assert ended.code == 0, ended
        assert "autumn: sending" in ended.err


def test_a_killed_worker_leaves_doubt_and_the_sweep_sends_the_rest(cluster: Cluster) -> None:
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=3, times=1))
    cluster.detach(2_000)
    first = cluster.work("--concurrency", "1")
    cluster.until(lambda: cluster.shop.sandbox.requests[SEND] == 1, first)
    kill(first)
    second = cluster.work("--concurrency", "1")
    cluster.until(lambda: cluster.chunks("accepted") == 3, second)
    cluster.until(lambda: cluster.chunks("in doubt") == 1, second)
    cluster.until(lambda: not cluster.orders("send", "doing"), second)
    assert cluster.orders("send", "failed") == 0
    cluster.shop.settled()
    assert cluster.shop.sandbox.truth.emails == 2_000
    assert cluster.shop.report()["in_doubt"] == 500


def test_a_worker_ends_gently_and_another_does_the_rest(cluster: Cluster) -> None:
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=0.5))
    cluster.detach(2_000)
    first = cluster.work("--concurrency", "1")
    cluster.until(lambda: cluster.shop.sandbox.requests[SEND] == 1, first)
    first.send_signal(signal.SIGTERM)
    ended = end_of(first)
    assert ended.code == 0, ended
    assert "left to other workers" in ended.err
    assert (cluster.chunks("accepted"), cluster.chunks("planned")) == (1, 3)
    assert cluster.ask("SELECT stopped FROM jobs") is None
    cluster.shop.sandbox.faults.clear()
    second = cluster.work()
    cluster.until(lambda: cluster.chunks("accepted") == 4, second)
    assert cluster.shop.sandbox.truth.emails == 2_000


def test_one_that_is_cut_off_leaves_the_job_to_the_others(cluster: Cluster) -> None:
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=0.2))
    cluster.detach(10_000)
    with Cable(cluster.shop.environment["MAILKIT_SMSBY_URL"]) as cable:
        cut = cluster.work("--concurrency", "1", environment={"MAILKIT_SMSBY_URL": cable.url})
        healthy = cluster.work("--concurrency", "1")
        cluster.until(lambda: cluster.senders() == 2, cut, healthy)
        cable.cut()
        cluster.until(lambda: cluster.chunks("in doubt") == 3, cut, healthy)
        cluster.shop.sandbox.faults.clear()
        cluster.until(lambda: cluster.chunks("accepted") == 17, cut, healthy)
        cut.send_signal(signal.SIGTERM)
        ended = end_of(cut)
    assert ended.code == 0, ended
    why = "stopped: left to other workers: the outcome of 3 chunks in a row is unknown"
    assert ended.err.count(why) == 1
    assert ended.err.count("autumn: sending") == 1
    assert cluster.ask("SELECT stopped FROM jobs") is None
    assert cluster.shop.sandbox.truth.mailed_twice == []


def test_one_that_was_cut_off_takes_the_job_up_again_when_nobody_sends_it(
    cluster: Cluster,
) -> None:
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=0.2))
    cluster.detach(20_000)
    with Cable(cluster.shop.environment["MAILKIT_SMSBY_URL"]) as cable:
        cut = cluster.work("--concurrency", "1", environment={"MAILKIT_SMSBY_URL": cable.url})
        healthy = cluster.work("--concurrency", "1")
        cluster.until(lambda: cluster.senders() == 2, cut, healthy)
        cable.cut()
        cluster.until(lambda: cluster.chunks("in doubt") == 3, cut, healthy)
        kill(healthy)
        cable.mend()
        cluster.shop.sandbox.faults.clear()
        cluster.until(lambda: cluster.chunks("accepted") + cluster.chunks("in doubt") == 40, cut)
    assert cluster.chunks("accepted") >= 36
    assert cluster.ask("SELECT stopped FROM jobs") is None
    assert cluster.shop.sandbox.truth.mailed_twice == []


def test_resume_joins_from_anywhere(cluster: Cluster) -> None:
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=0.3))
    cluster.detach(6_000)
    worker = cluster.work("--concurrency", "1")
    cluster.until(lambda: cluster.chunks("accepted"), worker)
    with cluster.shop.spawn("resume", "autumn", "--concurrency", "1") as process:
        cluster.until(lambda: cluster.senders() == 2, worker, process)
        cluster.shop.sandbox.faults.clear()
        assert end_of(process).code == 0
    cluster.until(lambda: cluster.chunks("accepted") == 12, worker)
    assert cluster.shop.sandbox.truth.emails == 6_000


def test_each_worker_takes_the_jobs_of_its_accounts(cluster: Cluster) -> None:
    cluster.detach(10, name="autumn")
    cluster.detach(10, provider="devino", name="winter", html="<p>Hi</p>{{ unsubscribe }}")
    devino = cluster.work("--provider", "devino")
    cluster.until(lambda: cluster.chunks("accepted", "winter"), devino)
    assert cluster.chunks("planned", "autumn") == 1
    both = cluster.work()
    cluster.until(lambda: cluster.chunks("accepted", "autumn"), devino, both)
    assert cluster.shop.sandbox.truth.emails == 20


def test_what_the_provider_has_stopped_waits_for_a_person(cluster: Cluster) -> None:
    cluster.detach(10, "--account", "shop")
    words = ("--provider", "smsby", "--account", "shop")
    wrong = cluster.work(*words, environment={"MAILKIT_SMSBY_TOKEN": "wrong"})
    cluster.until(lambda: cluster.ask("SELECT stopped FROM jobs"), wrong)
    wrong.send_signal(signal.SIGTERM)
    ended = end_of(wrong)
    assert "autumn: stopped: the provider can't be used" in ended.err
    assert "Traceback" not in ended.err

    worker = cluster.work(*words)
    cluster.detach(20, "--account", "shop", "--again", name="winter")
    cluster.until(lambda: cluster.chunks("accepted", "winter"), worker)
    assert cluster.chunks("planned", "autumn") == 1
    ended = cluster.shop("resume", "autumn", "--detach")
    assert (ended.code, ended.err) == (0, "")
    cluster.until(lambda: cluster.chunks("accepted", "autumn"), worker)
    assert cluster.shop.sandbox.truth.emails == 30


def test_what_was_rejected_is_ordered_again_and_left_to_workers(cluster: Cluster) -> None:
    shop = cluster.shop
    people = shop.table(["email", "anna@example.com", "invalid1@example.com"])
    assert shop.send(shop.letter(), people, "--name", "autumn").code == 0
    ended = shop("resume", "autumn", "--rejected", "--detach")
    assert (ended.code, ended.err) == (0, "")
    assert (shop.report()["unsent"], cluster.orders("send", "todo")) == (1, 1)
    worker = cluster.work()
    cluster.until(lambda: shop.report()["rejected"] == 1, worker)
    assert shop.sandbox.truth.count("anna@example.com") == 1


@pytest.mark.parametrize("words", [[], ["--rejected"]], ids=["all", "rejected"])
def test_a_finished_job_is_not_left_to_workers(cluster: Cluster, words: list[str]) -> None:
    shop = cluster.shop
    shop.send(shop.letter(), shop.customers(1), "--name", "autumn")
    plain = shop("resume", "autumn", *words)
    ended = shop("resume", "autumn", "--detach", *words)
    assert (ended.code, ended.out) == (plain.code, plain.out)
    assert ended.err == "mailkit: autumn: nothing is left to send\n"
    ended = shop("resume", "autumn", "--detach", "--json", *words)
    assert (ended.code, ended.json["accepted"]) == (0, 1)
    assert cluster.ask("SELECT to_regclass('procrastinate_jobs') IS NULL")


def test_an_order_that_waits_is_enough(cluster: Cluster) -> None:
    cluster.detach(10, name="autumn")
    for _ in range(2):
        ended = cluster.shop("resume", "autumn", "--detach")
        assert (ended.code, ended.err) == (0, "")
    assert cluster.orders("send", "todo") == 1


def test_deliveries_are_followed_and_that_goes_on_elsewhere(cluster: Cluster) -> None:
    cluster.detach(10, "--track", "30m")
    first = cluster.work()
    cluster.until(lambda: cluster.orders("track", "doing"), first)
    cluster.until(lambda: cluster.ask("SELECT count(*) FROM workers WHERE sends = 0"), first)
    first.send_signal(signal.SIGTERM)
    assert end_of(first).code == 0
    assert cluster.orders("track", "todo") == 1
    second = cluster.work()
    cluster.until(lambda: cluster.orders("track", "doing"), second)


def test_it_goes_on_after_its_database_was_away(
    cluster: Cluster, make_postgres: Callable[..., Server]
) -> None:
    server = make_postgres()
    cluster.dsn = cluster.shop.environment["MAILKIT_JOURNAL"] = server.dsn()
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=0.2))
    cluster.detach(3_000)
    worker = cluster.work("--concurrency", "1")
    cluster.until(lambda: cluster.chunks("accepted"), worker)
    server.crash()
    server.start()
    cluster.until(lambda: cluster.chunks("accepted") == 6, worker)
    cluster.detach(10, "--again", name="winter")
    cluster.until(lambda: cluster.chunks("accepted", "winter"), worker)
    assert cluster.shop.sandbox.truth.emails == 3_010
    worker.send_signal(signal.SIGTERM)
    assert "Traceback" not in end_of(worker).err


def test_it_ends_in_time_without_its_database(
    cluster: Cluster, make_postgres: Callable[..., Server]
) -> None:
    server = make_postgres()
    cluster.dsn = cluster.shop.environment["MAILKIT_JOURNAL"] = server.dsn()
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=30))
    cluster.detach(10)
    worker = cluster.work()
    cluster.until(lambda: cluster.chunks("sending"), worker)
    server.crash()
    worker.send_signal(signal.SIGTERM)
    ended = end_of(worker)
    assert ended.code == 3, ended
    assert "in doubt" in ended.err
    assert "Traceback" not in ended.err


def test_a_file_is_no_journal_for_workers(shop: Shop) -> None:
    words = ("send", shop.letter(), shop.customers(1), "--provider", "smsby", "--detach")
    for command in (words, ("worker",), ("resume", "autumn", "--detach")):
        ended = shop(*command)
        ended.check_refusal("a file as the journal of workers", path=shop.journal)


RAW = """
import logging
import mailkit.cluster
for name in ("psycopg", "psycopg.pool", "procrastinate", "procrastinate.worker"):
    logging.getLogger(name).error("a raw line of %s", name)
"""


def test_the_libraries_below_write_no_lines_of_their_own() -> None:
    ended = subprocess.run([sys.executable, "-c", RAW], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
