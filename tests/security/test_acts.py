"""The table of acts forgets nothing that sends."""

from __future__ import annotations

import pytest

from mailkit.core.call import Method, resource
from mailkit.core.client import Client
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy

from .acts import CALLS, ONLY_MAKE


def unrepeatable(client: type[Client]) -> set[str]:
    return {
        f"{client.name}.{group}.{name}"
        for group, found in vars(client).items()
        if isinstance(found, resource)
        for name, method in vars(found.cls).items()
        if isinstance(method, Method) and not method.route.repeatable
    }


@pytest.mark.parametrize("client", [SmsBy, Devino, SendPulse])
def test_every_call_that_must_not_be_repeated_is_an_act(client: type[Client]) -> None:
    acts = {name.split()[0] for name in CALLS if name.startswith(f"{client.name}.")}
    calls = unrepeatable(client)
    assert calls
    assert calls - ONLY_MAKE <= acts
    assert {name for name in ONLY_MAKE if name.startswith(f"{client.name}.")} <= calls
