"""examples/cluster: each command of the compose file runs as it stands there, against a PostgreSQL
server and the sandbox; no container is built.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from mailkit.sandbox import Sandbox, sandbox_in_thread

from .test_public_names import ROOT

FOLDER = ROOT / "examples" / "cluster"
TEXT = (FOLDER / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
SETTINGS = dict(
    line.split("=", 1) for line in (FOLDER / "env.example").read_text(encoding="utf-8").splitlines()
)
PATIENCE = 60
OURS = [name for name, service in SERVICES.items() if service["image"] == "mailkit"]


def environment(sandbox: Sandbox, database: str) -> dict[str, str]:
    """That of mailkit's services, with this sandbox and database in place of theirs."""
    given = dict(SERVICES["worker"]["environment"])
    assert given.pop("MAILKIT_JOURNAL") == "postgresql://mailkit@postgres/mailkit"
    assert given.pop("MAILKIT_SMSBY_URL") == "http://sandbox:8025"
    filled = {
        name: re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: SETTINGS[found[1]], value)
        for name, value in given.items()
    }
    places = {"MAILKIT_JOURNAL": database, "MAILKIT_SMSBY_URL": sandbox.url}
    own = {k: v for k, v in os.environ.items() if not k.startswith("MAILKIT_")}
    return {**own, **filled, **places}


def run(words: list[str], given: dict[str, str]) -> str:
    local = [word.replace("/mail/", f"{FOLDER}/mail/") for word in words]
    ended = subprocess.run(
        [sys.executable, "-m", "mailkit", *local], env=given, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@contextmanager
def worker(given: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "mailkit", *SERVICES["worker"]["command"]]
    with subprocess.Popen(words, env=given, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str], what: str) -> None:
    """Read its log up to the line with this."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if what in line:
            return
    pytest.fail(f"the worker ended without {what!r}: {''.join(lines)}")


@pytest.mark.parametrize("name", OURS)
def test_the_options_of_each_service_exist(name: str) -> None:
    words = SERVICES[name].get("command", [])
    ended = subprocess.run(
        [sys.executable, "-m", "mailkit", *words, "--help"], capture_output=True, text=True
    )
    assert ended.returncode == 0
    for option in (word for word in words if word.startswith("--")):
        assert option in ended.stdout


def test_the_compose_file_refers_to_what_is_there() -> None:
    names = set(SERVICES)
    for service in SERVICES.values():
        assert set(service.get("depends_on", ())) <= names
        if build := service.get("build"):
            assert (FOLDER / build["context"] / build["dockerfile"]).is_file()
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == set(SETTINGS)
    mounted = [one for service in SERVICES.values() for one in service.get("volumes", ())]
    named = {one.partition(":")[0] for one in mounted if not one.startswith(".")}
    assert set(COMPOSE["volumes"]) == named


def test_what_machines_have_seen_outlives_their_containers() -> None:
    """In a folder that their user may write to."""
    image = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    (user,) = re.findall(r"^USER (\d+)$", image, re.MULTILINE)
    assert f"--owner {user} /state" in image
    assert "XDG_STATE_HOME=/state" in image
    for name in (name for name in OURS if "environment" in SERVICES[name]):
        assert "state:/state" in SERVICES[name]["volumes"]


def test_what_the_compose_file_says_to_run_sends(postgres_database: str) -> None:
    commands = re.findall(r"docker compose run --rm mailkit (\w.*)", TEXT)
    send, status = (shlex.split(command) for command in commands if "COMMAND" not in command)
    with sandbox_in_thread() as sandbox:
        given = environment(sandbox, postgres_database)
        assert "was created" in run(SERVICES["init"]["command"], given)
        with worker(given) as one, worker(given) as other:
            for process in (one, other):
                heard(process, '"event": "working"')
            assert "workers will send it" in run(send, given)
            deadline = time.monotonic() + PATIENCE
            while sandbox.truth.emails < 3:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert "list" in run(status, given)
            for process in (one, other):
                process.send_signal(signal.SIGTERM)
            assert [process.wait(PATIENCE) for process in (one, other)] == [0, 0]
        assert sandbox.truth.mailed_twice == []
