"""sms.by: its ten e-mail operations under /api/v2, written from the provider's pages.

How the pages are read where they leave a choice:
- parameters stand in the form, those of templates.list in the query, those of the two mailing
  list operations in either; the token is looked for there and nowhere else;
- a refusal takes one of the host's shapes: {"error": …} with HTTP 200 (token, empty or unknown
  things) or 400 (a parameter is absent), {"status": "error", "message": …} with HTTP 421 (a
  value of the wrong form), 404 (no such list or path) or 200 (no such message);
- a bulk send whose addresses are all refused still has a uuid; the reasons are in its status;
- each entry of a delivery_list is mailed, the second entry of an address too;
- addresses with a meaning are described in `mailkit.sandbox.delivery`.
"""

from collections import deque
from collections.abc import Callable
from math import ceil
from random import Random

from mailkit.sandbox.clock import Clock
from mailkit.sandbox.forms import File, parse_form, parse_urlencoded
from mailkit.sandbox.php import PhpArray
from mailkit.sandbox.service import Call, Raw, Reply, Still
from mailkit.sandbox.smsby import bulk, emails, mailing_lists, subscriptions, templates
from mailkit.sandbox.smsby.fields import Refusal
from mailkit.sandbox.smsby.state import Account, Context, SmsBySettings
from mailkit.sandbox.truth import Truth

Operation = Callable[[Context, PhpArray, tuple[File, ...]], object]

_PATHS = {
    "/api/v2/sendEmail": "smsby.emails.send",
    "/api/v2/sendEmailByList": "smsby.emails.send_to_list",
    "/api/v2/getEmailDeliveryList": "smsby.emails.delivery_list",
    "/api/v2/sendBulkEmail": "smsby.bulk.send",
    "/api/v2/statusBulkEmail": "smsby.bulk.status",
    "/api/v2/unsubscribeEmail": "smsby.subscriptions.unsubscribe",
    "/api/v2/subscribeEmail": "smsby.subscriptions.subscribe",
    "/api/v2/getEmailTemplates": "smsby.templates.list",
    "/api/v2/createSubscriberList": "smsby.mailing_lists.create",
    "/api/v2/importContacts": "smsby.mailing_lists.import_contacts",
}
_OPERATIONS: dict[str, Operation] = {
    "smsby.emails.send": emails.send,
    "smsby.emails.send_to_list": emails.send_to_list,
    "smsby.emails.delivery_list": emails.delivery_list,
    "smsby.bulk.send": bulk.send,
    "smsby.bulk.status": bulk.status,
    "smsby.subscriptions.unsubscribe": subscriptions.unsubscribe,
    "smsby.subscriptions.subscribe": subscriptions.subscribe,
    "smsby.templates.list": templates.all_templates,
    "smsby.mailing_lists.create": mailing_lists.create,
    "smsby.mailing_lists.import_contacts": mailing_lists.import_contacts,
}
_IN_QUERY = frozenset({"smsby.templates.list"})
_IN_EITHER = frozenset({"smsby.mailing_lists.create", "smsby.mailing_lists.import_contacts"})


class SmsBy(Still):
    """The service sms.by with one account."""

    operations = frozenset(_OPERATIONS)

    def __init__(
        self,
        *,
        token: str,
        clock: Clock,
        truth: Truth,
        chance: Random,
        settings: SmsBySettings | None = None,
    ) -> None:
        self.token = token
        self.settings = SmsBySettings() if settings is None else settings
        self.account = Account()
        self._clock = clock
        self._truth = truth
        self._chance = chance
        self._arrivals: deque[float] = deque()

    @property
    def body_limit(self) -> int:
        """The bytes of a body that PHP would still read."""
        return self.settings.post_max_size

    def find(self, method: str, path: str) -> str | None:
        """The operation behind a path; all of them are POST."""
        return _PATHS.get(path) if method == "POST" else None

    def parse(self, raw: Raw) -> Call:
        """Query and form as PHP sees them; no fields at all if the body was too large."""
        limit = self.settings.max_input_vars
        query = parse_urlencoded(raw.query, max_fields=limit)
        if not raw.body:
            return Call(raw.operation, query)
        form = parse_form(raw.body, raw.content_type, max_fields=limit)
        return Call(raw.operation, query, form.fields, form.files)

    def act(self, call: Call) -> Reply:
        """Carry out the call; a refusal changes nothing."""
        context = Context(self.account, self.settings, self._truth, self._chance, self._clock.now())
        wait = self._wait(context.now)
        if wait is not None:
            return Reply(429, {"error": "Too many requests"}, (("Retry-After", str(wait)),))
        fields = _fields(call)
        if fields.get("token") != self.token:
            return self.token_refused()
        if self.account.complaints:
            subscriptions.hear_complaints(context)
        try:
            return Reply(200, _OPERATIONS[call.operation](context, fields, call.files))
        except Refusal as refusal:
            return refusal.reply

    def malformed(self, reason: str) -> Reply:
        """HTTP 400 for a body that cannot be read."""
        return Reply(400, {"status": "error", "message": f"Bad request: {reason}"})

    def token_refused(self) -> Reply:
        """The refusal of a missing or wrong token."""
        return Reply(self.settings.token_error_status, {"error": "Wrong or missing token"})

    def refused(self, text: str) -> Reply:
        """An error at HTTP 200."""
        return Reply(200, {"error": text})

    def environment(self, url: str) -> dict[str, str]:
        """Address and token for a client."""
        return {"MAILKIT_SMSBY_URL": url, "MAILKIT_SMSBY_TOKEN": self.token}

    def reset(self) -> None:
        """A fresh account; the settings stay as they are."""
        self.account = Account()
        self._arrivals.clear()

    def _wait(self, now: float) -> int | None:
        """Whole seconds until a further request is allowed, None if it is allowed now."""
        rate = self.settings.requests_per_second
        if rate is None:
            return None
        arrivals = self._arrivals
        while arrivals and arrivals[0] <= now - max(1.0, 1.0 / rate):
            arrivals.popleft()
        if len(arrivals) >= max(1, int(rate)):
            return max(1, ceil(arrivals[0] + max(1.0, 1.0 / rate) - now))
        arrivals.append(now)
        return None


def _fields(call: Call) -> PhpArray:
    """The parameters from where the operation reads them."""
    if call.operation in _IN_QUERY:
        return call.query
    if call.operation not in _IN_EITHER:
        return call.form
    both = PhpArray()
    for source in (call.query, call.form):
        for key, value in source.items():
            both.put(key, value)
    return both
