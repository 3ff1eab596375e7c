from collections.abc import Iterator
from typing import Any

import pytest

from mailkit import SmsBy, blocking
from mailkit.sandbox import Sandbox, SendPulseSettings


@pytest.fixture(scope="session")
def mailkit_sandbox_settings() -> dict[str, Any]:
    return {"sendpulse": SendPulseSettings(balance=7)}


@pytest.fixture(scope="session")
def app(mailkit_session_sandbox: Sandbox) -> Iterator[Any]:
    """What reads its settings once in a session."""
    with blocking(SmsBy.from_env) as smsby:
        yield smsby


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
