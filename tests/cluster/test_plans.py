"""A worker reads the list and plans the job."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import psycopg
import pytest
from procrastinate.types import JSONValue

from mailkit import BulkSender, Journal, Message, SmsBy, read_recipients
from mailkit.bulk.journal import JobRecord
from mailkit.cluster import detach, plan
from mailkit.cluster.queue import put_plan
from mailkit.errors import InvalidArgument, JobExists

from ..approval import approve
from ..cli.shop import PLAIN, end_of, kill
from .cluster import Cluster

MESSAGE = Message(sender="news@shop.example", subject="Hi", html="<p>Hi {{ name }}</p>")


def order(cluster: Cluster, file: str | Path, **more: object) -> None:
    asyncio.run(_order(cluster, file, **more))


async def _order(cluster: Cluster, file: str | Path, **more: object) -> None:
    token, url = (
        cluster.shop.sandbox.environment()[f"MAILKIT_SMSBY_{name}"] for name in ("TOKEN", "URL")
    )
    async with await Journal.open(cluster.dsn) as journal, SmsBy(token, url=url) as smsby:
        wanted: dict[str, object] = {"name": "autumn", **more}
        await plan(cluster.dsn, journal, smsby, MESSAGE, file, **wanted)  # type: ignore[arg-type]


def test_a_worker_plans_and_sends(cluster: Cluster) -> None:
    unwanted = cluster.shop.folder / "unwanted.txt"
    unwanted.write_text("customer3@example.com\n")
    file = Path(cluster.shop.customers(1_000)).resolve()
    order(cluster, file, suppress=unwanted)
    with pytest.raises(JobExists, match="already waiting to be planned"):
        order(cluster, file)
    worker = cluster.work()
    cluster.until(lambda: cluster.ended(), worker)
    cluster.until(lambda: not cluster.orders("plan", "doing"), worker)
    report = cluster.shop.report()
    assert (report["accepted"], report["suppressed"]) == (999, 1)
    assert cluster.shop.sandbox.truth.emails == 999
    with pytest.raises(JobExists, match="the job autumn already exists"):
        order(cluster, file)


def test_what_a_dead_worker_was_planning_is_planned_by_another(cluster: Cluster) -> None:
    """It waits for a lock, in the middle of its plan."""
    file = Path(cluster.shop.customers(1_000)).resolve()
    order(cluster, file)
    with psycopg.connect(cluster.dsn) as db:
        db.execute("LOCK TABLE left_out IN ACCESS EXCLUSIVE MODE")
        first = cluster.work()
        cluster.until(lambda: cluster.ask("SELECT count(*) FROM rows") == 1_000, first)
        kill(first)
    second = cluster.work()
    cluster.until(lambda: cluster.ended(), second)
    assert cluster.shop.sandbox.truth.emails == 1_000
    assert cluster.ask("SELECT count(*) FROM rows") == 1_000


def test_an_order_is_carried_out_once(cluster: Cluster) -> None:
    """It may come again, if its worker died before the queue knew that it was done."""
    file = Path(cluster.shop.customers(10)).resolve()
    order(cluster, file)
    with psycopg.connect(cluster.dsn) as db:
        db.execute("CREATE TABLE kept AS SELECT * FROM procrastinate_jobs WHERE status = 'todo'")
    first = cluster.work()
    cluster.until(lambda: cluster.chunks("accepted") == 1, first)
    first.send_signal(signal.SIGTERM)
    assert end_of(first).code == 0
    with psycopg.connect(cluster.dsn) as db:
        db.execute("INSERT INTO procrastinate_jobs SELECT * FROM kept")
    second = cluster.work()
    cluster.until(lambda: not cluster.orders("plan", "todo"), second)
    cluster.until(lambda: not cluster.orders("plan", "doing"), second)
    assert cluster.orders("plan", "failed") == 0
    assert cluster.shop.sandbox.truth.emails == 10


def test_what_is_wrong_with_a_list_is_in_the_log(cluster: Cluster) -> None:
    with pytest.raises(InvalidArgument, match=r"list\.csv must be an absolute path"):
        order(cluster, "list.csv")
    order(cluster, cluster.shop.folder / "none.csv")
    worker = cluster.work()
    cluster.until(lambda: cluster.orders("plan", "failed") == 1, worker)
    worker.send_signal(signal.SIGTERM)
    assert "autumn: stopped: it can't be planned: " in end_of(worker).err


def test_status_shows_what_is_to_be_planned_and_cancel_drops_it(cluster: Cluster) -> None:
    shop, file = cluster.shop, Path(cluster.shop.customers(10)).resolve()
    order(cluster, file)
    waits, one = shop("status"), shop("status", "autumn")
    assert (waits.code, one.code) == (0, 4)
    assert waits.out == one.out
    assert one.out.startswith("autumn: has waited for a worker of smsby to plan it since ")
    again = shop("send", shop.letter(**PLAIN), file, "--provider", "smsby", "--name", "autumn",
                 "--detach")  # fmt: skip
    assert (again.code, again.err) == (
        1,
        "mailkit: the job autumn is already waiting to be planned\n",
    )
    dropped = shop("cancel", "autumn")
    assert dropped.code == 0
    approve("an order to plan is dropped", dropped.out)
    assert shop("status").out.startswith("no jobs yet in ")
    assert shop("cancel", "autumn").code == 1
    assert cluster.orders("plan", "todo") == 0


def test_status_shows_what_could_not_be_planned_until_it_is_ordered_again(cluster: Cluster) -> None:
    shop = cluster.shop
    order(cluster, shop.folder / "none.csv")
    worker = cluster.work()
    cluster.until(lambda: cluster.orders("plan", "failed") == 1, worker)
    failed = shop("status", "autumn")
    assert failed.code == 1
    approve("an order to plan has failed", re.sub(r"(?<=it, ).*?(?=; its)", "TIME", failed.out))
    order(cluster, Path(shop.customers(10)).resolve())
    cluster.until(cluster.ended, worker)
    cluster.until(lambda: not cluster.orders("plan", "doing"), worker)
    assert "a worker" not in shop("status").out


def test_an_order_from_before_an_older_state_was_put_back_is_not_carried_out(
    cluster: Cluster,
) -> None:
    """It may have been, since."""
    order(cluster, Path(cluster.shop.customers(10)).resolve())

    async def adopt() -> None:
        await (await Journal.open(cluster.dsn, adopt="older")).close()

    asyncio.run(adopt())
    worker = cluster.work()
    cluster.until(lambda: cluster.orders("plan", "failed") == 1, worker)
    worker.send_signal(signal.SIGTERM)
    assert "it can't be planned: an older state of the journal was put back" in end_of(worker).err
    assert cluster.shop.sandbox.truth.emails == 0


def test_an_order_waits_while_somebody_else_seems_to_plan_it(cluster: Cluster) -> None:
    """Such as a worker that was killed, as long as its lease lasts."""
    order(cluster, Path(cluster.shop.customers(10)).resolve())
    plans = "SELECT coalesce(max(id), 0) FROM procrastinate_jobs WHERE task_name = 'mailkit:plan'"

    def last() -> int:
        found: int = cluster.ask(plans)
        return found

    first = last()

    async def plan_by_hand() -> None:
        async with await Journal.open(cluster.dsn) as journal:
            job = await journal.jobs.create("autumn", "smsby", "a", "{}", again=False, now=1.0)
            worker = cluster.work()
            await asyncio.to_thread(cluster.until, lambda: last() > first + 2, worker)
            assert cluster.chunks("accepted") == 0
            await journal.jobs.forget(job)
            await asyncio.to_thread(cluster.until, cluster.ended, worker)

    asyncio.run(plan_by_hand())
    assert cluster.orders("plan", "failed") == 0
    assert cluster.shop.sandbox.truth.emails == 10


@pytest.mark.parametrize("state", ["todo", "doing"])
def test_what_is_ordered_is_ordered_once(cluster: Cluster, state: str) -> None:
    """Whichever comes second hears of it: another order, or a plan that was made meanwhile."""
    file = Path(cluster.shop.customers(10)).resolve()

    def take() -> None:
        with psycopg.connect(cluster.dsn) as db:
            db.execute(
                "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status", [state]
            )

    order(cluster, file)
    take()
    for again in (file, Path(cluster.shop.customers(20)).resolve()):
        with pytest.raises(JobExists, match="the job autumn is already waiting to be planned"):
            order(cluster, again)
    assert cluster.orders("plan", state) == 1


def test_a_job_that_was_planned_while_it_was_ordered_refuses_the_order(cluster: Cluster) -> None:
    """The order looks at the journal once nobody else can give the name."""
    file = Path(cluster.shop.customers(10)).resolve()
    cluster.detach(10)
    values: dict[str, JSONValue] = {"job": "autumn", "recipients": str(file)}
    with pytest.raises(JobExists, match="the job autumn already exists"):
        put_plan(cluster.dsn, ("smsby", "a"), values)
    assert cluster.orders("plan", "todo") == 0


async def test_a_plan_that_was_ordered_while_it_was_made_is_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order comes between the look at the orders and the end of the planning."""
    file = Path(cluster.shop.customers(10)).resolve()
    token, url = (
        cluster.shop.sandbox.environment()[f"MAILKIT_SMSBY_{name}"] for name in ("TOKEN", "URL")
    )
    async with (
        await Journal.open(cluster.dsn) as journal,
        SmsBy(token, url=url) as smsby,
        BulkSender(smsby, journal=journal) as sender,
    ):
        mark_duplicates = journal.planning.mark_duplicates

        async def late(job: JobRecord) -> None:
            values: dict[str, JSONValue] = {"job": "autumn", "recipients": str(file)}
            await asyncio.to_thread(put_plan, cluster.dsn, ("smsby", "a"), values)
            await mark_duplicates(job)

        monkeypatch.setattr(journal.planning, "mark_duplicates", late)
        with pytest.raises(JobExists, match="the job autumn is already waiting to be planned"):
            await detach(cluster.dsn, sender, MESSAGE, read_recipients(file), name="autumn")
        assert await journal.jobs.list() == []
    assert (cluster.orders("send", "todo"), cluster.orders("plan", "todo")) == (0, 1)


def test_status_shows_an_order_that_failed_since_a_job_has_its_name(cluster: Cluster) -> None:
    shop, file = cluster.shop, Path(cluster.shop.customers(20)).resolve()
    order(cluster, file)
    with psycopg.connect(cluster.dsn) as db:
        db.execute("CREATE TABLE kept AS SELECT * FROM procrastinate_jobs")
        db.execute("DELETE FROM procrastinate_jobs")
    cluster.detach(10)
    with psycopg.connect(cluster.dsn) as db:
        db.execute("INSERT INTO procrastinate_jobs SELECT * FROM kept")
    worker = cluster.work()
    cluster.until(lambda: cluster.orders("plan", "failed") == 1, worker)
    cluster.until(cluster.ended, worker)
    every, one = shop("status"), shop("status", "autumn")
    assert every.out.splitlines()[-1] == one.out.splitlines()[-1]
    told = re.sub(r"(?<=name, ).*?(?=; its)", "TIME", one.out.splitlines()[-1])
    approve("an order to plan has failed and its name is taken", told)
    dropped = shop("cancel", "autumn")
    assert "the order to plan another job of this name is dropped" in dropped.out
    assert "a worker failed" not in shop("status").out
    assert cluster.orders("plan", "failed") == 0
