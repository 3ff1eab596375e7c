"""A shop that mails its customers: a sandbox, a folder with letter and list, the command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

import attrs
import pytest
from typer import testing
from typer.main import get_command
from typer.testing import CliRunner, Result

from mailkit import Quota
from mailkit.cli.app import app
from mailkit.sandbox import Fault, Sandbox, sandbox_in_thread

from .. import forking
from ..approval import approve

SENDER = "Shop <news@shop.example>"
PLAIN = {"sender": SENDER, "subject": "Autumn", "html": "<p>Hello</p>"}
PERSONAL = {"sender": SENDER, "subject": "Hi {{ name }}", "html": "<p>Hello {{ name }}</p>"}
SEND = "smsby.bulk.send"

EAGER: Mapping[str, object] = {
    "mailkit.bulk.polling.FIRST_POLL": 0.01,
    "mailkit.bulk.engine.OTHERS_SECONDS": 0.02,
    "mailkit.bulk.holds.LOOK_SECONDS": 0.1,
    "mailkit.bulk.resuming.LOOK_SECONDS": 0.02,
    "mailkit.bulk.cancel.LOOK_SECONDS": 0.02,
    "mailkit.cli.progress.LOOK_EVERY": 0.1,
    "mailkit.cli.ending.REPEATED_SECONDS": 0.0,
    "mailkit.providers.sendpulse._REQUESTS": Quota(1000, 1.0, "requests"),
}
"""Commands of the tests look more often than others, in this process and in those of their own."""

# What puts the command together, which takes longer than most commands: once is enough.
testing._get_command = cache(get_command)  # type: ignore[attr-defined]

Process = subprocess.Popen[str]
Files = Mapping[str, int | IO[str]]
"""What the process gets as stdin, stdout or stderr."""


@attrs.frozen
class Ended:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def check_refusal(self, name: str, /, **places: object) -> None:
        """It is an error of one sentence, which is approved under this name."""
        assert (self.code, self.out) == (1, "")
        assert self.err.startswith("mailkit: ")
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        sentence = self.err.removeprefix("mailkit: ").rstrip("\n")
        approve(f"refused: {name}", sentence, **places)

    def check_usage(self, name: str, /) -> None:
        """It is wrong usage; what is said of it is approved under this name."""
        assert (self.code, self.out) == (2, "")
        _, _, box = self.err.partition("Error")
        lines = (line.strip("│╭╮╰╯─ ") for line in box.splitlines())
        approve(f"usage: {name}", " ".join(line for line in lines if line))


@attrs.frozen
class Shop:
    """Calling it runs ``mailkit`` in this process, ``spawn`` and ``run`` in one of its own."""

    sandbox: Sandbox
    folder: Path
    environment: dict[str, str]

    @property
    def journal(self) -> Path:
        return Path(self.environment["MAILKIT_JOURNAL"])

    def __call__(
        self,
        *words: str | Path,
        stdin: str | bytes = "",
        environment: Mapping[str, str | None] | None = None,
    ) -> Ended:
        """The command in this process; ``environment`` has what is not as usual."""
        own = dict.fromkeys(name for name in os.environ if name.startswith("MAILKIT_"))
        env = {**own, **self.environment, **(environment or {})}
        ended = invoke(*words, stdin=stdin, env=env)
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def spawn(
        self,
        *words: str | Path,
        line: str | None = None,
        streams: int = subprocess.PIPE,
        session: bool = False,
        files: Files | None = None,
    ) -> Process:
        """The command in a process of its own, with pipes or another file as its streams, and
        these ``files`` as single ones; it is the ``"$@"`` of a ``line`` of shell, if there is one,
        which may lead a ``session``.
        """
        own = {k: v for k, v in os.environ.items() if not k.startswith("MAILKIT_")}
        options: dict[str, Any] = {
            **dict.fromkeys(("stdin", "stdout", "stderr"), streams),
            **(files or {}),
            "text": True,
            "encoding": "utf-8",
            "env": {**own, **self.environment},
        }
        if line is None:
            return forking.start("mailkit", *words, constants=EAGER, **options)
        command = ["bash", "-c", line, "bash", sys.executable, "-m", "mailkit", *map(str, words)]
        return subprocess.Popen(command, start_new_session=session, **options)

    def run(
        self,
        *words: str | Path,
        stdin: str = "",
        line: str | None = None,
        files: Files | None = None,
    ) -> Ended:
        """The command in a process of its own, until its end."""
        with self.spawn(*words, line=line, files=files) as process:
            return end_of(process, stdin)

    def on_terminal(self, *words: str | Path) -> Ended:
        """The command in a process of its own on a terminal, until its end; ``out`` has all that
        the terminal was to show.
        """
        screen, other = os.openpty()
        with self.spawn(*words, streams=other) as process:
            os.close(other)
            shown = screened(screen)
            return Ended(process.wait(30), shown.decode(errors="surrogateescape"), "")

    def send(self, *words: str | Path, stdin: str | bytes = "") -> Ended:
        """``mailkit send --provider smsby`` in this process."""
        return self("send", *words, "--provider", "smsby", stdin=stdin)

    def letter(self, name: str = "message.toml", /, **words: object) -> Path:
        """A message.toml with these words, or with those of a plain letter."""
        path = self.folder / name
        lines = (f"{word} = {_toml(value)}\n" for word, value in (words or PLAIN).items())
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def table(self, rows: Sequence[str], name: str = "autumn.csv") -> Path:
        """A CSV file of these lines, the first of which is the header."""
        path = self.folder / name
        path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
        return path

    def customers(self, count: int, name: str = "autumn.csv") -> Path:
        """A list of so many customers with names."""
        return self.table(["email,name", *(f"{customer(n)},Name {n}" for n in range(count))], name)

    def report(self, job: str = "autumn") -> Any:
        """The job's report as JSON."""
        return self("report", job, "--json").json

    def states(self, job: str = "autumn") -> dict[str, str]:
        """Address to state, of every row."""
        rows = self("report", job, "--csv").out.splitlines()
        place = rows[0].split(",").index("state")
        return {cells[0]: cells[place] for cells in (row.split(",") for row in rows[1:])}

    def accepted(self, job: str = "autumn") -> list[str]:
        """The addresses that the journal counts as accepted."""
        return [address for address, state in self.states(job).items() if state == "accepted"]

    def in_journal(self, table: str, where: str = "1") -> int:
        """How many lines a table of the journal has; none if there is no journal."""
        if not self.journal.is_file():
            return 0
        with closing(sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                return 0
            count: int = db.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]
            return count

    def until(self, condition: Callable[[], object], process: Process | None = None) -> None:
        """Wait until the condition holds; a process that ends before is a failure."""
        deadline = time.monotonic() + 30
        while not condition():
            assert process is None or process.poll() is None, end_of(process)
            assert time.monotonic() < deadline, "this never happened"
            time.sleep(0.002)

    def until_requests(self, count: int, process: Process) -> None:
        """Wait until so many bulk sends have come, or the process has ended."""
        self.until(lambda: self.sandbox.requests[SEND] >= count or process.poll() is not None)

    def hold(self) -> Callable[[], None]:
        """From now on bulk sends are acted upon and not answered, until the function that this
        returns is called; later ones are answered at once.
        """
        server, released = self.sandbox._server, asyncio.Event()
        pause = server.pause

        async def hold(seconds: float) -> None:
            waits = [asyncio.ensure_future(one) for one in (pause(seconds), released.wait())]
            try:
                ended, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                await ended.pop()
            finally:
                for wait in waits:
                    wait.cancel()

        def release() -> None:
            self.sandbox.faults.clear()
            server.pause = pause  # type: ignore[method-assign]
            server._in_loop(released.set)

        server.pause = hold  # type: ignore[method-assign]
        self.sandbox.faults.add(Fault("slow_answer", on=SEND, seconds=600))
        return release

    def settled(self) -> None:
        """Wait until the sandbox is done with every request that has reached it."""
        self.until(lambda: self.sandbox.is_idle)


def invoke(*words: str | Path, stdin: str | bytes = "", env: Mapping[str, str | None]) -> Result:
    """``mailkit`` in this process, with this environment on top of its own."""
    return CliRunner().invoke(
        app, [str(word) for word in words], input=stdin, env=env, catch_exceptions=False
    )


def customer(n: int) -> str:
    return f"customer{n}@example.com"


def end_of(process: Process, stdin: str | None = None) -> Ended:
    """Wait for the process to end."""
    out, err = process.communicate(stdin, timeout=30)
    return Ended(process.returncode, out or "", err or "")  # None: it went elsewhere


def insist(process: Process, number: int) -> None:
    """Send the signal until the process ends: one that comes soon after the first only repeats it,
    unless the process was forked (see EAGER).
    """
    while process.poll() is None:
        process.send_signal(number)
        time.sleep(0.002)


def kill(process: Process) -> None:
    """kill -9."""
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)


@contextmanager
def open_shop(folder: Path, **settings: Any) -> Iterator[Shop]:
    """A shop with a sandbox in a thread."""
    with sandbox_in_thread(**settings) as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in EAGER.items():
            patch.setattr(name, value)
        environment = {
            **sandbox.environment(),
            "MAILKIT_JOURNAL": str(folder / "journal.db"),
            "PYTHONWARNINGS": "error",
        }
        yield Shop(sandbox, folder, environment)


def screened(screen: int) -> bytes:
    """All that a terminal is still to show, until nobody has it open any more; closes it."""
    shown = b""
    try:
        while more := os.read(screen, 65536):
            shown += more
    except OSError:  # so Linux says that nobody has
        pass
    finally:
        os.close(screen)
    return shown


def _toml(value: object) -> str:
    if isinstance(value, Mapping | Sequence) or value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)
