"""Devino: its two e-mail operations, written from the provider's page, and its callbacks.

How the page is read where it leaves a choice:
- names in a request are as the page spells them; unknown names are ignored;
- an invalid request is refused whole, with HTTP `refusal_status`; an invalid address is refused
  alone, by an item without a messageId;
- an address beginning with `missing` is left out of the result;
- each entry of Recipients is mailed, the second entry of an address, too;
- with CheckUnsubscription an unsubscribed address is accepted, not mailed, and REJECTED by a
  callback; without, it is mailed, and its recipient unsubscribes again;
- ExtraData is an object, and comes back in each callback next to the other keys.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from random import Random
from typing import ClassVar
from urllib.parse import unquote

from mailkit.sandbox.devino import files, messages
from mailkit.sandbox.devino.fields import Validation, ValidationFailed, failed, unauthorized
from mailkit.sandbox.devino.settings import DevinoSettings
from mailkit.sandbox.devino.state import Account, Context
from mailkit.sandbox.endpoints import Endpoints, Match
from mailkit.sandbox.forms import Malformed
from mailkit.sandbox.service import RawRequest, Request, Response, Service, Shared, WebhookPost

Handler = Callable[[Context, Request], object]


class Devino(Service[DevinoSettings]):
    """The service Devino with one account."""

    settings_type = DevinoSettings
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
        return Response(200, _mixed_case(value, shared.rng) if settings.mixed_case else value)

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
        self.account.tick(now)

    def due(self) -> float | None:
        """When the next email reaches its next status."""
        return self.account.callbacks.due()

    def posts(self, now: float, *, early: bool) -> Sequence[WebhookPost]:
        """The callbacks that are due."""
        return self.account.callbacks.posts(self.settings)


def _mixed_case(value: object, rng: Random) -> object:
    """The same with each key beginning with an upper-case or lower-case letter at random."""
    if isinstance(value, Mapping):
        return {_key(str(key), rng): _mixed_case(part, rng) for key, part in value.items()}
    if isinstance(value, list):
        return [_mixed_case(part, rng) for part in value]
    return value


def _key(key: str, rng: Random) -> str:
    first = key[:1].upper() if rng.random() < 0.5 else key[:1].lower()
    return first + key[1:]
