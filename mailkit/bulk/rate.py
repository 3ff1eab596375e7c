"""A job's rate: how many recipients in which time its sender wants to be mailed at most."""

from __future__ import annotations

import re

from mailkit.bulk.journal.permits import RECIPIENTS
from mailkit.core.window import Quota
from mailkit.errors import InvalidArgument

__all__ = ["quota_of"]

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_rate = re.compile(r"([1-9]\d{0,8})/(s|min|h|d)").fullmatch


def quota_of(rate: str) -> Quota:
    """The quota of a rate such as ``5000/h``; InvalidArgument if it is not one."""
    found = _rate(str(rate))
    if found is None:
        raise InvalidArgument(f"rate: {rate!r} is not a rate: use e.g. 100/min, 5000/h or 20000/d")
    return Quota(int(found[1]), _SECONDS[found[2]], RECIPIENTS)
