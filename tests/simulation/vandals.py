"""What befalls the journal's file in a made-up world; the promise holds all the same."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mailkit.bulk.report import make_report
from mailkit.errors import JournalError

from .disk import PARTS

if TYPE_CHECKING:
    from .world import World

__all__ = ["RESTORES", "VANDALS", "Backup"]


async def _linked(world: World, happened: Counter[str]) -> None:
    """A symbolic link is another name of the same journal."""
    link = world.disk.path.with_name("link.db")
    if not link.exists():
        link.symlink_to(world.disk.path)
    async with world.disk.opened(link) as journal:
        for record in await journal.jobs.list():
            async with world.sender(journal) as sender:
                await (await sender.resume(record.name)).wait()
    happened["resumed through a link"] += 1


async def _hard_linked(world: World, happened: Counter[str]) -> None:
    """So is a hard link, but nobody can tell where SQLite keeps the rest of it."""
    link = world.disk.path.with_name("hard-link.db")
    os.link(world.disk.path, link)
    try:
        async with world.disk.opened(link) as journal:
            for record in await journal.jobs.list():
                async with world.sender(journal) as sender:
                    await (await sender.resume(record.name)).wait()
    finally:
        link.unlink()
    happened["resumed through a hard link"] += 1


async def _copied(world: World, happened: Counter[str]) -> None:
    """A copy is refused, whatever it holds."""
    copy = world.disk.path.with_name("copy.db")
    _copy(world.disk.path, copy, world.rng.choice((PARTS[:1], PARTS[:2], PARTS)))
    try:
        async with world.disk.opened(copy) as journal:
            await make_report(journal, "job")
        raise AssertionError("a copy of the journal was opened")
    except JournalError:
        happened["copies refused"] += 1
    finally:
        _remove(copy)


async def _moved(world: World, happened: Counter[str]) -> None:
    """Moved away, and back a while later. Before anything was sent, a new one may be made in its
    place, which nobody would overwrite.
    """
    if not world.truth.emails:
        return
    away = world.disk.path.with_name("away.db")
    world.disk.path.rename(away)
    try:
        await asyncio.sleep(world.rng.expovariate(2))
    finally:
        away.rename(world.disk.path)
    happened["moved away and back"] += 1


VANDALS: Mapping[str, Callable[[World, Counter[str]], Awaitable[None]]] = {
    "linked": _linked,
    "hard-linked": _hard_linked,
    "copied": _copied,
    "moved": _moved,
}


class Backup:
    """A copy of the journal's file, taken while its processes are at work or dead."""

    def __init__(self, world: World) -> None:
        self._path = world.disk.path
        self._copy = self._path.with_name("backup.db")
        _copy(self._path, self._copy, world.rng.choice((PARTS[:1], PARTS[:2])))
        self.accepted = world.side.accepted

    def restore(self, how: str) -> None:
        """Put it back. Every process has ended."""
        RESTORES[how](self._copy, self._path)


def _over(backup: Path, journal: Path) -> None:
    for end in PARTS[1:]:
        _part(journal, end).unlink(missing_ok=True)
    _copy(backup, journal, PARTS[:2])


def _instead(backup: Path, journal: Path) -> None:
    _remove(journal)
    for end in PARTS[:2]:
        if _part(backup, end).exists():
            _part(backup, end).rename(_part(journal, end))


def _gone(backup: Path, journal: Path) -> None:
    _remove(journal)


RESTORES: Mapping[str, Callable[[Path, Path], None]] = {
    "cp": _over,
    "mv": _instead,
    "rm": _gone,
}


def _part(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _copy(source: Path, target: Path, parts: tuple[str, ...]) -> None:
    for end in parts:
        if _part(source, end).exists():
            shutil.copyfile(_part(source, end), _part(target, end))


def _remove(path: Path) -> None:
    for end in PARTS:
        _part(path, end).unlink(missing_ok=True)
