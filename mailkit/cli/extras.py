"""What a command needs that is not installed, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mailkit.errors import InvalidArgument

__all__ = ["cluster"]


@contextmanager
def cluster() -> Iterator[None]:
    """InvalidArgument if the block imports what only the extra ``cluster`` brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidArgument(
            f"workers need {error.name}: pip install 'mailkit-bulk[cluster]'"
        ) from None
