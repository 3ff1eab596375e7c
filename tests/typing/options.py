"""Checked by mypy --strict and pyright, never run: the clients' options.

Each ``type: ignore`` stands for a misuse that the checkers must refuse.
"""

from __future__ import annotations

from datetime import UTC
from random import Random
from typing import assert_type

from mailkit.core.clock import Clock
from mailkit.core.hooks import Attempt
from mailkit.core.http import Session, Transport
from mailkit.core.options import ClientOptions
from mailkit.core.quota import Quota
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy


def hook(attempt: Attempt) -> None: ...


def shared(transport: Transport, session: Session) -> None:
    assert_type(SmsBy("token", timeout=5), SmsBy)
    assert_type(SendPulse(api_key="key", timeout=0.5, requests=None), SendPulse)
    options: ClientOptions = {
        "account": "shop",
        "requests": Quota(10, 1.0),
        "session": session,
        "connections": 8,
        "timeout": 5,
        "hooks": [hook],
        "clock": Clock(),
        "random": Random(1),
        "transport": transport,
    }
    SmsBy("token", **options)
    Devino("key", **options)
    SendPulse("id", "secret", **options)
    SmsBy.from_env(**options)
    SendPulse.from_env(**options)
    Devino.from_env(**options)


def own() -> None:
    SmsBy("token", zone=UTC, multipart=False, unsubscribe_url="https://shop.by/bye")
    Devino("key", escape=False)
    SendPulse(api_key="key", zone="Europe/Minsk", campaigns=Quota(8, 3600.0), tests=None)


def misuses() -> None:
    SmsBy("token", timeout="5")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SmsBy("token", hooks=hook)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SmsBy("token", connections=None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    SmsBy("token", colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    SmsBy("token", campaigns=None)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    Devino("key", zone="Europe/Minsk")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    SendPulse(api_key="key", multipart=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
