import gc
import math
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import ClientResponse
from aioresponses import aioresponses
from hypothesis import given, settings
from hypothesis import strategies as st

from .examples import EVERYDAY, LONG
from .forking import hear_signals

hear_signals()

# A busy machine is no failure. ``--hypothesis-profile long`` looks for rare examples.
settings.register_profile("everyday", deadline=None, max_examples=EVERYDAY)
settings.register_profile("long", deadline=None, max_examples=LONG)
settings.load_profile("everyday")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """All that is imported and collected stays to the end: nobody need look through it for garbage,
    neither now nor in the tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        _begin()
        gc.freeze()
        gc.enable()


@settings(max_examples=1, database=None)
@given(st.none())
def _begin(nothing: None) -> None:
    """An old hypothesis looks, at its first example, for who holds its random numbers; what is
    frozen is not seen.
    """


class _Response(ClientResponse):
    """What aioresponses 0.7.9 lacks with aiohttp 3.14: the argument ``stream_writer``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, stream_writer=Mock(output_size=0), **kwargs)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[aioresponses]:
    """Answers without a socket: ``wire.post(url, payload=…)``; what was sent is in its requests."""
    monkeypatch.setattr("aioresponses.core.ClientResponse", _Response)
    with aioresponses() as mocked:
        yield mocked


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What mailkit keeps on this machine for its user is not the tests' concern."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def no_request_is_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' networks hold nothing up: a person may say at once that nothing was sent."""
    monkeypatch.setattr("mailkit.bulk.journal.resolving.HELD_UP_SECONDS", -math.inf)


pytest_plugins = [
    "mailkit.sandbox.pytest_plugin",
    "tests.approval",
    "tests.postgres.fixtures",
    "tests.postgres.everywhere",
]
"""Not by its entry point, which imports mailkit before its coverage is measured."""
