"""Measures what a short list costs, and says what a billion recipients would."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.billion.simulation import Pace, World, play
from benchmarks.billion.units import Units, measure

HOUR, GB = 3600.0, 1e9


def main() -> None:
    options = _options()
    print(f"measuring {options.measured:,} rows …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        units = measure(options.measured, Path(folder))
    for line in (*measured(units), "", *estimate(units, options)):
        print(line)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.billion", description="A billion recipients, on paper."
    )

    def add(name: str, default: float, words: str, kind: type = float) -> None:
        parser.add_argument(name, type=kind, default=default, help=f"{words} [{default:,}]")

    add("--rows", 1_000_000_000, "recipients", int)
    add("--measured", 200_000, "rows of the list that is measured", int)
    add("--rate", 10, "requests a second that the service allows; 0: any number", int)
    add("--latency", 200, "ms that the service takes for a request")
    add("--workers", 4, "workers, each with a core", int)
    add("--concurrency", 8, "requests under way in each of them", int)
    add("--trip", 0.5, "ms of a round trip to the database")
    add("--flush", 2, "ms that a commit waits for the disk, and for a standby if there is one")
    add("--cores", 4, "the database's cores", int)
    add("--bandwidth", 100, "MB a second to the service, of all workers together")
    add("--deaths", 1, "times a day that a worker is killed")
    add("--chunks", 5_000, "chunks that are played", int)
    return parser.parse_args()


def measured(units: Units) -> Iterator[str]:
    """What the short list cost."""
    plan, send, report, rows = units.plan, units.send, units.report, units.rows
    yield f"measured on {rows:,} rows in {units.chunks:,} chunks, on this machine"
    yield _row("plan, rows a second", f"{rows / plan.wall:,.0f}")
    yield _row("plan, CPU a row", f"{_us(plan.cpu, rows)}, database {_us(plan.database, rows)}")
    yield _row("plan, WAL a row", f"{plan.wal / rows:,.0f} bytes")
    yield _row("a row in the database", f"{units.bytes:,.0f} bytes")
    yield _row("chunks a second, nobody waiting", f"{units.chunks / send.wall:,.0f}")
    cpu = f"{_ms(send.cpu, units.chunks)}, database {_ms(send.database, units.chunks)}"
    yield _row("send, CPU a chunk", cpu)
    yield _row("send, WAL a chunk", f"{send.wal / units.chunks / 1e3:,.0f} kB")
    yield _row("requests a chunk", f"{units.requests:.2f}")
    yield _row("round trips to the database a chunk", f"{units.trips:.1f}")
    yield _row("report --csv, rows a second", f"{rows / report.wall:,.0f}")


def estimate(units: Units, options: argparse.Namespace) -> Iterator[str]:
    """What that makes for so many recipients."""
    rows, plan, send = options.rows, units.plan, units.send
    times = rows / units.rows
    chunks = rows / units.rows_a_chunk
    slower = math.log2(rows) / math.log2(units.rows)  # sorting
    planning = (plan.wall - units.deduplication) * times
    comparing = units.deduplication * times * slower
    world = World(
        options.workers, options.concurrency, options.rate, options.latency / 1e3,
        options.trip / 1e3, options.flush / 1e3, options.cores, options.bandwidth * 1e6,
    )  # fmt: skip
    pace = play(units, world, options.chunks)
    sending = chunks / pace.chunks_a_second
    doubts = options.deaths * sending / 86_400 * pace.under_way / options.workers
    yield f"{rows:,} recipients in {chunks:,.0f} chunks"
    yield _row("plan: read, check, write down", f"{_time(planning)}, one process")
    yield _row("      compare with each other", f"{_time(comparing)}, in the database")
    held = f"{pace.chunks_a_second:.1f} chunks a second, {options.workers} workers"
    yield _row("send, and ask what became of it", f"{_time(sending)}, {held}")
    yield _row("report --csv", _time(units.report.wall * times))
    cpu = (plan.cpu + send.cpu + units.report.cpu) * times
    database = (plan.database + send.database + units.report.database) * times
    yield _row("CPU of mailkit", _time(cpu))
    yield _row("CPU of the database", _time(database))
    yield _row("the database on the disk", f"{units.bytes * rows / GB:,.0f} GB")
    temporary = f"{plan.temporary * times / GB:,.0f} GB for sorting"
    yield _row("WAL", f"{(plan.wal + send.wal) * times / GB:,.0f} GB, and {temporary}")
    yield _row("to the service", f"{units.request_bytes * chunks / GB:,.0f} GB at most")
    people = f"{doubts * units.rows_a_chunk:,.0f} rows"
    yield _row("in doubt", f"{people}, if a worker is killed {options.deaths:g} times a day")
    yield ""
    yield from _busy("how busy each is", pace)
    if world.rate:
        import attrs

        free = play(units, attrs.evolve(world, rate=0), options.chunks)
        time = _time(chunks / free.chunks_a_second)
        yield ""
        yield from _busy(f"if the service allowed any rate: {time}", free)


def _busy(title: str, pace: Pace) -> Iterator[str]:
    yield title
    for name, share in sorted(pace.busy.items(), key=lambda one: -one[1]):
        yield _row(name, f"{share:4.0%}")


def _row(name: str, value: str) -> str:
    return f"  {name:<38}{value}"


def _us(seconds: float, of: int) -> str:
    return f"{seconds / of * 1e6:.1f} µs"


def _ms(seconds: float, of: int) -> str:
    return f"{seconds / of * 1e3:.1f} ms"


def _time(seconds: float) -> str:
    return f"{seconds / HOUR:,.1f} hours" if seconds >= HOUR else f"{seconds / 60:,.0f} minutes"


if __name__ == "__main__":
    main()
