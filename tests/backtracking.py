"""What a regular expression may cost: the steps of a plain backtracking matcher, counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, cast

Then = Callable[[int], bool]
"""What must match from a place on."""

CHARS = list("aAemz159 \t\n\0é.,:;-_@{}[]|='\"\\%<&/?#“\u200b")
"""What stands for a set of characters: one of these that is in it."""

_parser, _compiler = cast("Any", re)._parser, cast("Any", re)._compiler


def steps(pattern: re.Pattern[Any], method: str, text: str | bytes) -> tuple[list[Any], int]:
    """The spans that ``pattern.method(text)`` finds, and the steps to find them."""
    matcher = _Matcher(pattern, text)
    if method == "fullmatch":
        spans = matcher.spans(0, lambda end: end == len(text))
    elif method == "match":
        spans = matcher.spans(0, lambda end: True)
    else:
        spans, start = [], 0
        while start <= len(text) and not (spans and method == "search"):
            found = matcher.spans(start, lambda end: True)
            spans += found
            start = max(start + 1, *(end for _, end in found)) if found else start + 1
    return spans, matcher.steps


def sample(pattern: re.Pattern[Any], random: Random) -> Any:
    """A text that the pattern matches, unless it looks around."""
    matcher = _Matcher(pattern, "")
    empty = pattern.pattern[:0]

    def made(nodes: Any) -> Any:
        return empty.join(one(str(kind), what, kind) for kind, what in nodes)

    def one(name: str, what: Any, kind: Any) -> Any:
        match name:
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, node = what
                times = random.randint(least, max(least, min(most, 3)))
                return empty.join(made(node) for _ in range(times))
            case "SUBPATTERN":
                return made(what[-1])
            case "BRANCH":
                return made(random.choice(what[1]))
            case "LITERAL":
                return chr(what) if isinstance(empty, str) else bytes([what])
            case "AT" | "ASSERT" | "ASSERT_NOT":
                return empty
        chars: list[Any] = [*CHARS]
        if isinstance(empty, bytes):
            chars = [char.encode("latin1") for char in CHARS if char < "\u0100"]
        fits = matcher.leaf(kind, what).match
        others: list[Any] = [chr(code) for code in range(0x500)]
        if isinstance(empty, bytes):
            others = [bytes([code]) for code in range(256)]
        return random.choice([*filter(fits, chars)] or [*filter(fits, others)])

    return made(matcher.tree)


class _Matcher:
    def __init__(self, pattern: re.Pattern[Any], text: str | bytes) -> None:
        self.tree = _parser.parse(pattern.pattern, pattern.flags)
        self.flags = pattern.flags
        self.leaves: dict[tuple[str, int], re.Pattern[Any]] = {}
        self.text = text
        self.steps = 0

    def spans(self, start: int, fits: Then) -> list[tuple[int, int]]:
        ends: list[int] = []
        self.run(list(self.tree), start, lambda end: fits(end) and _note(ends, end))
        return [(start, end) for end in ends]

    def run(self, nodes: Sequence[Any], at: int, then: Then) -> bool:
        """Whether the nodes match from ``at`` on, and what comes ``then`` after them."""
        self.steps += 1
        assert self.steps < 1_000_000, "no end in sight"
        if not nodes:
            return then(at)
        (kind, what), rest = nodes[0], nodes[1:]

        def on(end: int) -> bool:
            return self.run(rest, end, then)

        match str(kind):
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self.repeat(what, 0, at, on, lazy=str(kind) == "MIN_REPEAT")
            case "POSSESSIVE_REPEAT":
                ends: list[int] = []
                return self.repeat(what, 0, at, lambda end: _note(ends, end)) and on(ends[0])
            case "SUBPATTERN":
                return self.run(list(what[-1]), at, on)
            case "BRANCH":
                return any(self.run(list(branch), at, on) for branch in what[1])
        found = self.leaf(kind, what).match(self.text, at)
        return found is not None and on(found.end())

    def repeat(self, what: Any, times: int, at: int, on: Then, *, lazy: bool = False) -> bool:
        least, most, node = what

        def again() -> bool:
            def then(end: int) -> bool:
                return end > at and self.repeat(what, times + 1, end, on, lazy=lazy)

            return times < most and self.run(list(node), at, then)

        if times < least:
            return again()
        return on(at) or again() if lazy else again() or on(at)

    def leaf(self, kind: Any, what: Any) -> re.Pattern[Any]:
        """A character, a set of them, a boundary, a look around."""
        key = str(kind), id(what)
        if key not in self.leaves:
            node = _parser.SubPattern(self.tree.state, [(kind, what)])
            self.leaves[key] = _compiler.compile(node, self.flags)
        return self.leaves[key]


def _note(ends: list[int], end: int) -> bool:
    ends.append(end)
    return True
