"""A message to a list of any length, with progress.

    MAILKIT_SMSBY_TOKEN=… python bulk.py autumn.csv autumn
    MAILKIT_SMSBY_TOKEN=… python bulk.py --resume autumn

The list has the columns email, name and city. Ctrl-C or a crash loses nothing: the second line
continues, and mails nobody twice.
"""

import asyncio
import sys

from mailkit import BulkSender, MailkitError, Message, SmsBy, read_recipients

MESSAGE = Message(
    sender="Shop <news@shop.by>",
    subject="{{ name | 'Dear friend' }}, the autumn lamps are here",
    html="<p>See you in {{ city }}</p>",
)


async def send(source: str, name: str) -> bool:
    """Start the job, or resume it; whether every row has a known outcome."""
    async with SmsBy.from_env() as provider, BulkSender(provider) as sender:
        if source == "--resume":
            job = await sender.resume(name)
        else:
            job = await sender.start(MESSAGE, read_recipients(source), name=name)
        async for progress in job.progress():
            print(f"{progress.sent:,} of {progress.counts.to_send:,}")
        report = await job.wait()
    print(f"{report.counts.accepted:,} accepted of {report.counts.read:,} rows")
    for doubt in report.doubts:
        print(f"in doubt: {doubt.rows} rows from {doubt.first} on: {doubt.reason}")
        print(
            f"  look for {doubt.label} in the dashboard; then: mailkit resolve {name} {doubt.chunk}"
        )
    return report.complete


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        complete = asyncio.run(send(*sys.argv[1:]))
    except MailkitError as error:  # e.g. JobExists: the same message has gone to the same list
        sys.exit(str(error))
    sys.exit(0 if complete else 3)
