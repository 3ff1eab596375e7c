"""Sample arguments for every row of the catalogue: the row's id, and what its method takes.

A row has several where not all parameters go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mailkit.message import Attachment
from mailkit.providers.sendpulse import NewContact, Stats, WebhookAction

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

_AT = datetime(2030, 5, 1, 9, 0, tzinfo=UTC)
_LETTER = {"sender": "Shop <news@shop.by>", "subject": "Autumn"}
_FULL = {
    **_LETTER,
    "html": "<p>Ж</p>",
    "amp": "<html amp4email></html>",
    "list_id": 7,
    "name": "autumn",
    "stats": Stats(opens=True, clicks=False, utm_campaign="autumn"),
}
_CAMPAIGNS: list[dict[str, Any]] = [
    {**_FULL, "send_at": _AT, "use_dynamic_list": True},
    {**_FULL, "attachments": {"note.txt": "Ж", "price.pdf": b"%PDF"}, "draft": True},
    {**_LETTER, "template_id": 775667, "segment_id": 5, "is_test": True},
    {
        **_LETTER,
        "template_id": "c7a94d4f",
        "list_id": [7, 8],
        "attachments": [Attachment("price.txt", b"1")],
    },
]
_EMAIL = "test@test.com"

ARGUMENTS: Mapping[str, Sequence[Arguments]] = {
    "sendpulse.mailing_lists.create": [(("Autumn",), {})],
    "sendpulse.mailing_lists.rename": [((7, "Winter"), {})],
    "sendpulse.mailing_lists.list": [((), {}), ((10, 5), {})],
    "sendpulse.mailing_lists.get": [((7,), {})],
    "sendpulse.mailing_lists.variables": [((7,), {})],
    "sendpulse.mailing_lists.contacts": [
        ((7,), {"limit": 10, "offset": 5, "active": True}),
        ((7,), {"not_active": True}),
    ],
    "sendpulse.mailing_lists.count": [((7,), {})],
    "sendpulse.mailing_lists.find_by_variable": [((7, "city", "Brest/1"), {})],
    "sendpulse.mailing_lists.add_contacts": [
        ((7, [_EMAIL]), {}),
        ((7, [NewContact(_EMAIL, {"name": "Elizabeth"}, phone="380632727700"), "b@test.com"]), {}),
    ],
    "sendpulse.mailing_lists.add_contacts_double_opt_in": [
        ((7, [NewContact(_EMAIL, {"name": "Alona"})], "sender@test.com", "en", "a3e45169"), {})
    ],
    "sendpulse.mailing_lists.set_phone": [((7, _EMAIL, "1234567890"), {})],
    "sendpulse.mailing_lists.remove_contacts": [((7, [_EMAIL]), {})],
    "sendpulse.mailing_lists.delete": [((7,), {})],
    "sendpulse.mailing_lists.cost": [((7,), {})],
    "sendpulse.mailing_lists.campaigns": [((7, 10, 5), {})],
    "sendpulse.mailing_lists.contact": [((7, _EMAIL), {})],
    "sendpulse.mailing_lists.set_variables": [((7, _EMAIL, {"name": "John", "n": 1}), {})],
    "sendpulse.mailing_lists.unsubscribe": [((7, [_EMAIL]), {})],
    "sendpulse.campaigns.create": [((), arguments) for arguments in _CAMPAIGNS],
    "sendpulse.campaigns.send_test": [
        ((), {**arguments, "to": [_EMAIL]}) for arguments in _CAMPAIGNS
    ],
    "sendpulse.campaigns.edit": [
        ((), {**_LETTER, "id": 27, "name": "autumn", "html": "<p>1</p>", "send_at": _AT}),
        ((), {**_LETTER, "id": 27, "name": "autumn", "template_id": 123348}),
    ],
    "sendpulse.campaigns.get": [((27,), {})],
    "sendpulse.campaigns.list": [
        ((), {"limit": 100, "offset": 10, "order": "desc", "status": [3, 26], "scheduled": True})
    ],
    "sendpulse.campaigns.countries": [((27,), {})],
    "sendpulse.campaigns.referrals": [((27,), {})],
    "sendpulse.campaigns.cancel": [((27,), {})],
    "sendpulse.campaigns.recipient": [((27, _EMAIL), {})],
    "sendpulse.templates.create": [((), {"html": "<p>1</p>", "lang": "ru", "name": "Autumn"})],
    "sendpulse.templates.edit": [((1042220, "<p>2</p>", "ru"), {})],
    "sendpulse.templates.get": [((1153018,), {}), (("f3266876955c9d21e214deed49b97446",), {})],
    "sendpulse.templates.get_by_slug": [(("webinar",), {})],
    "sendpulse.templates.list": [((), {}), (("me",), {})],
    "sendpulse.templates.list_by_language": [(("ru", "me"), {})],
    "sendpulse.senders.list": [((), {})],
    "sendpulse.senders.add": [((_EMAIL, "Shop"), {})],
    "sendpulse.senders.remove": [((_EMAIL,), {})],
    "sendpulse.senders.activate": [((_EMAIL, "50405325"), {})],
    "sendpulse.senders.request_code": [((_EMAIL,), {})],
    "sendpulse.contacts.get": [((_EMAIL,), {})],
    "sendpulse.contacts.details": [((_EMAIL,), {})],
    "sendpulse.contacts.get_many": [(([_EMAIL, "b@test.com"],), {})],
    "sendpulse.contacts.delete": [((_EMAIL,), {})],
    "sendpulse.contacts.campaign_stats": [((_EMAIL,), {})],
    "sendpulse.contacts.campaign_stats_many": [(([_EMAIL, "b@test.com"],), {})],
    "sendpulse.blacklist.list": [((), {})],
    "sendpulse.blacklist.add": [(([_EMAIL], "comment"), {})],
    "sendpulse.blacklist.remove": [(([_EMAIL],), {})],
    "sendpulse.balance.get": [((), {}), (("USD",), {})],
    "sendpulse.balance.details": [((), {})],
    "sendpulse.webhooks.list": [((), {})],
    "sendpulse.webhooks.get": [((162242,), {})],
    "sendpulse.webhooks.create": [
        (("https://site.com/callback", [WebhookAction.OPEN, "unsubscribe"]), {}),
        (("https://site.com/callback", "delivered"), {}),
    ],
    "sendpulse.webhooks.update": [((162242, "https://site.com/callback"), {})],
    "sendpulse.webhooks.delete": [((162242,), {})],
}
