"""Every chore of the project: ``nox -l`` lists them, ``nox -s tests`` runs the tests."""

import os
import shutil
import tempfile
from itertools import chain
from pathlib import Path

import nox

nox.options.sessions = ["tests", "lint", "types"]
nox.options.default_venv_backend = "venv"

PROJECT = nox.project.load_toml("pyproject.toml")
ROOM = 4_000_000_000  # bytes


def groups(*names: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, *names)


def oldest(requirement: str) -> str:
    """``attrs==25.1`` for ``attrs>=25.1``."""
    versions, *marker = requirement.partition(";")
    return versions.replace(">=", "==") + "".join(marker)


def pytest(session: nox.Session, *options: str) -> None:
    """Run the tests with more workers than cores, since many wait for a process, and with their
    files in memory where there is room: they make thousands of journals, and each commit of one
    waits for its disk.
    """
    workers = str(3 * (os.cpu_count() or 1) // 2 + 1)
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > ROOM
    with tempfile.TemporaryDirectory(dir=memory if has_room else None) as folder:
        command = ("pytest", "-n", workers, "--dist", "worksteal", *options, *session.posargs)
        session.run(*command, env={"TMPDIR": folder})


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on all cores."""
    session.install("-e", ".[cli,cluster,excel,fast,otel]", *groups("tests"))
    pytest(session)


@nox.session
def coverage(session: nox.Session) -> None:
    """The tests once more, and which lines and branches of mailkit they never reach."""
    session.install("-e", ".[cli,cluster,excel,fast,otel]", *groups("tests"))
    pytest(session, "--cov", "--cov-report=term:skip-covered")


@nox.session
def minimums(session: nox.Session) -> None:
    """The tests with the oldest versions that pyproject.toml allows."""
    project = PROJECT["project"]
    extras = chain(*project["optional-dependencies"].values())
    allowed = (*project["dependencies"], *extras, *groups("tests"))
    session.install("-e", ".[cli,cluster,excel,fast,otel]", *map(oldest, allowed))
    pytest(session)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff, and the direction of imports."""
    session.install("-e", ".[cli]", *groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict and pyright."""
    session.install("-e", ".[cli,cluster,excel,fast,otel]", *groups("types"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as a site, in build/docs; ``nox -s docs -- serve`` shows it while it is
    written.
    """
    session.install("-e", ".[cli,cluster,otel]", *groups("docs"))
    command = session.posargs or ["build", "--strict", "--site-dir", "build/docs"]
    session.run("mkdocs", *command, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def crash(session: nox.Session) -> None:
    """330 jobs, killed while others look on, join in and attack the journal's file; 20 times six
    sends in one journal; a small job that is killed at each of its system calls; campaigns to
    50,000 people, killed 200 times in all; six processes under the quotas of one journal; 100,000
    events for a receiver that is killed, too; 10,000 recipients on three providers; jobs in
    PostgreSQL whose four senders and server are struck 400 times.
    """
    session.install("-e", ".[cli,postgres]", *groups("tests"))
    if session.posargs:
        session.run("python", "-m", "tests.crash", *session.posargs)
        return
    session.run("python", "-m", "tests.crash")
    session.run("python", "-m", "tests.crash", "--crowd", "20", "--rows", "600")
    session.run("python", "-m", "tests.crash", "--calls", "1", "--rows", "300")
    session.run("python", "-m", "tests.crash", "--large", "200")
    session.run("python", "-m", "tests.crash", "--permits", "2000")
    session.run("python", "-m", "tests.crash", "--events", "100000")
    session.run("python", "-m", "tests.three")
    session.run("python", "-m", "tests.crash", "--postgres", "400")


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what mailkit stands on."""
    session.install("-e", ".[cli,cluster,excel,fast,otel]", "pip-audit")
    session.run("pip-audit", "--skip-editable", *session.posargs)


@nox.session
def simulation(session: nox.Session) -> None:
    """The promise in 10,000 made-up worlds; ``-- --seed N`` plays one again."""
    session.install("-e", ".")
    session.run("python", "-m", "tests.simulation", *session.posargs)


@nox.session
def search(session: nox.Session) -> None:
    """All that can happen to a few workers in ten minutes of searching; ``-- --without RULE`` shows
    what a rule is for.
    """
    session.install("-e", ".")
    session.run("python", "-m", "tests.search", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The measurements of benchmarks/; ``nox -s bench -- --quick`` for a short look."""
    wanted = (*groups("tests"), "-r", "benchmarks/requirements.txt")  # and PostgreSQL
    session.install("-e", ".[cli,cluster,fast]", *wanted)
    session.run("python", "-m", "benchmarks", *session.posargs)
