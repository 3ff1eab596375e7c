"""The page: which of its addresses does what, and who may use it."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import parse_qsl

import attrs
from aiohttp import web

from mailkit.sandbox.endpoints import Endpoints
from mailkit.sandbox.inbox import NoSuchMessage
from mailkit.sandbox.page import actions, reading
from mailkit.sandbox.page.responses import html
from mailkit.sandbox.page.updates import Updates
from mailkit.sandbox.page.visit import NotHere, Site, Visit
from mailkit.sandbox.values import BadValue
from mailkit.sandbox.wire import Bytes, Pause, method, read_body

UPDATES = "/sandbox/page/updates"
LARGEST_FORM = 64 * 1024
NO_JINJA = (
    "<!DOCTYPE html><title>mailkit sandbox</title>"
    "<p>The page needs the package jinja2: pip install 'mailkit-bulk[cli]'</p>\n"
)


@attrs.frozen
class Page:
    """The pages of the sandbox for a browser."""

    site: Site
    pause: Pause

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """The page, or what a form of it does."""
        body = await read_body(request, LARGEST_FORM)
        asked = method(request)
        if asked == "GET" and request.path == UPDATES:
            return Updates(self.site.version, self.pause)
        operation, args = _ENDPOINTS.find(asked, request.rel_url.raw_path) or ("", {})
        form = dict(parse_qsl((body or b"").decode("utf-8", "replace"), keep_blank_values=True))
        visit = Visit(self.site, request.headers["Host"], {**request.query, **args}, form)
        try:
            return await self._respond(visit, asked, operation)
        except ImportError as error:
            if error.name not in ("jinja2", "markupsafe"):
                raise
            return html(NO_JINJA, status=503)

    async def _respond(self, visit: Visit, asked: str, operation: str) -> Bytes:
        if not operation:
            return visit.page("problem.html", {"problem": "There is no such page."}, status=404)
        if asked != "GET" and not self.site.control.token.matches(visit.form.get("token", "")):
            problem = "This form is from an earlier sandbox: go back and reload the page."
            return visit.page("problem.html", {"problem": problem}, status=403)
        try:
            return await _ENDPOINTS[operation].handler(visit)
        except BadValue as error:
            return visit.page("problem.html", {"problem": str(error)}, status=400)
        except (NoSuchMessage, NotHere):
            problem = "There is no such message. After a reset, numbers start from 1 again."
            return visit.page("problem.html", {"problem": problem}, status=404)


_Handler = Callable[[Visit], Coroutine[Any, Any, Bytes]]
_ENDPOINTS: Endpoints[_Handler] = Endpoints(reading, actions)
