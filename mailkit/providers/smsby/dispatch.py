"""sms.by's part in a bulk send: one bulk.send a chunk, then its status lists.

A message without placeholders goes out in the mode ``bulk``; any other is rendered here, a
letter for each recipient, in the mode ``personal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mailkit.core.dispatch import Chunk, Polled, RowStatus, Sent
from mailkit.bulk.template import Template
from mailkit.errors import InvalidArgument, Unsupported
from mailkit.message import Message
from mailkit.providers.smsby.bulk import PersonalLetter

if TYPE_CHECKING:
    from mailkit.providers.smsby import SmsBy

__all__ = ["SmsByDispatch"]
