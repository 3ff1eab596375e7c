"""What to test an application with that sends through mailkit.

    from mailkit.testing import FakeClock

    clock = FakeClock()
    async with SmsBy(token, sandbox.url, clock=clock) as smsby:
        await smsby.emails.send(...)    # retries wait in made-up time: the test doesn't
        assert clock.slept == [...]

`ScriptedProvider` takes the place of a provider in a `BulkSender`. The services themselves are
`mailkit.sandbox`, with the pytest fixture `mailkit_sandbox`. `mailkit.testing.conformance` has the
checks for a provider of your own.
"""

from mailkit.testing.clock import FakeClock
from mailkit.testing.scripted import ScriptedProvider

__all__ = ["FakeClock", "ScriptedProvider"]
