"""sms.by: its ten email operations under /api/v2, written from the provider's pages.

How the pages are read where they leave a choice:
- parameters are in the form, those of templates.list in the query, those of the two mailing list
  operations in either; the token is read there and nowhere else;
- a refusal takes one of the host's shapes: {"error": …} with HTTP 200 (token, empty or unknown
  things) or 400 (a parameter is absent), {"status": "error", "message": …} with HTTP 421 (a
  value of the wrong form), 404 (no such list or path) or 200 (no such message);
- a bulk send whose addresses are all refused still has a uuid; the reasons are in its status;
- each entry of a delivery_list is mailed, the second entry of an address too;
- addresses with a meaning are described in `mailkit.sandbox.delivery`.
"""

from collections.abc import Callable, Iterator
from math import ceil
from typing import ClassVar

from mailkit.sandbox.delivery import Step
from mailkit.sandbox.endpoints import Endpoints
from mailkit.sandbox.forms import File, parse_form, parse_urlencoded
from mailkit.sandbox.happening import Course
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.service import RawRequest, Refusal, Request, Response, Service, Shared, Table
from mailkit.sandbox.smsby import bulk, emails, mailing_lists, subscriptions, templates, watching
from mailkit.sandbox.smsby.state import Account, Context, SmsBySettings
from mailkit.sandbox.timeline import Window
from mailkit.sandbox.truth import Email, Outcome

Handler = Callable[[Context, PhpArray], object]


class SmsBy(Service[SmsBySettings]):
    """The service sms.by with one account."""

    settings_type = SmsBySettings
    endpoints: ClassVar[Endpoints[Handler]] = Endpoints(
        bulk, emails, mailing_lists, subscriptions, templates
    )

    def __init__(self, shared: Shared, settings: SmsBySettings) -> None:
        super().__init__(shared, settings)
        self.reset()

    @property
    def body_limit(self) -> int:
        """The bytes of a body that PHP would still read."""
        return self.settings.post_max_size

    def parse(self, raw: RawRequest) -> Request:
        """Query and form as PHP reads them; no fields at all if the body was too large."""
        limit = self.settings.max_input_vars
        query = parse_urlencoded(raw.query, max_fields=limit)
        if not raw.body:
            return Request(raw.operation, query)
        form = parse_form(raw.body, raw.content_type, max_fields=limit)
        return Request(raw.operation, query, form.fields, form.files)

    def act(self, request: Request) -> Response:
        """Carry out the request; a refusal changes nothing."""
        settings, now = self.settings, self.shared.clock.now()
        context = self._context(now, request.files)
        if settings.requests_per_second is not None:
            rate = settings.requests_per_second
            wait = self._window.wait(now, max(1, int(rate)), max(1.0, 1.0 / rate))
            if wait is not None:
                headers = (("Retry-After", str(max(1, ceil(wait)))),)
                return Response(429, {"error": "Too many requests"}, headers, over_quota=True)
        endpoint = self.endpoints[request.operation]
        fields = request.form
        if endpoint.parameters != "body":
            fields = request.query if endpoint.parameters == "query" else _both(request)
        if fields.get("token") != settings.token:
            return self.token_refused()
        if self.account.leaving:
            subscriptions.let_leave(context)
        try:
            return Response(200, endpoint.handler(context, fields))
        except Refusal as refusal:
            return refusal.response

    def malformed(self, reason: str) -> Response:
        """HTTP 400 for a body that cannot be read."""
        return Response(400, {"status": "error", "message": f"Bad request: {reason}"})

    def token_refused(self) -> Response:
        """The refusal of a missing or wrong token."""
        return Response(self.settings.token_error_status, {"error": "Wrong or missing token"})

    def refused(self, text: str) -> Response:
        """An error at HTTP 200."""
        return Response(200, {"error": text})

    def environment(self, url: str) -> dict[str, str]:
        """Address and token for a client."""
        return {"MAILKIT_SMSBY_URL": url, "MAILKIT_SMSBY_TOKEN": self.settings.token}

    def outcomes(self, now: float) -> Iterator[Outcome]:
        """What the status of each email of a bulk send or a list says, or would, were it asked."""
        for message in self.account.messages.values():
            for position, address in enumerate(message.addresses):
                reference = str(message.first_email_id + position)
                if position in message.refused:
                    yield Outcome("smsby", address, "", "refused", "")
                else:
                    step, word = message.step(position, now, self.settings)
                    yield Outcome("smsby", address, reference, step, word)

    def course(self, email: Email, now: float) -> Course:
        """The steps of an email."""
        return watching.course(self._context(now), email)

    def happen(self, email: Email, step: Step) -> None:
        """Let an email take this step now."""
        watching.happen(self._context(self.shared.clock.now()), email, step)

    def tables(self, now: float) -> Iterator[Table]:
        """Quotas, lists and bulk sends."""
        return watching.tables(self._context(now), self._window)

    def reset(self) -> None:
        """A fresh account; the settings stay as they are."""
        self.account = Account()
        self._window = Window()

    def _context(self, now: float, files: tuple[File, ...] = ()) -> Context:
        shared = self.shared
        return Context(self.account, self.settings, shared.truth, shared.rng, now, files)


def _both(request: Request) -> PhpArray:
    both = PhpArray()
    for source in (request.query, request.form):
        for key, value in source.items():
            both.put(key, value)
    return both
