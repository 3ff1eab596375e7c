"""What SendPulse leaves open, or makes depend on the account."""

from typing import Literal

import attrs

from mailkit.sandbox.posting import Posting
from mailkit.sandbox.values import (
    Amount,
    Count,
    Pattern,
    Seconds,
    Share,
    Status,
    ZoneName,
    typed,
)

WebhookNumbers = Literal["documented", "text", "number", "mixed"]
Verdict = Literal[
    "approve", "approve_part", "only_active", "confirm_addresses", "need_edit", "rejected"
]


@attrs.define(field_transformer=typed)
class SendPulseSettings:
    """May be changed while the sandbox runs; times are seconds of sandbox time.

    client_id, client_secret: what the account accepts for a token.
    api_key: what it accepts instead of a token.
    token_lifetime: how long an OAuth token is good for.
    requests_per_second, requests_per_minute, requests_per_day: more requests get HTTP 429; None for
        no limit. The token's count, too.
    campaigns_per_hour: POST /campaigns in any hour, successful or not.
    tests_per_hour: test sends in any hour, of both kinds.
    second, minute, hour, day: how long these are for the quotas; shorter ones make a proof quick.
    campaign_quota_status: HTTP status of the refusal with error_code 791.
    tariff_status: HTTP status of the refusals with error_code 707 (no money) and 708 (too many
        addresses for the tariff).
    forbidden: operations that this account may not use (HTTP 403).
    senders: addresses and names of the senders that are active from the beginning.
    any_sender: whether an address that is not an active sender may send, too.
    activation_code: the code that activates any sender.
    code_every: how long a sender waits for another code.
    active_after: when a new contact becomes active; None: never.
    confirmed_after: when a contact confirms by the double opt-in email; None: never.
    contacts_per_request: entries of one request that adds contacts; None for no limit.
    variable_name: the names that a variable can have, as a regular expression.
    lookups_per_request: addresses of one request that looks them up; None for no limit.
    max_subscribers: contacts that the tariff allows on all lists together (HTTP 403 beyond).
    loading: how long a list is locked after contacts were added, and does not show them.
    loading_status: the list's status meanwhile: 4, as on the Russian page, or 5.
    list_verdict: what the service makes of a list that contacts were added to: nothing, a question
        (status 3), or a block (status 4, as on the English page). It stays so.
    opt_outs: whether an address that has unsubscribed or bounced stays so on a new list.
    copying: how long a campaign copies addresses (status 13, the list has status 5).
    moderated_from, moderated_first: campaigns of at least this many addresses, and this many
        first ones of the account, are moderated.
    moderation, verdict: how long that lasts, and its end, in the words of task_status_update.
    sending: how long a campaign has status 2.
    sent_at_once: the share of its emails that goes out when that begins; the rest goes half-way
        through, unless the campaign is cancelled before.
    halts_after, halted_status: a limit stops a campaign after so many emails, and in which status
        it ends: 23 (sent partially) or 25 (and blocked).
    strict_dmarc: whether a campaign with a date goes out at once, as from a domain under a strict
        DMARC policy.
    open_share: the share of ordinary addresses that open a tracked email.
    timezone: the account's zone, in which dates are read and written.
    currency, balance: the account's money.
    tariff_ended: whether the tariff is over: no cost is worked out, and no campaign created.
    tariff_emails: emails that the tariff covers; the others are paid from the balance.
    max_emails_per_task: addresses that the tariff allows for one campaign.
    overdraft_price: the price of an email beyond the tariff.
    quirks: whether a response takes, at random, any of the forms that were ever seen; without, it
        is as on the English page.
    webhook_numbers: whether the numbers of an event are texts or numbers: as on the page, which
        with quirks is any of these at random for each event; or one of the two; or mixed.
    posting: how events are posted, and when again.
    """

    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"  # noqa: S105 -- a fake, and meant to be known
    api_key: str = "sandbox-api-key"
    token_lifetime: Seconds = 3600.0
    requests_per_second: Count | None = 10
    requests_per_minute: Count | None = None
    requests_per_day: Count | None = None
    campaigns_per_hour: Count | None = 4
    tests_per_hour: Count | None = 20
    second: Seconds = 1.0
    minute: Seconds = 60.0
    hour: Seconds = 3600.0
    day: Seconds = 86400.0
    campaign_quota_status: Status = 429
    tariff_status: Status = 422
    forbidden: frozenset[str] = frozenset()
    senders: tuple[tuple[str, str], ...] = (("news@shop.by", "Shop"),)
    any_sender: bool = False
    activation_code: str = "sandbox-code"
    code_every: Seconds = 900.0
    active_after: Seconds | None = 0.0
    confirmed_after: Seconds | None = None
    contacts_per_request: Count | None = None
    variable_name: Pattern = r"[\w-]+"
    lookups_per_request: Count | None = None
    max_subscribers: Count = 10_000_000
    loading: Seconds = 0.0
    loading_status: Literal[4, 5] = 4
    list_verdict: Literal["approve", "ask", "block"] = "approve"
    opt_outs: Literal["kept", "forgotten"] = "kept"
    copying: Seconds = 5.0
    moderated_from: Count = 20
    moderated_first: Count = 1
    moderation: Seconds = 600.0
    verdict: Verdict = "approve"
    sending: Seconds = 60.0
    sent_at_once: Share = 1.0
    halts_after: Count | None = None
    halted_status: Literal[23, 25] = 23
    strict_dmarc: bool = False
    open_share: Share = 0.2
    timezone: ZoneName = "UTC"
    currency: str = "USD"
    balance: Amount = 10.0
    tariff_ended: bool = False
    tariff_emails: Count = 10_000_000
    max_emails_per_task: Count = 1_000_000
    overdraft_price: Amount = 0.0044
    quirks: bool = True
    webhook_numbers: WebhookNumbers = "documented"
    posting: Posting = attrs.field(
        factory=lambda: Posting(every=60.0, retries=(60.0, 300.0, 900.0, 3600.0, 3600.0, 3600.0))
    )
