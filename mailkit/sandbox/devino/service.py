"""Devino: its two e-mail operations, written from the provider's page, and its callbacks.

How the page is read where it leaves a choice:
- names in a request are taken as the page spells them; unknown names are passed over;
- a request that is not in order is refused whole, with HTTP `refusal_status`; an address that is
  not in order is refused alone, by an item without a messageId;
- an address beginning with `missing` is left out of the result;
- each entry of Recipients is mailed, the second entry of an address too;
- with CheckUnsubscription an unsubscribed address is accepted, not mailed, and REJECTED by a
  callback; without, it is mailed, and its reader leaves again;
- ExtraData is an object, and comes back in each callback beside the other keys.
"""

from collections.abc import Sequence
from math import ceil
from random import Random
from urllib.parse import unquote

from mailkit.sandbox.clock import Clock
from mailkit.sandbox.devino import files, messages
from mailkit.sandbox.devino.callbacks import Callbacks
from mailkit.sandbox.devino.fields import Refusal, Validation, unauthorized
from mailkit.sandbox.devino.shape import spelt
from mailkit.sandbox.devino.state import Account, Context, DevinoSettings
from mailkit.sandbox.forms import Malformed, parse_form, parse_urlencoded
from mailkit.sandbox.jsons import read_json
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.service import Call, Post, Raw, Reply
from mailkit.sandbox.timeline import Window
from mailkit.sandbox.truth import Truth

SEND = "devino.messages.send"
UPLOAD = "devino.files.upload"
BODY_LIMIT = 32 * 1024 * 1024
_PATHS = {("POST", "/email/messages"): SEND, ("POST", "/files/files"): UPLOAD}


class Devino:
    """The service Devino with one account."""

    operations = frozenset({SEND, UPLOAD})
    undecided: frozenset[str] = frozenset()
    body_limit = BODY_LIMIT

    def __init__(
        self,
        *,
        api_key: str,
        clock: Clock,
        truth: Truth,
        chance: Random,
        settings: DevinoSettings | None = None,
    ) -> None:
        self.api_key = api_key
        self.settings = DevinoSettings() if settings is None else settings
        self.account = Account()
        self._clock = clock
        self._truth = truth
        self._chance = chance
        self._window = Window()
        self._callbacks = Callbacks()

    def find(self, method: str, path: str) -> str | None:
        """The operation behind a path; both are POST."""
        return _PATHS.get((method, unquote(path)))

    def parse(self, raw: Raw) -> Call:
        """The JSON of a message, or the form of an upload."""
        query = parse_urlencoded(raw.query, max_fields=100)
        call = Call(raw.operation, query, authorization=raw.authorization)
        if not raw.body:
            return call
        if raw.operation == UPLOAD:
            form = parse_form(raw.body, raw.content_type, max_fields=100)
            return Call(
                raw.operation, query, form.fields, form.files, authorization=raw.authorization
            )
        if raw.content_type.partition(";")[0].strip().lower() != "application/json":
            raise Malformed("application/json is needed")
        try:
            value = read_json(raw.body)
        except ValueError as error:
            raise Malformed(str(error)) from None
        return Call(raw.operation, query, PhpArray(), (), value, authorization=raw.authorization)

    def act(self, call: Call) -> Reply:
        """Carry out the call; a refusal changes nothing."""
        now = self._clock.now()
        self.tick(now)
        settings = self.settings
        wait = self._window.wait(now, settings.requests_per_second, 1.0)
        if wait is not None:
            value = self.refused("Too many requests").value
            return Reply(429, value, (("Retry-After", str(max(1, ceil(wait)))),))
        if call.authorization != f"Key {self.api_key}":
            return self.token_refused()
        context = Context(self.account, settings, self._truth, self._chance, now, self._callbacks)
        try:
            value = (
                messages.send(context, call.json)
                if call.operation == SEND
                else files.upload(context, call.query, call.files)
            )
        except Refusal as refusal:
            return Reply(refusal.status or settings.refusal_status, refusal.value)
        return Reply(200, spelt(value, self._chance) if settings.mixed_case else value)

    def malformed(self, reason: str) -> Reply:
        """HTTP 400 for a body that cannot be read."""
        return Reply(400, Validation("validation.request.malformed", "body", reason).value)

    def token_refused(self) -> Reply:
        """HTTP 401."""
        return Reply(401, unauthorized())

    def refused(self, text: str) -> Reply:
        """A failed validation."""
        status = self.settings.refusal_status
        return Reply(status, Validation("validation.failed", "request", text).value)

    def environment(self, url: str) -> dict[str, str]:
        """Address and key for a client."""
        return {"MAILKIT_DEVINO_URL": url, "MAILKIT_DEVINO_API_KEY": self.api_key}

    def reset(self) -> None:
        """A fresh account without callbacks to come; the settings stay."""
        self.account = Account()
        self._window = Window()
        self._callbacks = Callbacks()

    def tick(self, now: float) -> None:
        """Deliver messages as time goes by."""
        self._callbacks.tick(self.account, now)

    def due(self) -> float | None:
        """When the next message reaches its next state."""
        return self._callbacks.due()

    def posts(self, now: float, *, early: bool) -> Sequence[Post]:
        """The callbacks that are due."""
        return self._callbacks.posts(self.settings)
