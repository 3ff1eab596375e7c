"""The email services as a local HTTP server, for tests, demos and measurements.

    from mailkit.sandbox import Fault, Sandbox

    async with Sandbox() as sandbox:
        sandbox.faults.add(Fault("reset_after_acting", on="smsby.bulk.send", times=1))
        ...                                     # point a client at sandbox.url
        assert not sandbox.truth.mailed_twice

The sandbox is written from the services' own documents and shares no code with the clients, so
that the two cannot agree on a mistake. Names are looked up on first use: importing this package
alone (as the pytest plugin does) loads no HTTP library. Another package adds a service by a
subclass of `Service` (see `mailkit.sandbox.service`).
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailkit.sandbox.delivery import Step
    from mailkit.sandbox.devino import DevinoSettings
    from mailkit.sandbox.endpoints import Endpoints, endpoint
    from mailkit.sandbox.faults import Fault
    from mailkit.sandbox.forms import Malformed
    from mailkit.sandbox.happening import CannotHappen
    from mailkit.sandbox.posting import Outbox, Posting
    from mailkit.sandbox.sendpulse import SendPulseSettings
    from mailkit.sandbox.server import Sandbox
    from mailkit.sandbox.service import (
        Backlog,
        RawRequest,
        Refusal,
        Request,
        Response,
        Service,
        Shared,
        Table,
        WebhookPost,
    )
    from mailkit.sandbox.smsby import SmsBySettings
    from mailkit.sandbox.thread import sandbox_in_thread
    from mailkit.sandbox.truth import Content, Email, Mailing, Outcome, Truth

__all__ = [
    "Backlog",
    "CannotHappen",
    "Content",
    "DevinoSettings",
    "Email",
    "Endpoints",
    "Fault",
    "Mailing",
    "Malformed",
    "Outbox",
    "Outcome",
    "Posting",
    "RawRequest",
    "Refusal",
    "Request",
    "Response",
    "Sandbox",
    "SendPulseSettings",
    "Service",
    "Shared",
    "SmsBySettings",
    "Step",
    "Table",
    "Truth",
    "WebhookPost",
    "endpoint",
    "sandbox_in_thread",
]

_HOMES = {
    "Backlog": "service",
    "CannotHappen": "happening",
    "Content": "truth",
    "DevinoSettings": "devino",
    "Email": "truth",
    "Endpoints": "endpoints",
    "Fault": "faults",
    "Mailing": "truth",
    "Malformed": "forms",
    "Outbox": "posting",
    "Outcome": "truth",
    "Posting": "posting",
    "RawRequest": "service",
    "Refusal": "service",
    "Request": "service",
    "Response": "service",
    "Sandbox": "server",
    "SendPulseSettings": "sendpulse",
    "Service": "service",
    "Shared": "service",
    "SmsBySettings": "smsby",
    "Step": "delivery",
    "Table": "service",
    "Truth": "truth",
    "WebhookPost": "service",
    "endpoint": "endpoints",
    "sandbox_in_thread": "thread",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
