"""Sample arguments for every row of the catalogue: the row's id, and the calls of its method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailkit.attachment import Attachment
from mailkit.providers.devino import Devino, MessageRecipient
from mailkit.sandbox import Sandbox

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]

_FILE = "312e628f-65dc-4d1d-a12e-64d86b6c06ca.png"
_LETTER = {
    "sender": "TestShop <info@shop.example>",
    "subject": "Test message",
    "html": "<p>[Name], Welcome!</p>[Unsubscribe]",
}

ARGUMENTS: Mapping[str, Sequence[Arguments]] = {
    "devino.messages.send": [
        (
            (),
            {
                **_LETTER,
                "recipients": [
                    MessageRecipient(
                        "recipient.1@email.com",
                        "James",
                        merge_fields={"Name": "James"},
                        extra_data={"key": "value"},
                    ),
                    "recipient.2@email.com",
                ],
                "attachment_ids": [_FILE],
                "check_unsubscription": True,
            },
        ),
    ],
    "devino.files.upload": [((Attachment("letter.png", b"\x89PNG"),), {})],
}


async def prepare(sandbox: Sandbox, client: Devino) -> Mapping[Any, Any]:
    """Have at the service what the calls need: the sample ids, and those that it gave."""
    uploaded = await client.files.upload(Attachment("letter.png", b"\x89PNG"))
    return {_FILE: uploaded.file_id}
