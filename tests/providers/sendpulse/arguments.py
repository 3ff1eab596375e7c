"""Sample arguments for every row of the catalogue: the row's id, and the calls of its method.

A row has several where not all parameters go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mailkit.attachment import Attachment
from mailkit.providers.sendpulse import NewContact, SendPulse, Stats, WebhookAction
from mailkit.sandbox import Sandbox

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

_LIST, _SECOND_LIST, _SEGMENT, _SENT, _PLANNED, _WEBHOOK = 7, 8, 9, 27, 28, 162242
_TEMPLATE, _TEMPLATE_ID, _SLUG = 1042220, "c7a94d4f", "webinar"
_EMAIL, _SECOND_EMAIL, _GONE, _BLOCKED = (
    f"{name}@test.com" for name in ("opens", "opens.b", "gone", "blocked")
)
_SENDER, _WAITING, _CODE = "news@shop.by", "waiting@shop.by", "50405325"
_AT = datetime(2030, 5, 1, 9, 0, tzinfo=UTC)
_LETTER = {"sender": "Shop <news@shop.by>", "subject": "Autumn"}
_FULL = {
    **_LETTER,
    "html": "<p>Ж</p>",
    "amp": "<html amp4email></html>",
    "list_id": _LIST,
    "name": "autumn",
    "stats": Stats(opens=True, clicks=False, utm_campaign="autumn"),
}
_CAMPAIGNS: list[dict[str, Any]] = [
    {**_FULL, "send_at": _AT, "use_dynamic_list": True},
    {**_FULL, "attachments": {"note.txt": "Ж", "price.pdf": b"%PDF"}, "draft": True},
    {**_LETTER, "template_id": _TEMPLATE, "segment_id": _SEGMENT, "is_test": True},
    {
        **_LETTER,
        "template_id": _TEMPLATE_ID,
        "list_id": [_LIST, _SECOND_LIST],
        "attachments": [Attachment("price.txt", b"1")],
    },
]

ARGUMENTS: Mapping[str, Sequence[Arguments]] = {
    "sendpulse.mailing_lists.create": [(("Autumn",), {})],
    "sendpulse.mailing_lists.rename": [((_LIST, "Winter"), {})],
    "sendpulse.mailing_lists.list": [((), {}), ((10, 0), {})],
    "sendpulse.mailing_lists.get": [((_LIST,), {})],
    "sendpulse.mailing_lists.variables": [((_LIST,), {})],
    "sendpulse.mailing_lists.contacts": [
        ((_LIST,), {"limit": 10, "offset": 0, "active": True}),
        ((_LIST,), {"not_active": True}),
    ],
    "sendpulse.mailing_lists.count": [((_LIST,), {})],
    "sendpulse.mailing_lists.find_by_variable": [((_LIST, "city", "Brest/1"), {})],
    "sendpulse.mailing_lists.add_contacts": [
        ((_LIST, [_EMAIL]), {}),
        (
            (
                _LIST,
                [NewContact(_EMAIL, {"name": "Elizabeth"}, phone="380632727700"), _SECOND_EMAIL],
            ),
            {},
        ),
    ],
    "sendpulse.mailing_lists.add_contacts_double_opt_in": [
        ((_LIST, [NewContact(_EMAIL, {"name": "Alona"})], _SENDER, "en", _TEMPLATE_ID), {})
    ],
    "sendpulse.mailing_lists.set_phone": [((_LIST, _EMAIL, "1234567890"), {})],
    "sendpulse.mailing_lists.remove_contacts": [((_LIST, [_EMAIL]), {})],
    "sendpulse.mailing_lists.delete": [((_LIST,), {})],
    "sendpulse.mailing_lists.cost": [((_LIST,), {})],
    "sendpulse.mailing_lists.campaigns": [((_LIST, 10, 0), {})],
    "sendpulse.mailing_lists.contact": [((_LIST, _EMAIL), {})],
    "sendpulse.mailing_lists.set_variables": [((_LIST, _EMAIL, {"name": "John", "n": 1}), {})],
    "sendpulse.mailing_lists.unsubscribe": [((_LIST, [_EMAIL]), {})],
    "sendpulse.campaigns.create": [((), arguments) for arguments in _CAMPAIGNS],
    "sendpulse.campaigns.send_test": [
        ((), {**arguments, "to": [_EMAIL]}) for arguments in _CAMPAIGNS
    ],
    "sendpulse.campaigns.edit": [
        ((), {**_LETTER, "id": _PLANNED, "name": "autumn", "html": "<p>1</p>", "send_at": _AT}),
        ((), {**_LETTER, "id": _PLANNED, "name": "autumn", "template_id": _TEMPLATE}),
    ],
    "sendpulse.campaigns.get": [((_SENT,), {})],
    "sendpulse.campaigns.list": [
        ((), {"limit": 100, "offset": 0, "order": "desc", "status": [3, 26]}),
        ((), {"scheduled": True}),
    ],
    "sendpulse.campaigns.countries": [((_SENT,), {})],
    "sendpulse.campaigns.referrals": [((_SENT,), {})],
    "sendpulse.campaigns.cancel": [((_PLANNED,), {})],
    "sendpulse.campaigns.recipient": [((_SENT, _EMAIL), {})],
    "sendpulse.templates.create": [((), {"html": "<p>1</p>", "lang": "ru", "name": "Autumn"})],
    "sendpulse.templates.edit": [((_TEMPLATE, "<p>2</p>", "ru"), {})],
    "sendpulse.templates.get": [((_TEMPLATE,), {}), ((_TEMPLATE_ID,), {})],
    "sendpulse.templates.get_by_slug": [((_SLUG,), {})],
    "sendpulse.templates.list": [((), {}), (("me",), {})],
    "sendpulse.templates.list_by_language": [(("ru", "me"), {})],
    "sendpulse.senders.list": [((), {})],
    "sendpulse.senders.add": [(("new@shop.by", "Shop"), {})],
    "sendpulse.senders.remove": [((_WAITING,), {})],
    "sendpulse.senders.activate": [((_WAITING, _CODE), {})],
    "sendpulse.senders.request_code": [((_WAITING,), {})],
    "sendpulse.contacts.get": [((_EMAIL,), {})],
    "sendpulse.contacts.details": [((_EMAIL,), {})],
    "sendpulse.contacts.get_many": [(([_EMAIL, _SECOND_EMAIL],), {})],
    "sendpulse.contacts.delete": [((_EMAIL,), {})],
    "sendpulse.contacts.campaign_stats": [((_EMAIL,), {})],
    "sendpulse.contacts.campaign_stats_many": [(([_EMAIL, _SECOND_EMAIL],), {})],
    "sendpulse.blacklist.list": [((), {})],
    "sendpulse.blacklist.add": [(([_EMAIL], "comment"), {})],
    "sendpulse.blacklist.remove": [(([_BLOCKED],), {})],
    "sendpulse.balance.get": [((), {}), (("USD",), {})],
    "sendpulse.balance.details": [((), {})],
    "sendpulse.webhooks.list": [((), {})],
    "sendpulse.webhooks.get": [((_WEBHOOK,), {})],
    "sendpulse.webhooks.create": [
        (("https://site.com/callback", [WebhookAction.OPEN, "unsubscribe"]), {}),
        (("https://site.com/callback", "delivered"), {}),
    ],
    "sendpulse.webhooks.update": [((_WEBHOOK, "https://site.com/callback"), {})],
    "sendpulse.webhooks.delete": [((_WEBHOOK,), {})],
}


async def prepare(sandbox: Sandbox, client: SendPulse) -> Mapping[Any, Any]:
    """Have at the service what the calls need: the sample ids, and those that it gave."""
    settings = sandbox.sendpulse.settings
    settings.requests_per_second = settings.campaigns_per_hour = settings.tests_per_hour = None
    settings.moderated_first = 0
    first, second = await client.mailing_lists.create("1"), await client.mailing_lists.create("2")
    person = NewContact(_EMAIL, {"city": "Brest/1"})
    await client.mailing_lists.add_contacts(first, [person, _GONE])
    await client.mailing_lists.add_contacts(second, [_EMAIL, _SECOND_EMAIL])
    await client.mailing_lists.unsubscribe(first, [_GONE])
    letter: dict[str, Any] = {
        **_LETTER,
        "list_id": first,
        "html": '<a href="https://shop.by">1</a>',
    }
    sent = await client.campaigns.create(**letter)
    sandbox.clock.advance(600)
    planned = await client.campaigns.create(**{**letter, "list_id": second}, send_at=_AT)
    sandbox.clock.advance(600)
    template = await client.templates.create(html="<p>1</p>", lang="ru", name="Webinar")
    made = await client.templates.get(template)
    (hook,) = await client.webhooks.create("https://site.com/callback", "open")
    await client.senders.add(_WAITING, "Shop")
    await client.blacklist.add([_BLOCKED])
    sandbox.sendpulse.account.segments[_SEGMENT] = first
    return {
        _LIST: first,
        _SECOND_LIST: second,
        _SENT: sent.id,
        _PLANNED: planned.id,
        _WEBHOOK: hook.id,
        _TEMPLATE: template,
        _TEMPLATE_ID: made.id,
        _SLUG: made.name_slug,
        _CODE: settings.activation_code,
    }
