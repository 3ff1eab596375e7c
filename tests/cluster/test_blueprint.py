"""mailkit's tasks in a Procrastinate of the program's own."""

from __future__ import annotations

from procrastinate import App, PsycopgConnector

from mailkit import BulkSender, EngineSettings, Journal, Message, SmsBy, read_recipients
from mailkit.cluster import blueprint, detach, queues

from .cluster import Cluster


async def test_a_worker_of_the_programs_own_sends(cluster: Cluster) -> None:
    sandbox = cluster.shop.sandbox
    message = Message(sender="a@shop.example", subject="Hi", html="<p>Hi</p>")
    people = read_recipients(cluster.shop.customers(1_500))
    app = App(connector=PsycopgConnector(conninfo=cluster.dsn))
    token, url = (sandbox.environment()[f"MAILKIT_SMSBY_{name}"] for name in ("TOKEN", "URL"))
    async with (
        await Journal.open(cluster.dsn) as journal,
        SmsBy(token, url=url) as smsby,
        BulkSender(smsby, journal=journal) as sender,
    ):
        tasks = blueprint(journal, [smsby], settings=EngineSettings(concurrency=1))
        app.add_tasks_from(tasks, namespace="mailkit")
        name = await detach(cluster.dsn, sender, message, people, name="autumn")
        assert sandbox.truth.emails == 0
        async with app.open_async():
            await app.run_worker_async(queues=queues([smsby]), wait=False, delete_jobs="successful")
        report = await sender.report(name)
    assert (report.counts.accepted, report.complete) == (1_500, True)
    assert sandbox.truth.emails == 1_500
    assert cluster.orders("send", "failed") == 0
