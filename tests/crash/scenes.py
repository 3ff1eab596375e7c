"""Who is there besides a job's engine, and what befalls the journal's file."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .attacks import ATTACKS
from .observers import DISTURBING

__all__ = ["Scene", "scene_of"]

LOOKING = ("status", "report")
OTHERS = (
    *("sitter", "rival", "resolver", "linked", "second"),
    *("copied", "corrected", "moved", "again", "hard-linked"),
)
TYPED = ("mailkit status", "mailkit report", "mailkit resume")


@attrs.frozen
class Scene:
    """The observers of a job; an ``attack`` ends it; ``typed``: its engine is a command;
    ``listens``: ``mailkit listen`` takes the provider's events meanwhile; so ``slowly`` the
    provider answers, in seconds, that nobody comes too late to join.
    """

    observers: Sequence[str] = ()
    attack: str | None = None
    typed: bool = False
    listens: bool = False
    slowly: float = 0.0

    @property
    def disturbed(self) -> bool:
        """Whether anybody may be refused the journal now and then."""
        return not DISTURBING.isdisjoint(self.observers)


def scene_of(seed: int, observers: Sequence[str] | None, attacks: Sequence[str] | None) -> Scene:
    """By turns of the seed: an attack at every fifth one, commands at every tenth, else two who
    look and two others, and at every second turn one who listens. What is given replaces the turns;
    the provider goes by seed % 3.
    """
    turn = seed // 3
    attack = None
    if seed % 5 == 4:
        chosen = tuple(ATTACKS) if attacks is None else attacks
        attack = chosen[seed // 5 % len(chosen)] if chosen else None
    listens = turn % 2 == 0
    if observers is not None:
        return Scene(observers, attack, listens=listens)
    if attack is not None:
        return Scene(LOOKING, attack)
    if seed % 10 in (2, 7) and seed // 10 % 2:
        return Scene(TYPED, typed=True)
    first, second = OTHERS[turn % len(OTHERS)], OTHERS[(turn // 3 + 1) % len(OTHERS)]
    return Scene((*LOOKING, *dict.fromkeys((first, second))), listens=listens)
