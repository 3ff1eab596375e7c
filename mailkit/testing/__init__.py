"""What to test an application with that sends through mailkit.

    from mailkit.testing import FakeClock

    clock = FakeClock()
    async with SmsBy(token, sandbox.url, clock=clock) as smsby:
        await smsby.emails.send(...)    # retries wait in made-up time: the test doesn't
        assert clock.slept == [...]

pytest has the fixtures `mailkit_smsby`, `mailkit_sendpulse` and `mailkit_devino`, clients of the
sandbox in `mailkit_sandbox`, and `mailkit_clock`, see docs/testing.md. `ScriptedProvider` takes the
place of a provider in a `BulkSender`. `mailkit.testing.conformance` has the checks for a provider
of your own.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailkit.testing.clock import FakeClock
    from mailkit.testing.scripted import ScriptedProvider

__all__ = ["FakeClock", "ScriptedProvider"]

_HOMES = {"FakeClock": "clock", "ScriptedProvider": "scripted"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:  # pytest loads its plugin from here, and most tests need no more
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
