"""The pytest fixture `mailkit_sandbox`, as new for each test.

    async def test_a_welcome(mailkit_sandbox, mailkit_smsby):
        await mailkit_smsby.emails.send(sender="news@shop.by", to="a@b.by", subject="Hi", html="…")
        assert mailkit_sandbox.truth.count("a@b.by") == 1

The server runs in a thread of its own, so that it serves plain tests and async tests of any plugin,
mode and scope. Nothing is loaded before a test needs it. The clients' fixtures are the plugin
`mailkit.testing.fixtures`, which comes with this one.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mailkit.sandbox.server import Sandbox


pytest_plugins = ["mailkit.testing.fixtures"]

_CREDENTIALS = ("_ID", "_KEY", "_PASSWORD", "_SECRET", "_TOKEN")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "mailkit_sandbox(**settings): gives the test a sandbox of its own, with these settings",
    )


@pytest.fixture(scope="session")
def mailkit_sandbox_settings() -> Mapping[str, Any]:
    """The settings of every sandbox, as for `Sandbox`; override it in your conftest.py."""
    return {}


@pytest.fixture(scope="session")
def _mailkit_server(mailkit_sandbox_settings: Mapping[str, Any]) -> "Iterator[Sandbox]":
    with _served(mailkit_sandbox_settings) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def mailkit_session_sandbox(
    _mailkit_server: "Sandbox", tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Sandbox]":
    """The sandbox that serves the session's tests at one address, for what lives as long: an app,
    say. From then on, the environment variables of mailkit point to it. Whoever uses it finds in it
    what the tests before have done; `mailkit_sandbox` starts over.
    """
    with _environment(_mailkit_server, tmp_path_factory.mktemp("mailkit")):
        yield _mailkit_server


@pytest.fixture
def mailkit_sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Sandbox]":
    """The session's sandbox, as new; with the marker `mailkit_sandbox(**settings)` one of the
    test's own. During the test, the environment variables of mailkit point to it, and to a journal
    in `tmp_path`.
    """
    marker = request.node.get_closest_marker("mailkit_sandbox")
    if marker is None:
        shared: Sandbox = request.getfixturevalue("_mailkit_server")
        shared.start_over()
        with _environment(shared, tmp_path):
            yield shared
    else:
        usual: Mapping[str, Any] = request.getfixturevalue("mailkit_sandbox_settings")
        with _served({**usual, **marker.kwargs}) as own, _environment(own, tmp_path):
            yield own


@contextmanager
def _served(settings: Mapping[str, Any]) -> "Iterator[Sandbox]":
    from mailkit.sandbox.thread import sandbox_in_thread

    with sandbox_in_thread(**deepcopy(dict(settings))) as sandbox:
        yield sandbox


@contextmanager
def _environment(sandbox: "Sandbox", folder: Path) -> Iterator[None]:
    """Point mailkit to the sandbox, and nowhere else: a developer's credentials are not seen."""
    prefixes = tuple(f"MAILKIT_{name.upper()}_" for name in sandbox.services)
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith(prefixes) and name.endswith(_CREDENTIALS):
                patch.delenv(name)
        for name, value in sandbox.environment().items():
            patch.setenv(name, value)
        patch.setenv("MAILKIT_JOURNAL", str(folder / "journal.db"))
        yield
