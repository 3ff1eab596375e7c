"""One request of a browser, with what the page shows of the sandbox."""

from collections import deque
from collections.abc import Mapping
from threading import RLock
from typing import Any

import attrs

from mailkit.sandbox.control import Control
from mailkit.sandbox.page.responses import html
from mailkit.sandbox.scheduler import WebhookDelivery
from mailkit.sandbox.service import Service
from mailkit.sandbox.wire import Bytes


class NotHere(LookupError):
    """The page has nothing at this address."""


@attrs.frozen(kw_only=True)
class Site:
    """The sandbox, as the page sees it."""

    control: Control
    services: Mapping[str, Service[Any]]
    deliveries: deque[WebhookDelivery]
    lock: RLock

    def version(self) -> object:
        """Another value each time that a page has something new to show."""
        control, last = self.control, self.deliveries[-1] if self.deliveries else None
        return (
            control.truth.emails,
            control.requests.total(),
            control.inbox.happened,
            len(control.faults.active()),
            control.faults.struck.total(),
            len(self.deliveries),
            id(last),
            control.clock.moves,
        )


@attrs.frozen
class Visit:
    """A request: the address that the browser knows, and the parameters of path, query and form."""

    site: Site
    host: str
    params: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def control(self) -> Control:
        """What the sandbox lets be seen and done."""
        return self.site.control

    @property
    def id(self) -> int:
        """The number in the path; NotHere if it is none."""
        text = self.params["id"]
        if not (text.isascii() and text.isdigit() and len(text) < 18):
            raise NotHere
        return int(text)

    def page(self, template: str, values: Mapping[str, object], *, status: int = 200) -> Bytes:
        """A page from its template."""
        from mailkit.sandbox.page.rendering import render  # jinja2 comes with the extra cli

        control = self.control
        common = {
            "emails": control.truth.emails,
            "faults_active": len(control.faults.active()),
            "backlog": control.backlog(),
            "now": control.clock.now(),
            "speed": control.clock.speed,
            "token": control.token.value,
        }
        return html(render(template, {**common, **values}), status=status)
