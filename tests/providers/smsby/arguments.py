"""Sample arguments for every row of the catalogue: the row's id, and the calls of its method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mailkit.attachment import Attachment
from mailkit.providers.smsby import PersonalMessage, SmsBy
from mailkit.sandbox import Sandbox

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

_LETTER = {
    "sender": "Shop <news@shop.by>",
    "subject": "Autumn",
    "html": "<p>Ж</p>",
    "send_at": datetime(2030, 5, 1, 9, 0, tzinfo=UTC),
    "track_opens": True,
    "track_clicks": False,
}
_FILE = Attachment("price.txt", b"1")
_EMAIL = "anna@mail.by"
_LIST, _SECOND_LIST, _MESSAGE, _UUID = 7, 8, 70, "cc9c8043"

ARGUMENTS: Mapping[str, Sequence[Arguments]] = {
    "smsby.emails.send": [
        ((), {**_LETTER, "to": _EMAIL}),
        ((), {**_LETTER, "to": _EMAIL, "attachment": _FILE}),
    ],
    "smsby.emails.send_to_list": [
        ((), {**_LETTER, "list_id": _LIST, "name": "Autumn", "attachment": _FILE})
    ],
    "smsby.emails.delivery_list": [((_MESSAGE,), {})],
    "smsby.bulk.send": [
        ((), {**_LETTER, "name": "Autumn", "delivery_list": [_EMAIL, "boris@mail.by"]}),
        (
            (),
            {
                "sender": "news@shop.by",
                "delivery_list": [
                    PersonalMessage(f"n{n}@mail.by", f"Ж{n}", "<p>Ж\r\n--</p>") for n in range(300)
                ],
            },
        ),
    ],
    "smsby.bulk.status": [((_UUID,), {})],
    "smsby.subscriptions.unsubscribe": [((_EMAIL, [_LIST, _SECOND_LIST], "asked"), {})],
    "smsby.subscriptions.subscribe": [((_EMAIL, [_LIST]), {}), ((_EMAIL,), {})],
    "smsby.templates.list": [((), {})],
    "smsby.mailing_lists.create": [(("Autumn",), {})],
    "smsby.mailing_lists.import_contacts": [
        ((_LIST, ["email", "name"], [[_EMAIL, "Anna"], ["no address", None]]), {})
    ],
}


async def prepare(sandbox: Sandbox, client: SmsBy) -> Mapping[Any, Any]:
    """Have at the service what the calls need: the sample ids, and those that it gave."""
    first, second = await client.mailing_lists.create("1"), await client.mailing_lists.create("2")
    await client.mailing_lists.import_contacts(first, ["email"], [[_EMAIL]])
    letter: dict[str, Any] = {"sender": "news@shop.by", "subject": "Ж", "html": "<p>Ж</p>"}
    sending = await client.emails.send_to_list(list_id=first, **letter)
    bulk = await client.bulk.send(delivery_list=[_EMAIL], **letter)
    return {_LIST: first, _SECOND_LIST: second, _MESSAGE: sending.message_id, _UUID: bulk.uuid}
