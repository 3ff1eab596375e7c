"""The sandbox's own paths, for other processes: truth, messages, faults, time, callbacks, reset.

They answer JSON, with moments in ISO 8601 in UTC. A POST must be JSON, too, even without a body: a
browser never sends that type for another site's page without asking first.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any

import attrs
from aiohttp import web
from attrs import filters

from mailkit.sandbox.clock import Clock, moment
from mailkit.sandbox.endpoints import Endpoints, endpoint
from mailkit.sandbox.faults import Fault, Faults, describe
from mailkit.sandbox.forms import Malformed
from mailkit.sandbox.happening import CannotHappen
from mailkit.sandbox.inbox import PAGE, Inbox, NoSuchMessage
from mailkit.sandbox.jsons import read_json
from mailkit.sandbox.nearest import meant
from mailkit.sandbox.origin import HEADER, PageToken
from mailkit.sandbox.php import is_number
from mailkit.sandbox.request_log import RequestLog
from mailkit.sandbox.search import count
from mailkit.sandbox.service import Backlog, Response
from mailkit.sandbox.truth import Outcome, Truth
from mailkit.sandbox.values import Seconds, checked
from mailkit.sandbox.wire import method, read_body

PREFIX = "/sandbox/"
MEGABYTE = 1024 * 1024
LARGEST = MEGABYTE
MOST_MESSAGES = 1000  # in one response
LARGEST_LIST = 256 * MEGABYTE  # of addresses to compare

_QUERY = {
    "truth": ("full",),
    "outcomes": ("end", "service"),
    "messages.list": ("search", "before", "limit", "full"),
}
"""What the query of an operation may have; that of the others has nothing."""

_PUBLIC = filters.exclude("origin")

Params = Mapping[str, str]
"""What the query and the path say."""


class BadRequest(ValueError):
    """The body of a control request is not what it should be."""


@attrs.frozen(kw_only=True)
class Control:
    """What other processes may see and do."""

    clock: Clock
    truth: Truth
    inbox: Inbox
    token: PageToken
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
        asked = method(request)
        operation, args = ENDPOINTS.find(asked, request.rel_url.raw_path) or ("", {})
        limit = LARGEST_LIST if operation == compare.operation else LARGEST
        body = await read_body(request, limit)
        if not operation:
            return Response(404, {"error": f"there is no {request.method} {request.path}"})
        if asked != "GET" and not self.token.admits(request.headers):
            return Response(403, {"error": f"a web page must send the header {HEADER}"})
        if asked == "POST" and request.content_type != "application/json":
            required = "the header Content-Type: application/json is required (curl --json '{}')"
            return Response(415, {"error": required})
        if body is None:
            return Response(413, {"error": f"the body is larger than {limit // MEGABYTE} MB"})
        try:
            _check(operation, request.query)
            params = {**request.query, **args}
            return Response(200, await ENDPOINTS[operation].handler(self, params, body))
        except (BadRequest, Malformed, CannotHappen) as error:
            return Response(400, {"error": str(error)})
        except NoSuchMessage as error:
            return Response(404, {"error": str(error)})


@endpoint("health", "GET /sandbox/health")
async def health(control: Control, params: Params, body: bytes) -> object:
    """Whether the sandbox runs, its address, and its time."""
    return {"status": "ok", "url": control.url(), "now": moment(control.clock.now())}


@endpoint("truth", "GET /sandbox/truth")
async def summary(control: Control, params: Params, body: bytes) -> object:
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
    if _flag(params, "full"):
        figures["mailed"] = dict(truth.mailed)
        figures["mailed_twice_addresses"] = twice
    return figures


@endpoint("mailings", "GET /sandbox/truth/mailings")
async def mailings(control: Control, params: Params, body: bytes) -> object:
    """Each accepted call that mailed somebody, with its campaign and the addresses."""
    return [
        {
            **attrs.asdict(one, recurse=False, filter=_PUBLIC),
            "at": moment(one.at),
            "addresses": list(one.addresses),
        }
        for one in control.truth.mailings
    ]


@endpoint("outcomes", "GET /sandbox/truth/outcomes")
async def outcomes(control: Control, params: Params, body: bytes) -> object:
    """What has become of each email, with `?end=1` in the end; with `?service=smsby` those of that
    service alone.
    """
    in_the_end = _flag(params, "end")
    service = params.get("service")
    try:
        found = control.outcomes(in_the_end=in_the_end, service=service)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return [one._asdict() for one in found]


@endpoint("arrivals", "GET /sandbox/truth/arrivals")
async def arrivals(control: Control, params: Params, body: bytes) -> object:
    """When each request arrived, by operation, in seconds since the epoch."""
    return {name: list(times) for name, times in control.requests.arrivals.items()}


@endpoint("compare", "POST /sandbox/truth/compare")
async def compare(control: Control, params: Params, body: bytes) -> object:
    """The difference between a list of addresses, such as `["a@b.by"]`, and who was mailed."""
    believed = read_json(body)
    if not isinstance(believed, list) or not all(isinstance(one, str) for one in believed):
        raise BadRequest("the body must be a JSON list of addresses")
    found = control.truth.compare(believed)
    return {"agrees": found.agrees, **attrs.asdict(found)}


@endpoint("messages.list", "GET /sandbox/messages")
async def list_messages(control: Control, params: Params, body: bytes) -> object:
    """The captured messages, newest first: those that `?search=` finds, below `?before=`, at most
    `?limit=`; with `?full=1` their bodies, too. `total` is how many the search finds in all.
    """
    limit = _number(params, "limit", PAGE)
    if not 1 <= limit <= MOST_MESSAGES:
        raise BadRequest(f"limit must be a number from 1 to {MOST_MESSAGES}, not {limit}")
    text, is_full = params.get("search", ""), _flag(params, "full")
    before = _number(params, "before", control.truth.emails + 1)
    found = control.inbox.find(text, before=before, limit=limit)
    return {
        "total": count(control.truth, text),
        "messages": [control.inbox.described(one, full=is_full) for one in found.emails],
        "next": found.next,
    }


@endpoint("messages.get", "GET /sandbox/messages/{id}")
async def one_message(control: Control, params: Params, body: bytes) -> object:
    """A message with everything that is known of it."""
    return control.inbox.described(control.inbox.get(_number(params, "id")), full=True)


@endpoint("messages.happen", "POST /sandbox/messages/{id}/{what}")
async def happen(control: Control, params: Params, body: bytes) -> object:
    """Make something happen to a message, such as `open`, and post what follows from it."""
    email = control.inbox.get(_number(params, "id"))
    control.inbox.happen(email, params["what"])
    posts = await control.deliver()
    return {"posts": posts, **control.inbox.described(email, full=False)}


@endpoint("faults.list", "GET /sandbox/faults")
async def list_faults(control: Control, params: Params, body: bytes) -> object:
    """The kinds of faults there are, and the faults in force."""
    return {"kinds": describe(), "active": [one.asdict() for one in control.faults.active()]}


@endpoint("faults.add", "POST /sandbox/faults")
async def add_faults(control: Control, params: Params, body: bytes) -> object:
    """Put one fault, such as `{"kind": "reset_after_acting", "on": "smsby.bulk.send", "times": 1}`,
    or a list of them, in force.
    """
    ordered = read_json(body)
    try:
        faults = [Fault.of(one) for one in (ordered if isinstance(ordered, list) else [ordered])]
        for fault in faults:
            control.faults.add(fault)
    except (TypeError, ValueError) as error:
        raise BadRequest(str(error.args[0])) from error
    return {"added": len(faults)}


@endpoint("faults.clear", "DELETE /sandbox/faults")
async def clear_faults(control: Control, params: Params, body: bytes) -> object:
    """Remove all faults."""
    control.faults.clear()
    return {"status": "ok"}


@endpoint("advance", "POST /sandbox/advance")
async def advance(control: Control, params: Params, body: bytes) -> object:
    """Move the sandbox's time forward, such as by `{"seconds": 3600}`."""
    order = read_json(body)
    if not isinstance(order, dict):
        raise BadRequest('the body must be a JSON object, such as {"seconds": 60}')
    try:
        control.clock.advance(checked("seconds", order.get("seconds"), Seconds))
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return {"now": moment(control.clock.now())}


@endpoint("settings", "POST /sandbox/settings")
async def settings(control: Control, params: Params, body: bytes) -> object:
    """Change settings by their names, such as `{"devino.callback_url": "http://…"}`."""
    changes = read_json(body)
    if not isinstance(changes, dict):
        raise BadRequest("the body must be a JSON object of settings by their names")
    try:
        control.adjust(changes)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    return {"set": len(changes)}


@endpoint("deliver", "POST /sandbox/deliver")
async def deliver(control: Control, params: Params, body: bytes) -> object:
    """Post the events that are due to webhooks: how many posts that took, how many events are still
    `waiting` to be accepted, and how many are `lost`.
    """
    posts = await control.deliver()
    return {"posts": posts, **control.backlog()._asdict()}


@endpoint("reset", "POST /sandbox/reset")
async def reset(control: Control, params: Params, body: bytes) -> object:
    """Forget everything but settings and time."""
    control.reset()
    return {"status": "ok"}


def _check(operation: str, query: Iterable[str]) -> None:
    known = _QUERY.get(operation, ())
    for name in query:
        if name not in known:
            hint = meant(name, known, f"it takes {', '.join(known) or 'none'}")
            raise BadRequest(f"the query has no parameter {name!r}: {hint}")


def _flag(params: Params, name: str) -> bool:
    text = params.get(name, "0")
    if text not in ("0", "1"):
        raise BadRequest(f"{name} must be 1 or 0, not {text!r}")
    return text == "1"


def _number(params: Params, name: str, default: int | None = None) -> int:
    text = params.get(name, "" if default is None else str(default))
    if not is_number(text):
        raise BadRequest(f"{name} must be a number, not {text!r}")
    return int(text)


_Handler = Callable[[Control, Params, bytes], Coroutine[Any, Any, object]]
ENDPOINTS: Endpoints[_Handler] = Endpoints(
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
    list_messages,
    one_message,
    happen,
)
