"""What ``import mailkit`` offers, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mailkit


def test_every_public_name_can_be_had() -> None:
    assert mailkit.__all__ == sorted(mailkit.__all__)
    for name in mailkit.__all__:
        assert getattr(mailkit, name).__name__ == name


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Mailer'"):
        _ = mailkit.Mailer  # type: ignore[attr-defined]


def test_importing_mailkit_loads_no_http_library() -> None:
    program = "import mailkit, sys; sys.exit('aiohttp' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
