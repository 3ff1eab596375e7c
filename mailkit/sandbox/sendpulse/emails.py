"""The emails of a campaign, with each contact's variables, as the truth keeps them."""

import re
from collections.abc import Iterator, Mapping

import attrs

from mailkit.sandbox.delivery import Step, steps
from mailkit.sandbox.sendpulse.lists import MailingList
from mailkit.sandbox.sendpulse.state import Campaign, Context
from mailkit.sandbox.truth import Content, Mailing

_OPENED, _CLICKED = Step.OPENED, Step.CLICKED
OPERATION = "sendpulse.campaigns.create"

_VARIABLE = re.compile(r"\{\{([^{}|]+)\}\}")
_LINK = re.compile(r"""href\s*=\s*["']?(https?://[^"'\s>]+)""", re.I)


def record(context: Context, campaign: Campaign, recipients: list[str]) -> None:
    """Count the emails to these recipients at this moment."""
    lists = context.account.lists_of(campaign)
    mailing = Mailing(
        OPERATION,
        context.now,
        campaign.sender_email,
        campaign.subject,
        recipients,
        campaign.attachments,
        campaign.id,
        campaign.sender_name,
    )
    context.truth.record(mailing, _Contents(campaign, recipients, lists))


def record_test(context: Context, campaign: Campaign, operation: str, addresses: list[str]) -> None:
    """Count a test message, without filling in its variables."""
    mailing = Mailing(
        operation,
        context.now,
        campaign.sender_email,
        campaign.subject,
        addresses,
        campaign.attachments,
        campaign.id,
        campaign.sender_name,
    )
    context.truth.record(mailing, [(campaign.subject, campaign.body)] * len(addresses))


def course(campaign: Campaign, email: str, *, has_links: bool) -> Iterator[tuple[float, Step]]:
    """The steps of an email of the campaign, as far as it tracks them."""
    if campaign.changed and email in campaign.changed:
        yield from campaign.changed[email]
        return
    is_tracked = campaign.opens or campaign.clicks
    for after, step in steps(email, tracked=is_tracked, open_share=campaign.open_share):
        if step is _OPENED and not campaign.opens:
            continue
        if step is _CLICKED and not (campaign.clicks and has_links):
            continue
        yield after, step


def links(body: str) -> list[str]:
    """The addresses that the message links to, each of them once."""
    return list(dict.fromkeys(_LINK.findall(body)))


@attrs.frozen
class _Contents:
    campaign: Campaign
    recipients: list[str]
    lists: list[MailingList]

    def __getitem__(self, index: int) -> Content:
        campaign, email = self.campaign, self.recipients[index]
        found = [one.contacts[email] for one in self.lists if email in one.contacts]
        variables = found[0].variables if found else {}
        fields = {
            "email": email,
            "unsubscribe_url": f"http://unsubscribe.sendpulse.example/{campaign.id}/{email}",
            **variables,
        }
        subject, body = _filled(campaign.subject, fields), _filled(campaign.body, fields)
        return Content(subject, body, variables)


def _filled(text: str, fields: Mapping[str, object]) -> str:
    return _VARIABLE.sub(lambda found: str(fields.get(found[1].strip(), "")), text)
