"""SendPulse in the worlds: what it has accepted is mailed later, campaign by campaign."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Unpack

from mailkit import Message, Quota, SendPulse
from mailkit.provider import Provider
from mailkit.providers import sendpulse
from mailkit.sandbox import Posting, Service, Shared
from mailkit.sandbox.sendpulse import SendPulse as SendPulseService
from mailkit.sandbox.sendpulse import SendPulseSettings
from mailkit.sandbox.sendpulse.codes import ContactStatus, WebhookAction
from mailkit.sandbox.sendpulse.lists import Contact, MailingList
from mailkit.sandbox.sendpulse.webhook_queue import Webhook

from .sides import LIVELY, STRANGER, URL, Options, Side

__all__ = ["SendPulseSide"]

SENDER = "Shop <a@b.by>"
LOAD, CREATE = "sendpulse.mailing_lists.add_contacts", "sendpulse.campaigns.create"
ENOUGH = 1_000_000


class SendPulseSide(Side):
    """A list and a campaign for each chunk. Some people have opted out before, and the service may
    have forgotten that for new lists; doubts are settled by names.
    """

    name = "sendpulse"
    messages = (
        Message(SENDER, "Hi {{ name }}", html="<p>{{ name }}</p>"),
        Message(SENDER, "Hi", html="<p>Hi</p> {{ unsubscribe }}"),
    )
    never = ("invalid", "missing", "unsubscribed", "left", "blocked")
    refused = ("invalid", "missing")
    unnamed = opted_out = ("unsubscribed", "left", "blocked")
    tells_at_once = True
    settles = True
    sending = (LOAD, CREATE)
    posts = True
    commits = 150

    def __init__(self, rng: Random, shared: Shared) -> None:
        super().__init__(rng, shared)
        self._campaigns = Quota(*rng.choice(((4, 3600.0), (2, 600.0), (1, 60.0))), "campaigns")
        self.settings = SendPulseSettings(
            api_key="token",
            token_lifetime=rng.choice((300.0, 3600.0)),
            requests_per_second=None,
            campaigns_per_hour=self._campaigns.limit,
            hour=self._campaigns.per_seconds,
            senders=(("a@b.by", "Shop"),),
            active_after=rng.choice((0.0, 30.0)),
            loading=rng.choice((0.0, 100.0)),
            loading_status=rng.choice((4, 5)),
            opt_outs=rng.choice(("kept", "forgotten")),
            halts_after=rng.choice((None, None, None, 3)),
            halted_status=rng.choice((23, 25)),
            moderated_first=rng.choice((0, 1, 5)),
            tariff_emails=ENOUGH,
            balance=0.0,
        )
        self._parts = (
            rng.choice((1, 3, 500)),
            rng.choice((2, 500)),
        )  # rows that are loaded, looked up
        self._oauth = rng.random() < 0.5
        self._bad = rng.choice((0.0, 0.1, 0.5))  # the share of those who are not to be mailed
        self._service = SendPulseService(shared, self.settings)
        self.service: Service[Any] = self._service
        self._others = self._list("Customers")

    def client(self, rows: int, **options: Unpack[Options]) -> Provider:
        part, look_up = self._parts
        limits = sendpulse.ChunkLimits(rows, min(rows, part), look_up)
        own = self.settings
        if self._oauth:
            return SendPulse(
                own.client_id,
                own.client_secret,
                URL,
                account="shop",
                limits=limits,
                campaigns=self._campaigns,
                **options,
            )
        return SendPulse(
            url=URL, api_key="token", limits=limits, campaigns=self._campaigns, **options
        )

    def address(self, rng: Random, n: int) -> str:
        good = rng.random() >= self._bad
        kind = rng.choice(self.mailed if good else self.never)
        address = f"{kind}{n}@example.com"
        if kind == "left":
            self._others.add(Contact(address, ContactStatus.UNSUBSCRIBED, 0.0))
            self._account.opted_out[address] = ContactStatus.UNSUBSCRIBED
        elif kind == "blocked":
            self._account.blacklist[address] = ""
        return address

    def limit_money(self, emails: int) -> None:
        self.settings.tariff_emails = emails

    def pay(self) -> None:
        self.settings.tariff_emails = ENOUGH

    def quotas(self) -> Sequence[tuple[Quota, str]]:
        return ((self._campaigns, CREATE),)

    @property
    def accepted(self) -> int:
        return len(self._account.campaigns)

    @property
    def emails(self) -> int:
        return sum(self._recipients().values())

    def took(self, address: str) -> bool:
        return address in self._recipients()

    def left_out(self, address: str) -> bool:
        return any(address in one.unsent for one in self._account.campaigns.values())

    def post_to(self, url: str, posting: Posting) -> None:
        self.mailed = LIVELY
        self.settings.posting = posting
        hooks = self._account.webhook_queue.by_id
        for action in WebhookAction:
            hook = Webhook(self._account.new_id(), url, action)
            hooks[hook.id] = hook

    def forge(self, row: Mapping[str, object], n: int) -> Mapping[str, object]:
        forged = {**row, "event": "spam", "timestamp": 1_800_000_000 + n}
        match n % 3:
            case 0:  # nobody of this campaign
                return {**forged, "email": STRANGER}
            case 1:  # a campaign that others have made
                return {"email": STRANGER, **forged, "task_id": "7"}
            case _:  # none at all
                return {"email": STRANGER, **forged, "task_id": ""}

    def check(self) -> None:
        """Lists and campaigns were created once, and nobody is in two campaigns, unless one of them
        was stopped before their turn.
        """
        names = [one.name for one in self._account.lists.values()]
        labels = Counter(name.rpartition(" ")[0] for name in names if name != self._others.name)
        assert not labels or max(labels.values()) == 1, f"lists created twice: {labels}"
        campaigns = list(self._account.campaigns.values())
        assert len({one.name for one in campaigns}) == len(campaigns), "campaigns created twice"
        used = Counter(number for one in campaigns for number in one.lists)
        assert not used or max(used.values()) == 1, f"lists with two campaigns: {used}"
        reached = Counter(
            email for one in campaigns for email in one.copied if email not in one.unsent
        )
        twice = [address for address, count in reached.items() if count > 1]
        assert not twice, f"in two campaigns: {twice}"

    @property
    def _account(self) -> Any:
        return self._service.account

    def _recipients(self) -> Counter[str]:
        return Counter(email for one in self._account.campaigns.values() for email in one.copied)

    def _list(self, name: str) -> MailingList:
        made = MailingList(self._account.new_id(), name, self._service.shared.clock.now())
        self._account.lists[made.id] = made
        return made
