"""The service itself, in memory behind a real socket: lists, campaigns, and who was really mailed.

It knows nothing of mailkit. Every response is ``{"data": …}`` or ``{"problem": {"code", "text"}}``.

    PUT  /v1/lists/{name}               201 a new list; 409 list_exists, with the id of that list
    GET  /v1/lists?name=                the lists of that name
    POST /v1/lists/{id}/contacts        adds contacts, or replaces those of the same address
    GET  /v1/lists/{id}                 its state: importing, then ready; how many contacts
    POST /v1/campaigns                  mails every contact of the list at once; again if repeated
    GET  /v1/campaigns?name=            the campaigns of that name
    GET  /v1/campaigns/{id}/results     page by page what became of each contact
    GET  /v1/account                    balance, and price of a message
"""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Self

import attrs
from aiohttp import web

__all__ = ["Campaign", "Failure", "Fault", "MailingList", "Server"]

INVALID, OPTED_OUT, BOUNCES = "invalid-", "optout-", "bounce-"
"""How addresses begin that the service refuses to load, leaves out, and can't deliver to."""


class Failure(StrEnum):
    """What goes wrong with a request."""

    CUT_BEFORE = "the connection is cut before the service acts"
    CUT_AFTER = "the connection is cut after the service has acted"
    GATEWAY = "a gateway answers with a page, and the service acts all the same"
    BUSY = "429 with Retry-After: the service does not act"


@attrs.frozen
class Fault:
    """A failure of the next ``times`` requests whose verb and route are ``on``."""

    failure: Failure
    on: str
    times: int = 1
    status: int = 502


@attrs.define
class MailingList:
    """A list; it is ``importing`` until the server's clock says ``ready``."""

    id: int
    name: str
    ready: float
    contacts: dict[str, Mapping[str, str]] = attrs.field(factory=dict)


@attrs.define
class Campaign:
    """What was mailed: to whom with which fields, and what became of it."""

    id: int
    name: str
    sender: str
    subject: str
    html: str
    contacts: Mapping[str, Mapping[str, str]]
    results: dict[str, str]

    def email(self, address: str) -> tuple[str, str]:
        """Subject and html as this recipient got them: ``[[field]]`` is replaced by its value."""
        subject, html = self.subject, self.html
        for field, value in self.contacts[address].items():
            subject = subject.replace(f"[[{field}]]", value)
            html = html.replace(f"[[{field}]]", value)
        return subject, html


class Problem(Exception):
    """The service says no."""

    def __init__(self, status: int, code: str, text: str, **more: object) -> None:
        super().__init__(text)
        self.status = status
        self.body = {"problem": {"code": code, "text": text, **more}}


class Server:
    """One account of the service; ``async with Server() as server`` and then ``server.url``.

    ``batch``: contacts a request loads at most. ``importing``: seconds that a list takes after it
    was loaded. ``page``: results a page. ``balance`` and ``price`` are in cents.
    """

    def __init__(
        self,
        *,
        key: str = "shop",
        secret: str = "swordfish",
        batch: int = 500,
        importing: float = 20.0,
        page: int = 100,
        balance: int = 1_000_000,
        price: int = 1,
    ) -> None:
        self.key, self.secret = key, secret
        self.batch, self.importing, self.page = batch, importing, page
        self.balance, self.price = balance, price
        self.mailed: Counter[str] = Counter()
        self.lists: dict[int, MailingList] = {}
        self.campaigns: dict[int, Campaign] = {}
        self.requests: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.url = ""
        self._passed = 0.0
        self._runner: web.AppRunner | None = None

    def advance(self, seconds: float) -> None:
        """Let time pass for the service."""
        self._passed += seconds

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(
            [
                self._route("PUT", "/v1/lists/{name}", self._make_list),
                self._route("GET", "/v1/lists", self._find_lists),
                self._route("POST", "/v1/lists/{id}/contacts", self._load),
                self._route("GET", "/v1/lists/{id}", self._show_list),
                self._route("POST", "/v1/campaigns", self._send),
                self._route("GET", "/v1/campaigns", self._find_campaigns),
                self._route("GET", "/v1/campaigns/{id}/results", self._results),
                self._route("GET", "/v1/account", self._account),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def _now(self) -> float:
        return time.monotonic() + self._passed

    def _route(
        self, verb: str, path: str, act: Callable[[web.Request], Awaitable[tuple[int, object]]]
    ) -> web.RouteDef:
        on = f"{verb} {path}"

        async def handle(request: web.Request) -> web.Response:
            self.requests[on] += 1
            await request.read()
            fault = self._take(on)
            failure = fault and fault.failure
            if failure is Failure.CUT_BEFORE:
                return _cut(request)
            if failure is Failure.BUSY:
                busy = Problem(429, "too_many_requests", "slow down")
                return web.json_response(busy.body, status=429, headers={"Retry-After": "7"})
            try:
                self._authenticate(request)
                status, data = await act(request)
                body: object = {"data": data}
            except Problem as problem:
                status, body = problem.status, problem.body
            if failure is Failure.CUT_AFTER:
                return _cut(request)
            if fault is not None:
                page = "<html><h1>Bad Gateway</h1></html>"
                return web.Response(status=fault.status, text=page, content_type="text/html")
            return web.json_response(body, status=status)

        return web.route(verb, path, handle)

    def _take(self, on: str) -> Fault | None:
        for at, fault in enumerate(self.faults):
            if fault.on == on:
                left = fault.times - 1
                self.faults[at : at + 1] = [attrs.evolve(fault, times=left)] if left else []
                return fault
        return None

    def _authenticate(self, request: web.Request) -> None:
        pair = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {pair}":
            raise Problem(401, "unauthorized", "unknown key or wrong secret")

    async def _make_list(self, request: web.Request) -> tuple[int, object]:
        name = request.match_info["name"]
        for known in self.lists.values():
            if known.name == name:
                raise Problem(409, "list_exists", "there is a list of this name", id=known.id)
        made = MailingList(len(self.lists) + 1, name, self._now())
        self.lists[made.id] = made
        return 201, self._shown(made)

    async def _find_lists(self, request: web.Request) -> tuple[int, object]:
        named = [one for one in self.lists.values() if one.name == request.query["name"]]
        return 200, [self._shown(one) for one in named]

    async def _show_list(self, request: web.Request) -> tuple[int, object]:
        return 200, self._shown(self._list(request.match_info["id"]))

    async def _load(self, request: web.Request) -> tuple[int, object]:
        loaded = self._list(request.match_info["id"])
        contacts = (await _json(request))["contacts"]
        if not 1 <= len(contacts) <= self.batch:
            raise Problem(422, "batch_size", f"give 1 to {self.batch} contacts")
        if any(contact["email"].startswith(INVALID) for contact in contacts):
            raise Problem(422, "contacts_invalid", "not every contact is valid")
        for contact in contacts:
            loaded.contacts[contact["email"]] = contact["fields"]
        loaded.ready = self._now() + self.importing
        return 202, self._shown(loaded)

    async def _send(self, request: web.Request) -> tuple[int, object]:
        order = await _json(request)
        chosen = self._list(order["list"])
        if self._now() < chosen.ready:
            raise Problem(409, "list_busy", "the list is being imported")
        if not chosen.contacts:
            raise Problem(422, "list_empty", "the list has no contacts")
        cost = self.price * len(chosen.contacts)
        if cost > self.balance:
            raise Problem(402, "balance", "not enough money")
        self.balance -= cost
        results: dict[str, str] = {}
        for address in chosen.contacts:
            results[address] = "delivered"
            if address.startswith(OPTED_OUT):
                results[address] = "skipped"
                continue
            if address.startswith(BOUNCES):
                results[address] = "bounced"
            self.mailed[address] += 1
        sent = Campaign(
            len(self.campaigns) + 1,
            order["name"],
            order["sender"],
            order["subject"],
            order["html"],
            dict(chosen.contacts),
            results,
        )
        self.campaigns[sent.id] = sent
        return 201, {"id": sent.id}

    async def _find_campaigns(self, request: web.Request) -> tuple[int, object]:
        name = request.query["name"]
        return 200, [{"id": one.id} for one in self.campaigns.values() if one.name == name]

    async def _results(self, request: web.Request) -> tuple[int, object]:
        campaign = self.campaigns.get(int(request.match_info["id"]))
        if campaign is None:
            raise Problem(404, "no_campaign", "there is no such campaign")
        start = int(request.query.get("after", "0"))
        found = list(campaign.results.items())[start : start + self.page]
        end = start + len(found)
        return 200, {
            "results": [{"email": address, "status": status} for address, status in found],
            "next": end if end < len(campaign.results) else None,
        }

    async def _account(self, request: web.Request) -> tuple[int, object]:
        return 200, {"balance": self.balance, "price": self.price}

    def _list(self, id: int | str) -> MailingList:
        found = self.lists.get(int(id))
        if found is None:
            raise Problem(404, "no_list", "there is no such list")
        return found

    def _shown(self, shown: MailingList) -> object:
        state = "ready" if self._now() >= shown.ready else "importing"
        return {"id": shown.id, "name": shown.name, "state": state, "total": len(shown.contacts)}


async def _json(request: web.Request) -> Any:
    return json.loads(await request.text())


def _cut(request: web.Request) -> web.Response:
    """End the connection; the response goes nowhere."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
