"""The sandbox's own paths, for other processes: truth, faults, time, callbacks, reset, health.

They answer JSON, and only to a client on this machine. A POST must be JSON too, even without a
body: that is a type that a browser never sends for another site's page without asking first.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from mailkit.sandbox.faults import Fault
from mailkit.sandbox.jsons import read_json
from mailkit.sandbox.service import Reply
from mailkit.sandbox.wire import read_body

if TYPE_CHECKING:
    from mailkit.sandbox.server import Sandbox

PREFIX = "/sandbox/"
MEGABYTE = 1024 * 1024
LARGEST = MEGABYTE
LARGEST_LIST = 256 * MEGABYTE  # of addresses to compare
COMPARE = ("POST", "/sandbox/truth/compare")


class BadOrder(ValueError):
    """The body of a control request is not what it should be."""


async def control(sandbox: "Sandbox", request: web.BaseRequest) -> Reply:
    """Carry out a control request."""
    order = (request.method, request.path)
    limit = LARGEST_LIST if order == COMPARE else LARGEST
    is_local = _is_local(request.remote)
    body = await read_body(request, limit if is_local else 0)
    if not is_local:
        return Reply(403, {"error": "only from this machine"})
    if order not in _HANDLERS:
        return Reply(404, {"error": f"no {request.method} {request.path}"})
    if request.method == "POST" and request.content_type != "application/json":
        return Reply(415, {"error": "the header Content-Type: application/json is needed"})
    if body is None:
        return Reply(413, {"error": f"the body is larger than {limit // MEGABYTE} MB"})
    try:
        return Reply(200, await _HANDLERS[order](sandbox, request, body))
    except BadOrder as error:
        return Reply(400, {"error": str(error)})


async def _health(sandbox: "Sandbox", request: web.BaseRequest, body: bytes) -> object:
    return {"status": "ok", "url": sandbox.url, "now": sandbox.clock.now()}


async def _truth(sandbox: "Sandbox", request: web.BaseRequest, body: bytes) -> object:
    truth = sandbox.truth
    twice = truth.mailed_twice
    summary: dict[str, object] = {
        "emails": truth.emails,
        "addresses": truth.addresses,
        "mailed_twice": len(twice),
        "requests": dict(sandbox.requests),
    }
    if request.query.get("full") == "1":
        summary["mailed"] = dict(truth.mailed)
        summary["mailed_twice_addresses"] = twice
    return summary


async def _compare(sandbox: "Sandbox", request: web.BaseRequest, body: bytes) -> object:
    believed = _json(body)
    if not isinstance(believed, list) or not all(isinstance(one, str) for one in believed):
        raise BadOrder("a JSON list of addresses is needed")
    found = sandbox.truth.compare(believed)
    return {
        "agrees": found.agrees,
        "missing": found.missing,
        "unexpected": found.unexpected,
        "mailed_twice": found.mailed_twice,
    }


async def _faults(sandbox: "Sandbox", request: web.BaseRequest, body: bytes) -> object:
    ordered = _json(body)
    try:
        faults = [_fault(one) for one in (ordered if isinstance(ordered, list) else [ordered])]
        for fault in faults:
            sandbox.faults.add(fault)
    except (TypeError, ValueError) as error:
        raise BadOrder(str(error.args[0])) from error
    return {"added": len(faults)}


async def _clear_faults(sandbox: "Sandbox", request: web.BaseRequest, body: bytes) -> object:
    sandbox.faults.clear()
    return {"status": "ok"}


async def _advance(sandbox: "Sandbox", request: web.BaseRequest, body: bytes) -> object:
    order = _json(body)
    seconds = order.get("seconds") if isinstance(order, dict) else None
    if not isinstance(seconds, int | float) or not seconds >= 0:
        raise BadOrder("seconds, 0 or more, are needed")
    sandbox.clock.advance(seconds)
    return {"now": sandbox.clock.now()}


async def _deliver(sandbox: "Sandbox", request: web.BaseRequest, body: bytes) -> object:
    return {"posts": await sandbox.deliver()}


async def _reset(sandbox: "Sandbox", request: web.BaseRequest, body: bytes) -> object:
    sandbox.reset()
    return {"status": "ok"}


def _fault(order: Any) -> Fault:
    if not isinstance(order, dict):
        raise BadOrder("a fault is a JSON object")
    return Fault(**order)


def _json(body: bytes) -> object:
    try:
        return read_json(body)
    except ValueError as error:
        raise BadOrder(str(error)) from None


def _is_local(remote: str | None) -> bool:
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


_Handler = Callable[["Sandbox", web.BaseRequest, bytes], Awaitable[object]]
_HANDLERS: dict[tuple[str, str], _Handler] = {
    ("GET", "/sandbox/health"): _health,
    ("GET", "/sandbox/truth"): _truth,
    COMPARE: _compare,
    ("POST", "/sandbox/faults"): _faults,
    ("DELETE", "/sandbox/faults"): _clear_faults,
    ("POST", "/sandbox/advance"): _advance,
    ("POST", "/sandbox/deliver"): _deliver,
    ("POST", "/sandbox/reset"): _reset,
}
