"""A message's placeholders as Listmail's merge fields: ``[[f0]]`` for the first, and so on.

The service has no defaults and escapes nothing, so both are done here, contact by contact.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from mailkit import Message
from mailkit.provider import Placeholder, Template, rewrite

__all__ = ["MergeFields"]


class MergeFields:
    """Subject and html as the service takes them, and each recipient's values."""

    def __init__(self, message: Message, columns: Sequence[str]) -> None:
        template = Template.parse(message).resolved(columns)  # refuses what has no column
        self.render = template.compile(columns)
        self._slots: list[Placeholder] = []
        self.subject = rewrite(template.subject, self._field)
        self._plain = len(self._slots)
        self.html = rewrite(template.body, self._field)

    def values(self, row: Sequence[str]) -> dict[str, str]:
        """The fields for a recipient's values, in the order of the columns; or InvalidRow."""
        self.render(row)  # what no message of mailkit may hold is refused there
        fields = {}
        for n, slot in enumerate(self._slots):
            value = slot.fill(row[slot.place])
            fields[f"f{n}"] = value if n < self._plain else html.escape(value)
        return fields

    def _field(self, slot: Placeholder) -> str:
        self._slots.append(slot)
        return f"[[f{len(self._slots) - 1}]]"
