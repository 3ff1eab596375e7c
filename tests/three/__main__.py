"""``python -m tests.three``: the same 10,000 recipients on three providers, and three reports."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from .job import PROVIDERS, send, write


def main() -> None:
    parser = argparse.ArgumentParser(description="One job on three providers.")
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        message, recipients = write(folder, options.rows)
        for provider in PROVIDERS:
            began = time.monotonic()
            result = asyncio.run(send(provider, folder, message, recipients))
            result.check()
            counts = result.report.counts
            deliveries = ", ".join(
                f"{count:,} {status.name.lower()}"
                for status, count in sorted(result.report.deliveries.items())
            )
            print(
                f"{provider}: {counts.read:,} rows, {counts.accepted:,} accepted ({deliveries}), "
                f"{counts.rejected:,} rejected, {counts.suppressed:,} suppressed, as the truth has "
                f"it; {time.monotonic() - began:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
