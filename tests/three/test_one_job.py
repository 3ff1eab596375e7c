"""The same message.toml and list on three providers; ``python -m tests.three``: 10,000 rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from .job import PROVIDERS, send, write

ROWS = 200


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_the_report_of_one_job_is_the_truth_row_by_row(provider: str, tmp_path: Path) -> None:
    message, recipients = write(tmp_path, ROWS)
    (await send(provider, tmp_path, message, recipients)).check()
