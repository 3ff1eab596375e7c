"""What to test an application with that sends through mailkit.

    from mailkit.testing import FakeClock

    clock = FakeClock()
    async with SmsBy(token, sandbox.url, clock=clock) as smsby:
        await smsby.emails.send(...)    # retries wait in made-up time: the test doesn't
        assert clock.slept == [...]

The services themselves are `mailkit.sandbox`, with the pytest fixture `mailkit_sandbox`.
"""

from mailkit.testing.clock import FakeClock

__all__ = ["FakeClock"]
