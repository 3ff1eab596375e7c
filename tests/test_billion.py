"""The simulation behind the estimate for a billion recipients, in worlds whose pace is known."""

from __future__ import annotations

import attrs
import pytest

pytest.importorskip("psycopg")
pytest.importorskip("trustme")

from benchmarks.billion.simulation import TAKE, World, play
from benchmarks.billion.units import Cost, Transaction, Units

NOTHING = Cost(0.0, 0.0, 0.0, 0.0, 0.0)
UNITS = Units(
    rows=500,
    chunks=1,
    plan=NOTHING,
    deduplication=0.0,
    bytes=150.0,
    send=NOTHING,
    requests=2.0,
    request_bytes=0.0,
    transactions=(Transaction(TAKE, 1.0, 10.0, 2.0, True),),
    report=NOTHING,
)
WORLD = World(
    workers=2,
    concurrency=8,
    rate=0,
    latency=0.2,
    trip=0.0,
    flush=0.0,
    cores=1,
    bandwidth=1e9,
)


def test_a_permit_counts_until_a_second_after_its_request_has_ended() -> None:
    pace = play(UNITS, attrs.evolve(WORLD, rate=10), 2_000)
    assert pace.chunks_a_second == pytest.approx(10 / 1.2 / 2, rel=0.05)
    assert pace.busy["the service's rate"] > 0.95


def test_without_a_rate_the_places_for_requests_bind() -> None:
    pace = play(UNITS, WORLD, 5_000)
    assert pace.chunks_a_second == pytest.approx(16 / 0.2, rel=0.1)
    assert pace.under_way == pytest.approx(16, rel=0.05)


def test_takes_of_one_account_come_one_after_another() -> None:
    pace = play(UNITS, attrs.evolve(WORLD, concurrency=100, flush=0.01, trip=0.005), 2_000)
    assert pace.chunks_a_second == pytest.approx(1 / (2 * 0.005 + 0.01), rel=0.05)
    assert pace.busy["the account's line in the journal"] > 0.95


def test_more_workers_share_the_work() -> None:
    busy = attrs.evolve(UNITS, send=attrs.evolve(NOTHING, cpu=0.05))
    one, four = (
        play(busy, attrs.evolve(WORLD, workers=workers, concurrency=32), 2_000)
        for workers in (1, 4)
    )
    assert four.chunks_a_second == pytest.approx(4 * one.chunks_a_second, rel=0.1)
    assert one.busy["the workers' cores"] > 0.9
