"""pytest fixtures next to `mailkit_sandbox`: clients that are connected to it, and made-up time.

The clients work in whatever event loop calls them, so that they serve plain tests, and async tests
of any plugin, mode and scope.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mailkit.sandbox import Sandbox
    from mailkit.testing.clock import FakeClock


@pytest.fixture
def mailkit_clock(mailkit_sandbox: Sandbox) -> FakeClock:
    """The time of the sandbox, and of the test's clients, which nobody waits for."""
    from mailkit.testing.clock import FakeClock  # tests without it need not load it

    mailkit_sandbox.clock.stop()
    return FakeClock(mailkit_sandbox.clock.now(), moved=mailkit_sandbox.clock.advance)


def _client_of(provider: str, **usual: object) -> Callable[..., Any]:
    @pytest.fixture(name=f"mailkit_{provider}")
    def client(request: pytest.FixtureRequest, mailkit_sandbox: Sandbox) -> Iterator[Any]:
        """A client of the test's sandbox, for any event loop; in the time of `mailkit_clock`, if
        the test asks for that, too.
        """
        from mailkit.providers import provider_class

        loops: set[asyncio.AbstractEventLoop] = set()
        hooks: list[Any] = [lambda _: loops.add(asyncio.get_running_loop())]
        options = {**usual, "hooks": hooks}
        if "mailkit_clock" in request.fixturenames:
            clock: FakeClock = request.getfixturevalue("mailkit_clock")
            options["clock"] = clock
            hooks.append(clock.hook)
        make: Any = provider_class(provider)
        client = make.from_env(**options)
        yield client
        _run_idle(loops, client.aclose())

    return client


mailkit_smsby = _client_of("smsby", unsubscribe_url="https://unsubscribe.example/?e={{ email }}")
mailkit_sendpulse = _client_of("sendpulse")
mailkit_devino = _client_of("devino")


def _run_idle(
    loops: Iterable[asyncio.AbstractEventLoop], coroutine: Coroutine[Any, Any, None]
) -> None:
    """Run it in one of the loops, or in a new one, if these are closed or at work in threads."""
    idle = [loop for loop in loops if not (loop.is_closed() or loop.is_running())]
    loop = idle[0] if idle else asyncio.new_event_loop()
    try:
        loop.run_until_complete(coroutine)
    finally:
        if not idle:
            loop.close()
