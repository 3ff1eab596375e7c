"""The pytest fixture `mailkit_sandbox`: a fresh sandbox for each test that requests it.

    def test_newsletter(mailkit_sandbox, monkeypatch):
        for name, value in mailkit_sandbox.environment().items():
            monkeypatch.setenv(name, value)
        ...
        assert not mailkit_sandbox.truth.mailed_twice

The server runs in a thread of its own, so that the fixture serves plain tests and async tests in
any mode. Settings of `Sandbox` are given by the marker `mailkit_sandbox(speed=60, seed=7)`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mailkit.sandbox.server import Sandbox


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "mailkit_sandbox(**settings): settings of the sandbox given to the test"
    )


@pytest.fixture
def mailkit_sandbox(request: pytest.FixtureRequest) -> "Iterator[Sandbox]":
    """The e-mail services on a local port; loads the server on first use."""
    from mailkit.sandbox.thread import sandbox_in_thread

    marker = request.node.get_closest_marker("mailkit_sandbox")
    with sandbox_in_thread(**(marker.kwargs if marker else {})) as sandbox:
        yield sandbox
