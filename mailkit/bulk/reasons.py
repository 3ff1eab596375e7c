"""Rows grouped by why they failed: a million rows have a few reasons, said in many ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

import attrs

from mailkit.bulk.journal import Failure, RowState
from mailkit.bulk.policy import without
from mailkit.events import DeliveryStatus

__all__ = ["EXAMPLES", "GROUPS", "OTHERS", "Kind", "ReasonGroup", "Reasons", "first_of"]

T = TypeVar("T")

Kind = RowState | DeliveryStatus

GROUPS, EXAMPLES = 100, 3
OTHERS = "other reasons"

# But for the code that a mail server's words begin with, such as 550 5.1.1.
_numbers = re.compile(r"(^[245]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3})?\b)|\d+").sub


@attrs.frozen
class ReasonGroup:
    """Rows of one ``kind`` that all failed for one reason, and the first
    few of them.
    """

    kind: Kind
    reason: str
    rows: int
    examples: Sequence[Failure]

    def to_dict(self) -> dict[str, object]:
        """The same as plain values, ready for JSON."""
        return {
            "state": self.kind,
            "reason": self.reason,
            "rows": self.rows,
            "examples": [
                {"state": row.kind, "line": row.line, "address": row.address, "reason": row.reason}
                for row in self.examples
            ],
        }


@attrs.define
class _Counted:
    """A group that grows; its ``reason`` is that of all its rows, or what these have in common."""

    reason: str
    rows: int = 0
    examples: list[Failure] = attrs.field(factory=list)


class Reasons:
    """Groups of rows; addresses and numbers in a reason don't make it another one. A kind has so
    many groups at most, and one more for all others.
    """

    def __init__(self) -> None:
        self._groups: dict[Kind, dict[str, _Counted]] = {}
        self._keys: dict[str, str] = {}

    def add(self, failure: Failure, *, distinct: bool = False) -> None:
        """One row, or several that failed together; if it is to be ``distinct``, it is no example
        of words that have one.
        """
        groups = self._groups.setdefault(failure.kind, {})
        key = self._key(failure)
        if key not in groups and len(groups) >= GROUPS:
            key = OTHERS
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Counted(failure.reason)
        if len(group.examples) < EXAMPLES and not (
            distinct and any(one.reason == failure.reason for one in group.examples)
        ):
            group.examples.append(failure)
        if group.reason != failure.reason:
            group.reason = key
        group.rows += failure.rows

    def of(self, kind: Kind) -> Sequence[ReasonGroup]:
        """The groups of a kind, the largest first."""
        groups = [
            ReasonGroup(kind, one.reason, one.rows, tuple(one.examples))
            for one in self._groups.get(kind, {}).values()
        ]
        return sorted(groups, key=lambda group: -group.rows)

    def _key(self, failure: Failure) -> str:
        reason = without(failure.address, failure.reason)
        if reason not in self._keys:
            if len(self._keys) >= 10 * GROUPS:
                self._keys.clear()
            self._keys[reason] = _numbers(lambda found: found[1] or "…", reason)
        return self._keys[reason]


def first_of(items: Sequence[T], most: int) -> Sequence[T]:
    """The first ``most`` of them; one more takes no more room than to say that there is one."""
    return items if len(items) == most + 1 else items[:most]
