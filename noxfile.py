"""Every chore of the project: ``nox -l`` lists them, ``nox -s tests`` runs one."""

import nox

nox.options.sessions = ["tests", "lint", "types"]
nox.options.default_venv_backend = "venv"

PROJECT = nox.project.load_toml("pyproject.toml")


def groups(*names: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, *names)


@nox.session
def demo(session: nox.Session) -> None:
    """100,000 recipients through a local sandbox: planned, sent, polled, accounted for."""
    session.install("-e", ".[cli,fast]", silent=True)
    session.run("mailkit", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The tests, on all cores, with line and branch coverage."""
    session.install("-e", ".[cli,fast]", *groups("tests"))
    session.run("pytest", "-n", "auto", "--cov", "--cov-report=term:skip-covered", *session.posargs)


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
    session.install("-e", ".[cli,fast]", *groups("types"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def crash(session: nox.Session) -> None:
    """200 jobs, each killed five times with SIGKILL, compared with the sandbox's truth."""
    session.install("-e", ".[cli]")
    session.run("python", "-m", "tests.crash", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of what mailkit stands on."""
    session.install("-e", ".[cli,fast]", "pip-audit")
    session.run("pip-audit", "--skip-editable", *session.posargs)


@nox.session
def simulation(session: nox.Session) -> None:
    """The promise in 10,000 made-up worlds; ``-- --seed N`` plays one again."""
    session.install("-e", ".")
    session.run("python", "-m", "tests.simulation", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The measurements of benchmarks/; ``nox -s bench -- --quick`` for a short look."""
    session.install("-e", ".[cli,fast]", "-r", "benchmarks/requirements.txt")
    session.run("python", "-m", "benchmarks", *session.posargs)
