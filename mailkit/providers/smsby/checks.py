"""What ``mailkit doctor`` reads of an account of sms.by, which has few calls that only read."""

from __future__ import annotations

from collections.abc import Sequence

from mailkit.core.diagnosis import Check, Expected
from mailkit.providers.smsby.bulk import GetBulkStatus
from mailkit.providers.smsby.templates import ListTemplates, Template

__all__ = ["CHECKS"]

_UNUSED = "00000000-0000-0000-0000-000000000000"


def _templates(found: Sequence[Template]) -> str:
    return f"the credential works; {len(found)} can be read"


CHECKS: Sequence[Check] = (
    Check("templates", ListTemplates(), _templates),
    Check("unknown bulk send", GetBulkStatus(_UNUSED), expected=Expected.REFUSAL),
)
