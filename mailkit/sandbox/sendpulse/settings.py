"""What SendPulse leaves open, or makes depend on the account."""

from typing import Literal

import attrs


@attrs.define
class SendPulseSettings:
    """May be changed while the sandbox runs; times are seconds of sandbox time.

    client_id, client_secret: what the account accepts for a token.
    api_key: what it accepts instead of a token.
    token_lifetime: how long an OAuth token is good for.
    requests_per_second, requests_per_minute: more requests get HTTP 429; None for no limit.
    campaigns_per_hour: POST /campaigns in any hour, successful or not.
    tests_per_hour: test sends in any hour, of both kinds.
    campaign_quota_status: HTTP status of the refusal with error_code 791.
    forbidden: operations that this account may not use (HTTP 403).
    senders: addresses and names of the senders that are active from the beginning.
    any_sender: whether an address that is not an active sender may send, too.
    activation_code: the code that activates any sender.
    active_after: when a new contact becomes active; None: never.
    confirmed_after: when a contact confirms by the double opt-in email; None: never.
    loading: how long a list is locked (status 4) after contacts were added.
    copying: how long a campaign copies addresses (status 13, the list has status 5).
    moderated_from, moderated_first: campaigns of at least this many addresses, and this many
        first ones of the account, are moderated.
    moderation, verdict: how long that lasts, and its end.
    sending: how long a campaign has status 2.
    open_share: the share of ordinary addresses that open a tracked email.
    timezone: the account's zone, in which dates are read and written.
    currency, balance: the account's money.
    tariff_emails: emails that the tariff covers.
    max_emails_per_task: addresses that the tariff allows for one campaign.
    overdraft_price: the price of an email beyond the tariff.
    quirks: whether a response takes, at random, any of the forms that were ever seen; without, it
        is as on the English page.
    webhook_batch, webhook_every: events wait until there are this many, or for this long.
    webhook_twice: each post is made twice.
    """

    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"  # noqa: S105 -- a fake, and meant to be known
    api_key: str = "sandbox-api-key"
    token_lifetime: float = 3600.0
    requests_per_second: int | None = 10
    requests_per_minute: int | None = None
    campaigns_per_hour: int | None = 4
    tests_per_hour: int | None = 20
    campaign_quota_status: int = 429
    forbidden: frozenset[str] = frozenset()
    senders: tuple[tuple[str, str], ...] = (("news@shop.by", "Shop"),)
    any_sender: bool = False
    activation_code: str = "sandbox-code"
    active_after: float | None = 0.0
    confirmed_after: float | None = None
    loading: float = 0.0
    copying: float = 5.0
    moderated_from: int = 20
    moderated_first: int = 1
    moderation: float = 600.0
    verdict: Literal["approve", "reject", "edit"] = "approve"
    sending: float = 60.0
    open_share: float = 0.2
    timezone: str = "UTC"
    currency: str = "USD"
    balance: float = 10.0
    tariff_emails: int = 1_000_000
    max_emails_per_task: int = 1_000_000
    overdraft_price: float = 0.0044
    quirks: bool = True
    webhook_batch: int = 100
    webhook_every: float = 60.0
    webhook_twice: bool = False
