from __future__ import annotations

import ssl
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def tls() -> ssl.SSLContext:
    """A server's context with a certificate that nobody signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "self-signed.pem")
    return context
