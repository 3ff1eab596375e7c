"""Devino: its two email operations, written from the provider's page, and its callbacks.

How the page is read where it leaves a choice:
- names in a request are as the page spells them; unknown names are ignored;
- an invalid request is refused whole, with HTTP `refusal_status`; an invalid address is refused
  alone, by an item without a messageId;
- an address beginning with `missing` is left out of the result;
- each entry of Recipients is mailed, the second entry of an address, too;
- with CheckUnsubscription an unsubscribed address is accepted, not mailed, and REJECTED by a
  callback; without, it is mailed, and its recipient unsubscribes again;
- ExtraData is an object, and comes back in each callback next to the other keys;
- whoever subscribes again, gets messages again;
- no rule is published for a callback that nobody took: it is lost, unless `posting` says otherwise.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import nsmallest
from math import ceil
from typing import ClassVar
from urllib.parse import unquote

from mailkit.sandbox.delivery import Step
from mailkit.sandbox.devino import files, messages
from mailkit.sandbox.devino.callbacks import AcceptedEmail, mixed_case
from mailkit.sandbox.devino.fields import Validation, ValidationFailed, failed, unauthorized
from mailkit.sandbox.devino.settings import DevinoSettings
from mailkit.sandbox.devino.state import Account, Context
from mailkit.sandbox.endpoints import Endpoints, Match
from mailkit.sandbox.forms import Malformed
from mailkit.sandbox.happening import CannotHappen, Course
from mailkit.sandbox.service import (
    SHOWN,
    Backlog,
    RawRequest,
    Request,
    Response,
    Service,
    Shared,
    Table,
    WebhookPost,
    newest,
)
from mailkit.sandbox.truth import Email, Outcome

Handler = Callable[[Context, Request], object]


class Devino(Service[DevinoSettings]):
    """The service Devino with one account."""

    settings_type = DevinoSettings
    posts_events = True
    endpoints: ClassVar[Endpoints[Handler]] = Endpoints(files, messages)

    def __init__(self, shared: Shared, settings: DevinoSettings) -> None:
        super().__init__(shared, settings)
        self.reset()

    def find(self, method: str, path: str) -> Match | None:
        """The operation behind a path, in which any character may be percent-encoded."""
        return self.endpoints.find(method, unquote(path))

    def parse(self, raw: RawRequest) -> Request:
        """The JSON of a message, or the form of an upload."""
        kind = raw.content_type.partition(";")[0].strip().lower()
        if raw.body and kind != "application/json" and raw.operation != files.upload.operation:
            raise Malformed("the Content-Type must be application/json")
        return super().parse(raw)

    def act(self, request: Request) -> Response:
        """Carry out the request; a refusal changes nothing."""
        shared, settings, account = self.shared, self.settings, self.account
        now = shared.clock.now()
        self.tick(now)
        wait = account.each_second.wait(now, settings.requests_per_second, 1.0)
        if wait is not None:
            value = self.refused("Too many requests").value
            headers = (("Retry-After", str(max(1, ceil(wait)))),)
            return Response(429, value, headers, over_quota=True)
        if request.authorization != f"Key {settings.api_key}":
            return self.token_refused()
        context = Context(account, settings, shared.truth, shared.rng, now)
        try:
            value = self.endpoints[request.operation].handler(context, request)
        except ValidationFailed as error:
            return Response(settings.refusal_status, failed(error.validations))
        if settings.mixed_case and isinstance(value, Mapping):
            value = mixed_case(value, shared.rng)
        return Response(200, value)

    def malformed(self, reason: str) -> Response:
        """HTTP 400 for a body that cannot be read."""
        return Response(400, failed([Validation("validation.request.malformed", "body", reason)]))

    def token_refused(self) -> Response:
        """HTTP 401."""
        return Response(401, unauthorized())

    def refused(self, text: str) -> Response:
        """A failed validation."""
        validation = Validation("validation.failed", "request", text)
        return Response(self.settings.refusal_status, failed([validation]))

    def environment(self, url: str) -> dict[str, str]:
        """Address and key for a client."""
        return {"MAILKIT_DEVINO_URL": url, "MAILKIT_DEVINO_API_KEY": self.settings.api_key}

    def reset(self) -> None:
        """A fresh account without callbacks to come; the settings stay."""
        self.account = Account()

    def tick(self, now: float) -> None:
        """Deliver emails as time goes by."""
        self.account.tick(now, self.settings, self.shared.rng)

    def due(self) -> float | None:
        """When the next email reaches its next status."""
        return self.account.callbacks.due(self.settings)

    def posts(self, now: float, *, early: bool) -> Sequence[WebhookPost]:
        """The callbacks that are due."""
        callbacks = self.account.callbacks
        return callbacks.posts(now, self.settings, self.shared.rng, early=early)

    def backlog(self) -> Backlog:
        """The statuses that nobody has taken yet."""
        outbox = self.account.callbacks.outbox
        return Backlog(outbox.waiting, outbox.lost)

    def outcomes(self, now: float) -> Iterator[Outcome]:
        """What has become of each email, and who was refused alone."""
        changed = self.account.callbacks.changed
        for email in self.account.emails:
            yield email.outcome(now, changed.get(email.message_id) if changed else None)
        yield from (
            Outcome("devino", address, "", "refused", "") for address in self.account.refused
        )

    def course(self, email: Email, now: float) -> Course:
        """The steps of an email."""
        return self.account.callbacks.course(_accepted(email))

    def happen(self, email: Email, step: Step) -> None:
        """Let an email take this step now, and post its statuses."""
        now, settings, account = self.shared.clock.now(), self.settings, self.account
        self.tick(now)
        rng = self.shared.rng
        account.change(account.callbacks.happen(_accepted(email), step, now, settings, rng))

    def tables(self, now: float) -> Iterator[Table]:
        """Quotas, callbacks, who has unsubscribed, and files."""
        account, settings = self.account, self.settings
        rate, used = settings.requests_per_second, account.each_second.used(now, 1.0)
        quotas = [("requests in a second", used, rate), ("emails paid for", None, settings.balance)]
        yield Table.of("Quotas", ("quota", "used", "limit"), quotas)
        outbox = account.callbacks.outbox
        if settings.callback_url is not None:
            row = (settings.callback_url, outbox.waiting, outbox.lost)
            yield Table.of("Callbacks", ("address", "waiting", "lost"), [row])
        left = [(one,) for one in nsmallest(SHOWN, account.unsubscribed)]
        yield Table("Unsubscribed", ("address",), left, len(account.unsubscribed))
        files = [(one.name, one.size) for one in newest(account.files)]
        yield Table("Files", ("name", "bytes"), files, len(account.files))


def _accepted(email: Email) -> AcceptedEmail:
    """What the service knows the email by."""
    accepted = email.mailing.origin
    if not isinstance(accepted, list):
        raise CannotHappen("the service does not follow this message")
    found: AcceptedEmail = accepted[email.index]
    return found
