"""How a row's id in the database is made: ``job * 2**32 + n``, so that a job's rows lie together.

Nobody else knows: whoever has a row's number in its job, or its id, asks here for the other.
"""

from __future__ import annotations

__all__ = ["number_of", "row_id", "span"]

_ROWS_A_JOB = 1 << 32


def row_id(job: int, n: int) -> int:
    """The id of the job's row number ``n``, which counts from 1."""
    return job * _ROWS_A_JOB + n


def number_of(id: int) -> int:
    """The row's number in its job."""
    return id % _ROWS_A_JOB


def span(job: int) -> tuple[int, int]:
    """The first and the last id that a row of the job can have."""
    return row_id(job, 0), row_id(job + 1, 0) - 1
