"""What ``mailkit doctor`` can find out about Devino, which has no call that only reads: whether
somebody is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailkit.core.call import Call, get
from mailkit.core.diagnosis import Check, Expected

__all__ = ["CHECKS"]


@get("/email/messages", repeatable=True)
class Reach(Call[None]):
    """Nothing that the service knows: messages are posted there. Any answer will do."""


def _there(nothing: None) -> str:
    return "the service answers; the credential can be checked only by sending"


CHECKS: Sequence[Check] = (Check("service", Reach(), _there, Expected.ANYTHING),)
