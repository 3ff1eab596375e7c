"""Rows grouped by why they failed: a million rows have a few reasons, said in many ways."""

from __future__ import annotations

import re
from collections.abc import Sequence

import attrs

from mailkit.bulk.journal import Failure
from mailkit.bulk.policy import without

__all__ = ["EXAMPLES", "GROUPS", "OTHERS", "ReasonGroup", "Reasons"]

GROUPS, EXAMPLES = 100, 3
OTHERS = "other reasons"

_numbers = re.compile(r"\d+").sub


@attrs.frozen
class ReasonGroup:
    """Rows of one ``kind``, a state or a delivery's, that all failed for one reason, and the first
    few of them.
    """

    kind: str
    reason: str
    rows: int
    examples: Sequence[Failure]


class Reasons:
    """Groups of rows; addresses and numbers in a reason don't make it another one. A kind has so
    many groups at most, and one more for all others.
    """

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, ReasonGroup]] = {}
        self._keys: dict[str, str] = {}

    def add(self, failure: Failure) -> None:
        """One row, or several that failed together."""
        groups = self._groups.setdefault(failure.kind, {})
        key = self._key(failure)
        if key not in groups and len(groups) >= GROUPS:
            key = OTHERS
        group = groups.get(key) or ReasonGroup(failure.kind, failure.reason, 0, ())
        examples = group.examples
        if len(examples) < EXAMPLES:
            examples = (*examples, failure)
        reason = failure.reason if group.reason == failure.reason else key
        groups[key] = ReasonGroup(failure.kind, reason, group.rows + failure.rows, examples)

    def of(self, kind: str) -> Sequence[ReasonGroup]:
        """The groups of a kind, the largest first."""
        return sorted(self._groups.get(kind, {}).values(), key=lambda group: -group.rows)

    def _key(self, failure: Failure) -> str:
        reason = without(failure.address, failure.reason)
        if reason not in self._keys:
            if len(self._keys) >= 10 * GROUPS:
                self._keys.clear()
            self._keys[reason] = _numbers("…", reason)
        return self._keys[reason]
