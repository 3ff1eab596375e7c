"""How many examples a property gets: so many every day, forty times as many in the long profile."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["EVERYDAY", "LONG", "examples"]

EVERYDAY, LONG = 25, 1000


def examples(everyday: int) -> settings:
    """For a property whose examples cost more, or less, than others'."""
    profile = settings.default
    assert profile is not None
    return settings(max_examples=everyday * profile.max_examples // EVERYDAY)
