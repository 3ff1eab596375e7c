"""The e-mail part of SendPulse: mailing lists, campaigns, templates, senders and the rest.

Written from https://sendpulse.com/integrations/api/bulk-email.
Tokens, tags and the account's owner: https://sendpulse.com/integrations/api.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import tzinfo
from typing import Self, Unpack

from mailkit.core.arguments import check_options
from mailkit.core.auth import Auth, Bearer, Grant, HeaderKey, credential
from mailkit.core.call import resource
from mailkit.core.client import Client
from mailkit.core.dispatch import Dispatch
from mailkit.core.options import ClientOptions, secret_from_env
from mailkit.core.quota import Quota
from mailkit.core.secret import Secret
from mailkit.core.wire import base_url
from mailkit.core.wire_format import WireFormat, time_zone
from mailkit.errors import InvalidArgument
from mailkit.message import Message
from mailkit.providers.sendpulse.balance import (
    Balance,
    BalanceDetails,
    Balances,
    EmailTariff,
    Money,
    Tariff,
)
from mailkit.providers.sendpulse.blacklist import Blacklist
from mailkit.providers.sendpulse.campaign_reports import (
    Campaign,
    CampaignMessage,
    CampaignRecipient,
    ExternalStat,
)
from mailkit.providers.sendpulse.campaigns import Campaigns, CreateCampaignResult, Stats
from mailkit.providers.sendpulse.checks import CHECKS
from mailkit.providers.sendpulse.codes import (
    CampaignPhase,
    CampaignStatus,
    ContactStatus,
    MailingListStatus,
    RecipientStatus,
    WebhookAction,
    campaign_phase,
)
from mailkit.providers.sendpulse.contacts import ContactDetails, Contacts, ContactStats, ListName
from mailkit.providers.sendpulse.dispatch import ChunkLimits, SendPulseDispatch
from mailkit.providers.sendpulse.envelope import unwrap
from mailkit.providers.sendpulse.list_contacts import NewContact
from mailkit.providers.sendpulse.mailing_lists import Cost, MailingList, MailingLists, Variable
from mailkit.providers.sendpulse.models import (
    CampaignName,
    Contact,
    LinkClicks,
    Statistics,
    StatusCount,
    Variables,
)
from mailkit.providers.sendpulse.pages import BatchResult
from mailkit.providers.sendpulse.senders import Sender, Senders
from mailkit.providers.sendpulse.tags import Tag, Tags
from mailkit.providers.sendpulse.templates import Template, TemplateCategory, Templates
from mailkit.providers.sendpulse.token import TokenClient
from mailkit.providers.sendpulse.user import User
from mailkit.providers.sendpulse.webhook import parse_webhook
from mailkit.providers.sendpulse.webhooks import Webhook, Webhooks

__all__ = [
    "Balance",
    "BalanceDetails",
    "BatchResult",
    "Campaign",
    "CampaignMessage",
    "CampaignName",
    "CampaignPhase",
    "CampaignRecipient",
    "CampaignStatus",
    "ChunkLimits",
    "Contact",
    "ContactDetails",
    "ContactStats",
    "ContactStatus",
    "Cost",
    "CreateCampaignResult",
    "EmailTariff",
    "ExternalStat",
    "LinkClicks",
    "ListName",
    "MailingList",
    "MailingListStatus",
    "Money",
    "NewContact",
    "RecipientStatus",
    "SendPulse",
    "Sender",
    "Statistics",
    "Stats",
    "StatusCount",
    "Tag",
    "Tariff",
    "Template",
    "TemplateCategory",
    "Variable",
    "Variables",
    "Webhook",
    "WebhookAction",
    "campaign_phase",
]

_URL = "https://api.sendpulse.com"
_REQUESTS = Quota(10, 1.0, "requests")
_CAMPAIGNS = Quota(4, 3600.0, "campaigns")
_UNSUBSCRIBE = "{{unsubscribe_url}}"
_TESTS = Quota(20, 3600.0, "test sends")


class Options(ClientOptions, total=False):
    """What SendPulse takes besides its credentials and address."""

    zone: str | tzinfo | None
    """The account's time zone, which the service reads dates in; without it, ``send_at`` is
    refused."""
    campaigns: Quota | None
    """The account's limit of campaigns, None for no limit; by default, 4 in an hour."""
    tests: Quota | None
    """Its limit of test messages; by default, 20 in an hour. That of ``requests`` is
    10 in a second."""
    limits: ChunkLimits
    """How much one campaign of a bulk send and its requests carry."""
    unsubscribe: str
    """What the service replaces by its own link to unsubscribe, unpublished for campaigns that are
    created over the API; by default, ``{{unsubscribe_url}}``."""
    escape: bool
    """Values are HTML-escaped before they fill the variables of a bulk send; whether the service
    does so itself is unpublished. By default, True."""


class SendPulse(Client):
    """The client of SendPulse; creating one opens nothing and needs no event loop.

    Give ``client_id`` and ``client_secret``, for tokens that are fetched and renewed in memory,
    or ``api_key``, which stays the same and is never renewed. Its other options are those of
    `Options` and `ClientOptions`.
    """

    name = "sendpulse"
    checks = CHECKS
    can_poll = True

    mailing_lists = resource(MailingLists)
    campaigns = resource(Campaigns)
    templates = resource(Templates)
    senders = resource(Senders)
    contacts = resource(Contacts)
    blacklist = resource(Blacklist)
    balance = resource(Balances)
    webhooks = resource(Webhooks)
    tags = resource(Tags)
    user = resource(User)

    parse_webhook = staticmethod(parse_webhook)

    def __init__(
        self,
        client_id: str | Secret | None = None,
        client_secret: str | Secret | None = None,
        url: str = _URL,
        *,
        api_key: str | Secret | None = None,
        **options: Unpack[Options],
    ) -> None:
        # Secrets before anything can raise: a traceback can show local variables.
        client_id, client_secret, api_key = map(_secret, (client_id, client_secret, api_key))
        check_options(options, Options)
        pair: tuple[Secret, Secret] | None = None
        if api_key is not None and client_id is None and client_secret is None:
            auth: Auth = HeaderKey(credential(api_key, "api_key"), "Bearer")
        elif api_key is None and client_id is not None and client_secret is not None:
            pair = credential(client_id, "client_id"), credential(client_secret, "client_secret")
            auth = Bearer(self._fetch, *pair, clock=options.get("clock"))
        else:
            raise InvalidArgument(
                "give client_id and client_secret, or api_key alone; from_env() reads them from "
                "MAILKIT_SENDPULSE_CLIENT_ID and MAILKIT_SENDPULSE_CLIENT_SECRET, or "
                "MAILKIT_SENDPULSE_API_KEY"
            )
        zone = options.pop("zone", None)
        quotas = {
            "campaigns": options.pop("campaigns", _CAMPAIGNS),
            "tests": options.pop("tests", _TESTS),
        }
        self._chunk_limits = options.pop("limits", ChunkLimits())
        self._unsubscribe = options.pop("unsubscribe", _UNSUBSCRIBE)
        self._escape = options.pop("escape", True)
        shared: ClientOptions = options
        shared.setdefault("requests", _REQUESTS)
        super().__init__(
            url=base_url(url, "url"),
            auth=auth,
            unwrap=unwrap,
            wire_format=WireFormat(None if zone is None else time_zone(zone)),
            quotas=quotas,
            **shared,
        )
        if pair is not None:
            self._token_client = TokenClient(
                *pair,
                self._url,
                transport=self._transport,
                timeout=self._limits.timeout,
                clock=self.clock,
                random=self._random,
            )

    def dispatch(self, message: Message, columns: Sequence[str]) -> Dispatch:
        """This client's part in a bulk send of the message; see BulkSender.

        Raises Unsupported for a text body and more than 5 attachments, InvalidArgument for a sender
        without a name, for ``send_at`` while the account's zone is not known, and for placeholders
        without a column.
        """
        return SendPulseDispatch(
            self,
            message,
            columns,
            limits=self._chunk_limits,
            unsubscribe=self._unsubscribe,
            escape=self._escape,
            wire_format=self._wire_format,
        )

    def _copy(self) -> Self:
        other = super()._copy()
        if isinstance(self._auth, Bearer):
            other._auth = self._auth.fetching(other._fetch)
        return other

    async def _fetch(self) -> Grant:
        client = self._token_client.with_permits(self._permits)
        return await client.with_options(quota_wait=self._limits.quota_wait).fetch()

    @classmethod
    def from_env(cls, **options: Unpack[Options]) -> Self:
        """The client with MAILKIT_SENDPULSE_CLIENT_ID and MAILKIT_SENDPULSE_CLIENT_SECRET, or with
        MAILKIT_SENDPULSE_API_KEY, at MAILKIT_SENDPULSE_URL if that is set, with the account's time
        zone in MAILKIT_SENDPULSE_ZONE.

        Raises InvalidArgument if there is no credential, or both, or the address can't be used.
        """
        pair, key = (_from_env("CLIENT_ID"), _from_env("CLIENT_SECRET")), _from_env("API_KEY")
        if (key is None) != (None not in pair) or (key is not None and pair != (None, None)):
            raise InvalidArgument(
                "set MAILKIT_SENDPULSE_CLIENT_ID and MAILKIT_SENDPULSE_CLIENT_SECRET, or "
                "MAILKIT_SENDPULSE_API_KEY alone; they are in the API settings of your "
                "SendPulse account"
            )
        options.setdefault("zone", os.environ.get("MAILKIT_SENDPULSE_ZONE") or None)
        url = base_url(os.environ.get("MAILKIT_SENDPULSE_URL") or _URL, "MAILKIT_SENDPULSE_URL")
        return cls(*pair, url, api_key=key, **options)


def _secret(value: str | Secret | None) -> Secret | None:
    return None if value is None else Secret(value)


def _from_env(name: str) -> Secret | None:
    return secret_from_env(f"MAILKIT_SENDPULSE_{name}")
