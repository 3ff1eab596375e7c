"""What a command needs that is not installed, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from mailkit.errors import InvalidArgument

__all__ = ["cluster", "has_cluster"]


@contextmanager
def cluster() -> Iterator[None]:
    """InvalidArgument if the block imports what only the extra ``cluster`` brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InvalidArgument(
            f"workers need {error.name}: pip install 'mailkit-bulk[cluster]'"
        ) from None


def has_cluster() -> bool:
    """Whether the extra ``cluster`` is installed."""
    return find_spec("procrastinate") is not None
