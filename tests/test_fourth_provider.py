"""A provider that mailkit knows nothing of: installed as a package of its own, it just works."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from listmail.server import Server

PROJECT = Path(__file__).parent / "listmail"

MESSAGE = """\
sender = "Shop <news@shop.example>"
subject = "Hi {{ name | 'friend' }}"
html = "<p>Hello {{ name | 'friend' }}</p>"
"""
LIST = """\
email,name
anna@example.com,Anna
no-at-sign,Nobody
invalid-gone@example.com,Gone
optout-left@example.com,Left
bounce-full@example.com,Full
ANNA@example.com,Anna again
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package: what its pyproject.toml makes, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    own = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder)]
    subprocess.run([*pip, *own, str(PROJECT)], check=True)
    return folder


async def mailkit(
    site: Path, folder: Path, server: Server, *words: str, secret: str = ""
) -> tuple[int, str, str]:
    """The command line in a process of its own, which finds the package where it is installed."""
    others = {name: text for name, text in os.environ.items() if not name.startswith("MAILKIT_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mailkit", *words),
        cwd=folder,
        env={
            **others,
            "PYTHONPATH": str(site),
            "PYTHONWARNINGS": "error",
            "MAILKIT_JOURNAL": str(folder / "journal.db"),
            "MAILKIT_LISTMAIL_KEY": server.key,
            "MAILKIT_LISTMAIL_SECRET": secret or server.secret,
            "MAILKIT_LISTMAIL_URL": server.url,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_the_command_line_sends_through_it(site: Path, tmp_path: Path) -> None:
    (tmp_path / "message.toml").write_text(MESSAGE, encoding="utf-8")
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    async with Server(importing=0.0) as server:
        words = ("send", "message.toml", "list.csv", "--provider", "listmail", "--json")
        code, out, err = await mailkit(site, tmp_path, server, *words)
        assert (code, err) == (0, "")
        report = json.loads(out)
        assert {name: report[name] for name in ("provider", "rows", "accepted", "complete")} == {
            "provider": "listmail",
            "rows": 6,
            "accepted": 2,
            "complete": True,
        }
        assert (report["invalid"], report["duplicate"], report["rejected"]) == (1, 1, 2)
        assert report["deliveries"] == {"delivered": 1, "hard_bounce": 1}
        assert server.mailed == {"anna@example.com": 1, "bounce-full@example.com": 1}
        (campaign,) = server.campaigns.values()
        assert campaign.email("anna@example.com") == ("Hi Anna", "<p>Hello Anna</p>")
        code, out, err = await mailkit(site, tmp_path, server, "doctor", "--provider", "listmail")
        assert (code, err) == (0, "")
        assert "\n  ok                account: enough money\n" in out


async def test_wrong_credentials_are_a_sentence(site: Path, tmp_path: Path) -> None:
    (tmp_path / "message.toml").write_text(MESSAGE, encoding="utf-8")
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    async with Server() as server:
        words = ("send", "message.toml", "list.csv", "--provider", "listmail")
        code, out, err = await mailkit(site, tmp_path, server, *words, secret="trout")
        assert (code, out) == (1, "")
        assert err.startswith("mailkit: listmail.account_info.get: unknown key or wrong secret")
        assert err.endswith("; check MAILKIT_LISTMAIL_KEY and MAILKIT_LISTMAIL_SECRET\n")
        assert not server.mailed


async def test_a_balance_that_is_too_low_stops_the_job_and_resume_goes_on(
    site: Path, tmp_path: Path
) -> None:
    (tmp_path / "message.toml").write_text(MESSAGE, encoding="utf-8")
    (tmp_path / "list.csv").write_text(
        "email,name\na@example.com,A\nb@example.com,B\n", encoding="utf-8"
    )
    async with Server(importing=0.0, balance=1) as server:
        words = ("send", "message.toml", "list.csv", "--provider", "listmail", "--name", "autumn")
        code, out, _ = await mailkit(site, tmp_path, server, *words)
        assert (code, server.mailed) == (1, {})
        assert "2 messages cost 2, and the balance is 1" in out
        server.balance = 100
        code, out, _ = await mailkit(site, tmp_path, server, "resume", "autumn")
        assert (code, server.mailed) == (0, {"a@example.com": 1, "b@example.com": 1})
        assert len(server.lists) == 1
