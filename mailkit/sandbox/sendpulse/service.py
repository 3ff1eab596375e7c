"""SendPulse: its email operations, written from the provider's pages.

How the pages are read where they leave a choice:
- every request counts toward the request quotas when it is carried out, every POST /campaigns with
  valid credentials toward the hourly one, even if it is then refused; what a quota refuses does
  not count;
- a body may be JSON or a form, and a list in it a text of JSON or of PHP's `serialize`, as the
  service's own clients send them;
- one bad address refuses all that come with it, and one that begins with `invalid`, too; one that
  begins with `missing` is forgotten;
- `unsubscribed…` is unsubscribed on every list it is added to; whoever complains, on all lists;
- whoever has unsubscribed or bounced stays excluded on the next list, too, by `opt_outs`;
- a list is empty (211) without any contact; without an active one a campaign ends in status 12;
- a campaign to a locked list is refused, and a list is not deleted before its campaigns are over;
- a segment is all of its list;
- whoever leaves everything, is unsubscribed on all lists (from_all 1); a contact that returns is
  active again, and is a new subscription by a form to webhooks;
- an email that expires has only soft bounces, the last one when it is given up;
- a post without a 2xx is made again, at intervals that are not published;
- webhooks are called for what happens while they are registered; for the steps of an email only if
  any webhook was registered when the campaign started.
"""

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import ClassVar

from mailkit.sandbox.delivery import Step
from mailkit.sandbox.endpoints import Endpoints, Match
from mailkit.sandbox.happening import Course
from mailkit.sandbox.php import plain
from mailkit.sandbox.sendpulse import (
    balance,
    blacklist,
    campaign_reports,
    campaign_statistics,
    campaigns,
    contacts,
    lifecycle,
    list_contacts,
    mailing_lists,
    senders,
    tags,
    templates,
    token,
    user,
    watching,
    webhooks,
)
from mailkit.sandbox.sendpulse.fields import Params
from mailkit.sandbox.sendpulse.settings import SendPulseSettings
from mailkit.sandbox.sendpulse.state import Account, Context
from mailkit.sandbox.service import (
    Backlog,
    Refusal,
    Request,
    Response,
    Service,
    Shared,
    Table,
    WebhookPost,
)
from mailkit.sandbox.truth import Email, Outcome

Handler = Callable[[Context, Params], object]

TOO_FAST = 2020202020


class SendPulse(Service[SendPulseSettings]):
    """The service SendPulse with one account."""

    settings_type = SendPulseSettings
    posts_events = True
    endpoints: ClassVar[Endpoints[Handler]] = Endpoints(
        balance,
        blacklist,
        campaign_reports,
        campaigns,
        contacts,
        list_contacts,
        mailing_lists,
        senders,
        tags,
        templates,
        token,
        user,
        webhooks,
    )

    def __init__(self, shared: Shared, settings: SendPulseSettings) -> None:
        super().__init__(shared, settings)
        self.reset()

    def find(self, method: str, path: str) -> Match | None:
        """The operation behind method and path; one slash at the end does not count."""
        return self.endpoints.find(method, path.removesuffix("/"))

    def act(self, request: Request) -> Response:
        """Carry out the request; a refusal changes nothing but the quotas."""
        now = self.shared.clock.now()
        self.tick(now)
        context = self._context(now)
        refused = self._too_fast(context)
        if refused is not None:
            return refused
        try:
            if request.operation != token.issue.operation:
                if not token.admits(context, request.authorization):
                    return self.token_refused()
                if request.operation in self.settings.forbidden:
                    return Response(403, {"message": "Unauthorized action.", "error_code": 800})
            value = self.endpoints[request.operation].handler(context, _params(request))
            return Response(200, _numbered(context, value))
        except Refusal as refusal:
            return refusal.response

    def malformed(self, reason: str) -> Response:
        """HTTP 422 for a body that cannot be read."""
        return self.refused(f"The body can not be read: {reason}")

    def token_refused(self) -> Response:
        """HTTP 401 for a missing, wrong or expired token."""
        return Response(401, {"message": "Unauthenticated.", "error_code": 401})

    def refused(self, text: str) -> Response:
        """An error of HTTP 422."""
        return Response(422, {"message": text, "error_code": 422})

    def environment(self, url: str) -> dict[str, str]:
        """Address and OAuth credentials for a client."""
        return {
            "MAILKIT_SENDPULSE_URL": url,
            "MAILKIT_SENDPULSE_CLIENT_ID": self.settings.client_id,
            "MAILKIT_SENDPULSE_CLIENT_SECRET": self.settings.client_secret,
        }

    def reset(self) -> None:
        """A fresh account: no tokens, webhooks or campaigns; the settings stay."""
        self.account = Account()
        senders.seed(self.account, self.settings.senders)
        templates.seed(self.account, self.shared.clock.now())

    def tick(self, now: float) -> None:
        """Let campaigns and emails go on."""
        lifecycle.tick(self._context(now))

    def due(self) -> float | None:
        """When something happens, or a webhook's batch is ready."""
        moments = (self.account.timeline.next(), self.account.webhook_queue.due(self.settings))
        return min((at for at in moments if at is not None), default=None)

    def posts(self, now: float, *, early: bool) -> Sequence[WebhookPost]:
        """The webhooks' batches."""
        queue = self.account.webhook_queue
        return queue.posts(now, self.settings, self.shared.rng, early=early)

    def backlog(self) -> Backlog:
        """The events that nobody has taken yet."""
        return self.account.webhook_queue.backlog()

    def outcomes(self, now: float) -> Iterator[Outcome]:
        """What has become of each email of each campaign, but drafts and tests."""
        context = self._context(now)
        for campaign in self.account.campaigns.values():
            if not (campaign.draft or campaign.test):
                yield from campaign_statistics.outcomes(context, campaign)

    def course(self, email: Email, now: float) -> Course:
        """The steps of an email of a campaign."""
        return watching.course(self._context(now), email)

    def happen(self, email: Email, step: Step) -> None:
        """Let an email of a campaign take this step now, and tell the webhooks."""
        now = self.shared.clock.now()
        self.tick(now)
        watching.happen(self._context(now), email, step)

    def tables(self, now: float) -> Iterator[Table]:
        """Quotas, lists, campaigns and webhooks."""
        return watching.tables(self._context(now))

    def _context(self, now: float) -> Context:
        return Context(self.account, self.settings, self.shared.truth, self.shared.rng, now)

    def _too_fast(self, context: Context) -> Response | None:
        account, settings = context.account, self.settings
        rate = settings.requests_per_second
        if account.each_second.wait(context.now, rate, settings.second) is not None:
            value = {"message": "Too many requests in a second", "error_code": TOO_FAST}
            return Response(429, value, over_quota=True)
        for window, limit, seconds in (
            (account.each_minute, settings.requests_per_minute, settings.minute),
            (account.each_day, settings.requests_per_day, settings.day),
        ):
            wait = window.wait(context.now, limit, seconds)
            if wait is not None:
                value = {"message": f"Wait {ceil(wait)} s", "error_code": 429}
                return Response(429, value, over_quota=True)
        return None


def _numbered(context: Context, value: object) -> object:
    """A list, or now and then what PHP writes for one in which numbers are missing: an object."""
    if isinstance(value, list) and value and context.quirk():
        return {str(2 * at): row for at, row in enumerate(value)}
    return value


def _params(request: Request) -> Params:
    if isinstance(request.json, dict):
        return Params(request.args, request.query, request.json)
    form = {str(name): plain(value) for name, value in request.form.items()}
    return Params(request.args, request.query, form)
