from __future__ import annotations

import signal

from mailkit.sandbox import Fault

from ..cli.shop import end_of, kill
from .cluster import SEND, Cluster


def test_one_job_over_two_workers(cluster: Cluster) -> None:
    cluster.shop.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=0.3))
    cluster.detach(10_000)
    assert cluster.chunks("planned") == 20
    workers = [cluster.work("--concurrency", "1") for _ in range(2)]
    cluster.until(lambda: cluster.senders() == 2, *workers)
    cluster.shop.sandbox.faults.clear()
    cluster.until(lambda: cluster.ask("SELECT bool_and(ended = 1) FROM workers"), *workers)
    report = cluster.shop.report()
    assert (report["accepted"], report["complete"]) == (10_000, True)
    assert cluster.shop.sandbox.truth.emails == 10_000
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
    assert (cluster.chunks("in doubt"), cluster.chunks("planned")) == (1, 0)
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
