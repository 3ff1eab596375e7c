"""What the error codes of SendPulse mean, and what to do about them.

The pages don't list them; these are in the service's own description and answers. A code is not an
HTTP status, though it can look like one.
"""

from __future__ import annotations

import re

from mailkit.core.call import Gone
from mailkit.core.wire import Refusal
from mailkit.core.words import about_account
from mailkit.remedies import remedy

__all__ = [
    "CAMPAIGN_REFUSED",
    "GONE",
    "NOBODY_ACTIVE",
    "NOBODY_THERE",
    "WEBHOOK_GONE",
    "refusal_of",
]

_CAMPAIGNS_USED_UP = 791
_TOO_FAST = 2020202020  # more than 10 requests in a second
_CODE_JUST_SENT = 1004
_QUOTAS = (_CAMPAIGNS_USED_UP, _TOO_FAST)
_RETRY_AFTER = {_CAMPAIGNS_USED_UP: 3600.0, _TOO_FAST: 1.0, _CODE_JUST_SENT: 900.0}
_CAMPAIGN_GONE = 602
_NONE_OF_THEM_THERE = 303
_MISSING = (31, 213, 290, 299, _NONE_OF_THEM_THERE, 404, 502, 802, 1003)
"""No such template, list, template, variable, addresses, thing, address, campaign, sender."""
_REMEDIES = {
    707: "top up the account's balance, then try again",
    708: "choose a larger tariff, or write to fewer contacts",
    3030303030: "choose a larger tariff, or delete contacts from other lists",
    _CAMPAIGN_GONE: "it has probably been sent: look in the dashboard before you send it again",
    _CODE_JUST_SENT: "use the code that was sent already",
}
_OF_THE_ACCOUNT = (707, 708, 3030303030)  # no money, more than the plan holds, above the plan
CAMPAIGN_REFUSED = (_CAMPAIGNS_USED_UP, _TOO_FAST, *_OF_THE_ACCOUNT)
"""With one of these, a campaign was certainly not created."""
_of_the_tariff = re.compile(r"(?i)\b(?:tariff|(?:pricing|subscription) plan|тариф)").search
_of_the_sender = re.compile(
    r"(?i)\bsender\b.*\b(?:inactive|not[ ._-](?:valid|active|activated|confirmed))\b"
).search


def refusal_of(reasons: tuple[str, ...], code: int) -> Refusal:
    """The refusal in these words with this code."""
    activate = remedy(
        "activate the sender with senders.request_code and senders.activate",
        "activate the sender in the dashboard",
    )
    sender, tariff = any(map(_of_the_sender, reasons)), any(map(_of_the_tariff, reasons))
    return Refusal(
        reasons,
        code,
        later=code in _RETRY_AFTER,
        retry_after=_RETRY_AFTER.get(code),
        quota=code in _QUOTAS,
        account=code in _OF_THE_ACCOUNT or sender or tariff or about_account(reasons),
        missing=code in _MISSING,
        remedy=_REMEDIES.get(code, activate if sender else ""),
    )


def _is_gone(refusal: Refusal) -> bool:
    return refusal.missing and refusal.code != _CAMPAIGN_GONE


def _nobody_active(refusal: Refusal) -> bool:
    return any("active emails not found" in reason.casefold() for reason in refusal.reasons)


GONE = Gone(_is_gone, b'{"result":true}')
"""What was to be deleted is not there."""
WEBHOOK_GONE = Gone(lambda refusal: refusal.missing or refusal.code is None, b"[true]")
"""The same of a webhook, about which the service just says false."""
NOBODY_THERE = Gone(lambda refusal: refusal.code == _NONE_OF_THEM_THERE, b'{"result":true}')
"""None of the addresses is in the list; a list that is not there is another matter."""
NOBODY_ACTIVE = Gone(_nobody_active, b'{"result":true}')
"""None of the addresses gets emails through the list any more."""
