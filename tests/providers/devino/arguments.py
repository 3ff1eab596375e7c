"""One call of every operation in the catalogue, for the tests that go through all of them."""

from __future__ import annotations

from typing import Any

from mailkit.message import Attachment
from mailkit.providers.devino import MessageRecipient

ARGUMENTS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "devino.messages.send": (
        (),
        {
            "recipients": [
                MessageRecipient(
                    "recipient.1@email.com",
                    "James",
                    merge_fields={"Name": "James"},
                    extra_data={"key": "value"},
                ),
                "recipient.2@email.com",
            ],
            "sender": "TestShop <info@shop.example>",
            "subject": "Test message",
            "html": "<p>[Name], Welcome!</p>[Unsubscribe]",
            "attachment_ids": ["312e628f-65dc-4d1d-a12e-64d86b6c06ca.png"],
            "check_unsubscription": True,
        },
    ),
    "devino.files.upload": ((Attachment("letter.png", b"\x89PNG"),), {}),
}
