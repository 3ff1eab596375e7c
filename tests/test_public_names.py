"""What ``import mailkit`` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mailkit
from mailkit import Devino, SendPulse, SmsBy


def test_every_public_name_can_be_had() -> None:
    assert mailkit.__all__ == sorted(mailkit.__all__)
    for name in mailkit.__all__:
        assert getattr(mailkit, name).__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Mailer'"):
        _ = mailkit.Mailer  # type: ignore[attr-defined]


def test_importing_mailkit_loads_no_http_library() -> None:
    program = "import mailkit, sys; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("kind", [SmsBy, Devino, SendPulse])
def test_an_option_that_no_client_has_is_an_error(kind: type[SmsBy]) -> None:
    with pytest.raises(TypeError, match="tiemout"):
        kind("one", "https://h.test", tiemout=3)  # type: ignore[call-arg]
