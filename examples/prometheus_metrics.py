"""A send with metrics for Prometheus: how requests and rows end, and how long requests take.

    MAILKIT_SMSBY_TOKEN=… python prometheus_metrics.py autumn.csv autumn
    curl localhost:9464/metrics

The two hooks serve a web service as well: give ``count_attempt`` to its client, and mount
``prometheus_client.make_asgi_app()`` at /metrics. No label holds an address or a job's name.
"""

import asyncio
import os
import sys

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from mailkit import Attempt, BulkSender, MailkitError, Message, SmsBy, read_recipients
from mailkit.events import (
    ChunkAccepted,
    ChunkInDoubt,
    ChunkRejected,
    JobEvent,
    SendingHeld,
    SendingResumed,
)

MESSAGE = Message(
    sender="Shop <news@shop.by>",
    subject="{{ name | 'Dear friend' }}, the autumn lamps are here",
    html="<p>See you in {{ city }}</p>",
)

REQUESTS = Histogram(
    "mailkit_request_seconds", "Attempts of requests", ["provider", "call", "outcome"]
)
WAITS = Histogram("mailkit_wait_seconds", "Waits for a quota or a token", ["provider", "call"])
ROWS = Counter("mailkit_rows", "Rows of lists whose request has ended", ["outcome"])
DOUBTS = Counter("mailkit_chunks_in_doubt", "Requests whose outcome is unknown")
HELD = Gauge("mailkit_held", "1 while a quota or the service makes the job wait")


def count_attempt(attempt: Attempt) -> None:
    """A client's hook."""
    if attempt.outcome is not None:  # it has ended
        labels = (attempt.provider, attempt.call)
        REQUESTS.labels(*labels, attempt.outcome.value).observe(attempt.seconds)
        WAITS.labels(*labels).observe(attempt.waited)


def count_rows(event: JobEvent) -> None:
    """A bulk sender's hook."""
    match event:
        case ChunkAccepted():
            ROWS.labels("accepted").inc(event.accepted)
            ROWS.labels("rejected").inc(event.rejected)
            ROWS.labels("in_doubt").inc(event.in_doubt)
        case ChunkRejected():
            ROWS.labels("rejected").inc(event.rows)
        case ChunkInDoubt():
            ROWS.labels("in_doubt").inc(event.rows)
            DOUBTS.inc()
        case SendingHeld():
            HELD.set(1)
        case SendingResumed():
            HELD.set(0)
        case _:
            pass


async def send(source: str, name: str) -> bool:
    """Start or resume the job; whether every row has a known outcome."""
    async with (
        SmsBy.from_env(hooks=[count_attempt]) as provider,
        BulkSender(provider, hooks=[count_rows]) as sender,
    ):
        job = await sender.start_or_resume(MESSAGE, read_recipients(source), name=name)
        report = await job.wait()
    print(f"{report.counts.accepted:,} accepted of {report.counts.read:,} rows")
    return report.complete


def main(source: str, name: str) -> int:
    """Serve the metrics while the job is sent."""
    server, thread = start_http_server(int(os.environ.get("METRICS_PORT", "9464")), "127.0.0.1")
    try:
        return 0 if asyncio.run(send(source, name)) else 3
    except MailkitError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
