"""What befalls the journal's file in daily life, so that it is no longer the one that was written.

Each attack runs in a process of its own, so that it drops nobody's locks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import attrs

from .life import Errand
from .processes import Forked

__all__ = ["ATTACKS", "Attack", "back_up", "strike"]

PARTS = ("", "-wal", "-shm")


@attrs.frozen
class Attack:
    """``strike`` does it to the journal with a backup; afterwards nobody may be mailed again by a
    resume, nor (unless the ``memory`` is gone too) by a second send.
    """

    strike: Callable[[Path, Path], None]
    memory: bool = True


def _part(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _copy(journal: Path, backup: Path) -> None:
    """``cp backup journal``: the same file, with an old content."""
    shutil.copyfile(backup, journal)


def _copy_all(journal: Path, backup: Path) -> None:
    for end in PARTS:
        if _part(backup, end).exists():
            shutil.copyfile(_part(backup, end), _part(journal, end))


def _copy_without_wal(journal: Path, backup: Path) -> None:
    for end in PARTS[1:]:
        _part(journal, end).unlink(missing_ok=True)
    shutil.copyfile(backup, journal)


def _in_place(journal: Path, backup: Path) -> None:
    """``rsync --inplace``: block by block, cut to its length at the end."""
    content = backup.read_bytes()
    with journal.open("r+b") as file:
        for start in range(0, len(content), 4096):
            file.seek(start)
            file.write(content[start : start + 4096])
        file.truncate(len(content))


def _put(journal: Path, backup: Path) -> None:
    """``mv backup journal``: another file under the old name."""
    backup.rename(journal)


def _put_all(journal: Path, backup: Path) -> None:
    for end in PARTS:
        if _part(backup, end).exists():
            _part(backup, end).rename(_part(journal, end))


def _remove(journal: Path, backup: Path) -> None:
    journal.unlink()


def _remove_all(journal: Path, backup: Path) -> None:
    for end in PARTS:
        _part(journal, end).unlink(missing_ok=True)


def _remove_wal(journal: Path, backup: Path) -> None:
    _part(journal, "-wal").unlink(missing_ok=True)


def _remove_everything(journal: Path, backup: Path) -> None:
    """The whole folder, with whatever stands next to the journal."""
    for path in list(journal.parent.iterdir()):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _empty(journal: Path, backup: Path) -> None:
    """``> journal``"""
    with journal.open("r+b") as file:
        file.truncate(0)


def _move(journal: Path, backup: Path) -> None:
    """Away, never to return."""
    journal.rename(journal.with_name("moved.db"))


ATTACKS: Mapping[str, Attack] = {
    "cp": Attack(_copy),
    "cp with -wal": Attack(_copy_all),
    "cp without -wal": Attack(_copy_without_wal),
    "rsync --inplace": Attack(_in_place),
    "mv": Attack(_put),
    "mv with -wal": Attack(_put_all),
    "rm": Attack(_remove),
    "rm with -wal": Attack(_remove_all),
    "rm -wal": Attack(_remove_wal),
    "emptied": Attack(_empty),
    "moved away": Attack(_move),
    "rm -r": Attack(_remove_everything, memory=False),
}


def back_up(errand: Errand, rng: Random) -> Path:
    """Copy the journal at this moment, with or without its -wal; where the copy is."""
    backup = errand.list.with_suffix(".backup.db")
    parts = rng.choice((PARTS[:1], PARTS[:2], PARTS))

    def work() -> int:
        for end in parts:
            if _part(errand.journal, end).exists():
                shutil.copyfile(_part(errand.journal, end), _part(backup, end))
        return 0

    Forked("backup", work).wait()
    return backup


def strike(attack: Attack, errand: Errand, backup: Path) -> None:
    """Do it."""

    def work() -> int:
        attack.strike(errand.journal, backup)
        return 0

    Forked("attack", work).wait()
