"""SendPulse: its e-mail operations, written from the provider's pages.

How the pages are read where they leave a choice:
- every request counts for the request quotas when it is carried out, every POST /campaigns with
  good credentials for that of the hour, even if it is then refused; what a quota refuses does not;
- a JSON list may also come as a text of JSON, and fields as a form; webhooks only as a form;
- adding passes over addresses that cannot be, and those that begin with `invalid` or `missing`;
- `unsubscribed…` is unsubscribed on every list it comes onto; whoever complains has left all;
- a campaign to a locked list is refused; a segment is all of its list;
- webhooks are told what happens while they are registered; the steps of messages only to those
  that any webhook was there for when the campaign began.
"""

from collections.abc import Sequence
from math import ceil
from random import Random

from mailkit.sandbox.clock import Clock
from mailkit.sandbox.forms import Malformed, parse_form, parse_urlencoded
from mailkit.sandbox.jsons import read_json
from mailkit.sandbox.php import PhpArray, plain
from mailkit.sandbox.sendpulse import lifecycle, senders, templates, token
from mailkit.sandbox.sendpulse.fields import Params, Refusal
from mailkit.sandbox.sendpulse.routes import ADD, CONFIRM, TOKEN, match
from mailkit.sandbox.sendpulse.settings import SendPulseSettings
from mailkit.sandbox.sendpulse.state import Account, Context
from mailkit.sandbox.sendpulse.table import OPERATIONS
from mailkit.sandbox.service import Call, Post, Raw, Reply
from mailkit.sandbox.truth import Truth

BODY_LIMIT = 32 * 1024 * 1024
MAX_FIELDS = 1000
TOO_FAST = 2020202020


class SendPulse:
    """The service SendPulse with one account."""

    operations = frozenset({TOKEN, *OPERATIONS})
    undecided = frozenset({ADD})
    body_limit = BODY_LIMIT

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        api_key: str,
        clock: Clock,
        truth: Truth,
        chance: Random,
        settings: SendPulseSettings | None = None,
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.api_key = api_key
        self.settings = SendPulseSettings() if settings is None else settings
        self._clock = clock
        self._truth = truth
        self._chance = chance
        self.account = self._new_account()

    def find(self, method: str, path: str) -> str | None:
        """The operation behind method and path."""
        found = match(method, path)
        return None if found is None else found[0]

    def parse(self, raw: Raw) -> Call:
        """Query and body; a contact to be confirmed makes adding another operation."""
        query = parse_urlencoded(raw.query, max_fields=MAX_FIELDS)
        found = match(raw.method, raw.path)
        args = {} if found is None else found[1]
        form, value = PhpArray(), None
        if raw.body:
            if raw.content_type.partition(";")[0].strip().lower() == "application/json":
                value = _json(raw.body)
            else:
                form = parse_form(raw.body, raw.content_type, max_fields=MAX_FIELDS).fields
        operation = raw.operation
        given = value if isinstance(value, dict) else form
        if operation == ADD and given.get("confirmation") == "force":
            operation = CONFIRM
        return Call(operation, query, form, (), value, args, raw.authorization)

    def act(self, call: Call) -> Reply:
        """Carry out the call; a refusal changes nothing but the quotas."""
        now = self._clock.now()
        self.tick(now)
        context = self._context(now)
        refused = self._too_fast(context)
        if refused is not None:
            return refused
        is_form = not isinstance(call.json, dict)
        form = {str(name): plain(value) for name, value in call.form.items()}
        fields = form if is_form else call.json
        params = Params(call.args, call.query, fields if isinstance(fields, dict) else {}, is_form)
        try:
            if call.operation == TOKEN:
                return Reply(200, token.issue(context, params, self.client_id, self.client_secret))
            if not token.admitted(context, call.authorization, self.api_key):
                return self.token_refused()
            if call.operation in self.settings.forbidden:
                return Reply(403, {"message": "Unauthorized action.", "error_code": 800})
            return Reply(200, OPERATIONS[call.operation](context, params))
        except Refusal as refusal:
            return refusal.reply

    def malformed(self, reason: str) -> Reply:
        """HTTP 422 for a body that cannot be read."""
        return Reply(422, {"message": f"The body can not be read: {reason}", "error_code": 422})

    def token_refused(self) -> Reply:
        """HTTP 401 for a missing, wrong or expired token."""
        return Reply(401, {"message": "Unauthenticated.", "error_code": 401})

    def refused(self, text: str) -> Reply:
        """An error of HTTP 422."""
        return Reply(422, {"message": text, "error_code": 422})

    def environment(self, url: str) -> dict[str, str]:
        """Address and OAuth credentials for a client."""
        return {
            "MAILKIT_SENDPULSE_URL": url,
            "MAILKIT_SENDPULSE_CLIENT_ID": self.client_id,
            "MAILKIT_SENDPULSE_CLIENT_SECRET": self.client_secret,
        }

    def reset(self) -> None:
        """A fresh account: no tokens, webhooks or campaigns; the settings stay."""
        self.account = self._new_account()

    def tick(self, now: float) -> None:
        """Let campaigns and messages go on."""
        lifecycle.tick(self._context(now))

    def due(self) -> float | None:
        """When something happens, or a webhook's batch is ready."""
        moments = (self.account.timeline.next(), self.account.webhook_queue.due(self.settings))
        return min((at for at in moments if at is not None), default=None)

    def posts(self, now: float, *, early: bool) -> Sequence[Post]:
        """The webhooks' batches."""
        return self.account.webhook_queue.posts(now, self.settings, early=early)

    def _context(self, now: float) -> Context:
        return Context(self.account, self.settings, self._truth, self._chance, now)

    def _new_account(self) -> Account:
        account = Account()
        senders.seed(account, self.settings.senders)
        templates.seed(account, self._clock.now())
        return account

    def _too_fast(self, context: Context) -> Reply | None:
        account, settings = context.account, self.settings
        if account.each_second.wait(context.now, settings.requests_per_second, 1.0) is not None:
            value = {"message": "Too many requests in a second", "error_code": TOO_FAST}
            return Reply(429, value)
        wait = account.each_minute.wait(context.now, settings.requests_per_minute, 60.0)
        if wait is not None:
            return Reply(429, {"message": f"Wait {ceil(wait)} s", "error_code": 429})
        return None


def _json(body: bytes) -> object:
    try:
        return read_json(body)
    except ValueError as error:
        raise Malformed(str(error)) from None
