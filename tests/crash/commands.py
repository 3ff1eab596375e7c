"""``mailkit`` as a user types it, in processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs

from mailkit import Message

from .processes import Forked

__all__ = ["CommandLine", "write_message"]


@attrs.frozen
class CommandLine:
    """The environment of a job's commands, and the file that gets their stderr."""

    environment: Mapping[str, str]
    errors: Path

    def run(self, journal: Path, *words: str) -> None:
        """A command to its end."""
        with self.errors.open("ab") as errors:
            subprocess.run(
                [sys.executable, "-m", "mailkit", *words],
                env=self._environment(journal),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                check=False,
            )

    def start(self, journal: Path, *words: str) -> Forked:
        """A command under way."""

        def work() -> int:
            errors = os.open(self.errors, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            nothing = os.open(os.devnull, os.O_RDWR)
            for number, file in enumerate((nothing, nothing, errors)):
                os.dup2(file, number)
            command = (sys.executable, "-m", "mailkit", *words)
            os.execve(command[0], command, self._environment(journal))

        return Forked(f"mailkit {words[0]}", work)

    def tracebacks(self) -> list[str]:
        """The last lines of tracebacks that a command printed."""
        if not self.errors.exists():
            return []
        _, *others = self.errors.read_text(errors="replace").split("Traceback (most recent ")
        return [f"a traceback: {one[-1000:]}" for one in others]

    def _environment(self, journal: Path) -> dict[str, str]:
        own = {k: v for k, v in os.environ.items() if not k.startswith("MAILKIT_")}
        return {**own, **self.environment, "MAILKIT_JOURNAL": str(journal)}


def write_message(path: Path, message: Message) -> Path:
    """The message as a file."""
    words = {"sender": str(message.sender), "subject": message.subject, "html": message.html}
    lines = (f"{word} = {json.dumps(value)}\n" for word, value in words.items())
    path.write_text("".join(lines), encoding="utf-8")
    return path
