"""The sandbox's own paths, for other processes: truth, faults, time, callbacks, reset, health.

They answer JSON, and only to a client on this machine. A POST must be JSON, too, even without a
body: a browser never sends that type for another site's page without asking first.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any

import attrs
from aiohttp import web

from mailkit.sandbox.clock import Clock
from mailkit.sandbox.endpoints import Endpoints, endpoint
from mailkit.sandbox.faults import Fault, Faults, describe
from mailkit.sandbox.forms import Malformed
from mailkit.sandbox.jsons import read_json
from mailkit.sandbox.request_log import RequestLog
from mailkit.sandbox.service import Backlog, Response
from mailkit.sandbox.truth import Outcome, Truth
from mailkit.sandbox.wire import read_body

PREFIX = "/sandbox/"
MEGABYTE = 1024 * 1024
LARGEST = MEGABYTE
LARGEST_LIST = 256 * MEGABYTE  # of addresses to compare


class BadRequest(ValueError):
    """The body of a control request is not what it should be."""


@attrs.frozen(kw_only=True)
class Control:
    """What other processes may see and do."""

    clock: Clock
    truth: Truth
    requests: RequestLog
    faults: Faults
    url: Callable[[], str]
    outcomes: Callable[..., Iterable[Outcome]]
    adjust: Callable[[Mapping[str, object]], None]
    deliver: Callable[[], Awaitable[int]]
    backlog: Callable[[], Backlog]
    reset: Callable[[], None]

    async def respond(self, request: web.BaseRequest) -> Response:
        """Carry out a control request."""
        found = _ENDPOINTS.find(request.method, request.path)
        operation = "" if found is None else found[0]
        limit = LARGEST_LIST if operation == compare.operation else LARGEST
        is_local = _is_local(request.remote)
        body = await read_body(request, limit if is_local else 0)
        if not is_local:
            return Response(403, {"error": "only clients on this machine may use this path"})
        if found is None:
            return Response(404, {"error": f"there is no {request.method} {request.path}"})
        if request.method == "POST" and request.content_type != "application/json":
            return Response(415, {"error": "the header Content-Type: application/json is required"})
        if body is None:
            return Response(413, {"error": f"the body is larger than {limit // MEGABYTE} MB"})
        try:
            return Response(200, await _ENDPOINTS[operation].handler(self, request, body))
        except (BadRequest, Malformed) as error:
            return Response(400, {"error": str(error)})


@endpoint("health", "GET /sandbox/health")
async def health(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """Whether the sandbox runs, its address, and its time."""
    return {"status": "ok", "url": control.url(), "now": control.clock.now()}


@endpoint("truth", "GET /sandbox/truth")
async def summary(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """How much was mailed; with `?full=1` each address, too."""
    truth = control.truth
    twice = truth.mailed_twice
    figures: dict[str, object] = {
        "emails": truth.emails,
        "addresses": truth.addresses,
        "mailed_twice": len(twice),
        "requests": dict(control.requests),
        "over_quota": dict(control.requests.over_quota),
    }
    if request.query.get("full") == "1":
        figures["mailed"] = dict(truth.mailed)
        figures["mailed_twice_addresses"] = twice
    return figures


@endpoint("mailings", "GET /sandbox/truth/mailings")
async def mailings(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """The accepted calls that mailed somebody, campaigns by their numbers, with the addresses."""
    return [
        {**attrs.asdict(one, recurse=False), "addresses": list(one.addresses)}
        for one in control.truth.mailings
    ]


@endpoint("outcomes", "GET /sandbox/truth/outcomes")
async def outcomes(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """What has become of each email, with `?end=1` what will have; `?service=` chooses one."""
    in_the_end = request.query.get("end") == "1"
    service = request.query.get("service")
    found = control.outcomes(in_the_end=in_the_end, service=service)
    return [one._asdict() for one in found]


@endpoint("arrivals", "GET /sandbox/truth/arrivals")
async def arrivals(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """When each request arrived, by operation, in the sandbox's seconds."""
    return {name: list(times) for name, times in control.requests.arrivals.items()}


@endpoint("compare", "POST /sandbox/truth/compare")
async def compare(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """The difference between a list of addresses and who was mailed."""
    believed = read_json(body)
    if not isinstance(believed, list) or not all(isinstance(one, str) for one in believed):
        raise BadRequest("the body must be a JSON list of addresses")
    found = control.truth.compare(believed)
    return {"agrees": found.agrees, **attrs.asdict(found)}


@endpoint("faults.list", "GET /sandbox/faults")
async def list_faults(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """The kinds of faults there are, and the faults in force."""
    return {"kinds": describe(), "active": [one.asdict() for one in control.faults.active()]}


@endpoint("faults.add", "POST /sandbox/faults")
async def add_faults(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """Put one fault, or a list of them, in force."""
    ordered = read_json(body)
    try:
        faults = [_fault(one) for one in (ordered if isinstance(ordered, list) else [ordered])]
        for fault in faults:
            control.faults.add(fault)
    except (TypeError, ValueError) as error:
        raise BadRequest(str(error.args[0])) from error
    return {"added": len(faults)}


@endpoint("faults.clear", "DELETE /sandbox/faults")
async def clear_faults(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """Remove all faults."""
    control.faults.clear()
    return {"status": "ok"}


@endpoint("advance", "POST /sandbox/advance")
async def advance(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """Move the sandbox's time forward by `seconds`."""
    order = read_json(body)
    seconds = order.get("seconds") if isinstance(order, dict) else None
    if not isinstance(seconds, int | float) or not seconds >= 0:
        raise BadRequest("seconds must be a number, 0 or more")
    control.clock.advance(seconds)
    return {"now": control.clock.now()}


@endpoint("settings", "POST /sandbox/settings")
async def settings(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """Change settings by their names, such as `{"devino.callback_url": "http://…"}`."""
    changes = read_json(body)
    if not isinstance(changes, dict):
        raise BadRequest("the body must be a JSON object")
    try:
        control.adjust(changes)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return {"set": len(changes)}


@endpoint("deliver", "POST /sandbox/deliver")
async def deliver(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """Post what the services have for customers' own addresses; what waits then, and is lost."""
    posts = await control.deliver()
    return {"posts": posts, **control.backlog()._asdict()}


@endpoint("reset", "POST /sandbox/reset")
async def reset(control: Control, request: web.BaseRequest, body: bytes) -> object:
    """Forget everything but settings and time."""
    control.reset()
    return {"status": "ok"}


def _fault(order: object) -> Fault:
    if not isinstance(order, dict):
        raise BadRequest("a fault must be a JSON object")
    return Fault(**order)


def _is_local(remote: str | None) -> bool:
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


_Handler = Callable[[Control, web.BaseRequest, bytes], Coroutine[Any, Any, object]]
_ENDPOINTS: Endpoints[_Handler] = Endpoints(
    health,
    summary,
    mailings,
    outcomes,
    arrivals,
    compare,
    list_faults,
    add_faults,
    clear_faults,
    advance,
    settings,
    deliver,
    reset,
)
