"""The example with metrics for Prometheus, as it stands, scraped while it sends."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

from mailkit.sandbox import Fault, sandbox_in_thread

OUTCOMES = ("accepted", "rejected", "in_doubt")
PROGRAM = Path(__file__).parent.parent / "examples/prometheus_metrics.py"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def scraped(port: int) -> dict[str, float]:
    """What the program shows now; nothing before it listens."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as response:
            text = response.read().decode()
    except OSError:
        return {}
    return {name: float(value) for name, value in re.findall(r"^(mailkit.+) (\S+)$", text, re.M)}


def scraped_at_the_end(port: int, program: subprocess.Popen[str]) -> dict[str, float]:
    """What it shows once the outcome of 1,200 rows is known."""
    deadline = time.monotonic() + 60
    while True:
        found = scraped(port)
        rows = [found.get(f'mailkit_rows_total{{outcome="{outcome}"}}', 0) for outcome in OUTCOMES]
        if sum(rows) == 1200:
            return found
        assert program.poll() is None, program.communicate()
        assert time.monotonic() < deadline, found


def test_prometheus_sees_what_becomes_of_rows_and_requests(tmp_path: Path) -> None:
    rows = [f"n{n}@mail.by,Anna,Minsk" for n in range(1200)]
    (tmp_path / "autumn.csv").write_text("\n".join(["email,name,city", *rows]), encoding="utf-8")
    port = free_port()
    with sandbox_in_thread(speed=0) as sandbox:
        sandbox.faults.add(Fault("reset_after_acting", on="smsby.bulk.send", times=1))
        # The statuses are asked for until the program is looked at for the last time.
        sandbox.faults.add(Fault("slow_answer", on="smsby.bulk.status", seconds=600))
        environment = {
            **os.environ,
            **sandbox.environment(),
            "MAILKIT_JOURNAL": str(tmp_path / "journal.db"),
            "METRICS_PORT": str(port),
        }
        with subprocess.Popen(
            [sys.executable, str(PROGRAM), "autumn.csv", "autumn"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as program:
            try:
                ended = scraped_at_the_end(port, program)
            finally:
                program.kill()
                program.communicate()
        emails = sandbox.truth.emails
    in_doubt = ended['mailkit_rows_total{outcome="in_doubt"}']
    assert in_doubt > 0
    assert ended['mailkit_rows_total{outcome="accepted"}'] == 1200 - in_doubt
    assert emails == 1200
    assert ended["mailkit_chunks_in_doubt_total"] == 1
    sends = 'mailkit_request_seconds_count{call="bulk.send",outcome="%s",provider="smsby"}'
    assert ended[sends % "unknown"] == 1
    assert ended[sends % "answered"] >= 1
    assert ended['mailkit_wait_seconds_count{call="bulk.send",provider="smsby"}'] >= 2
    assert ended["mailkit_held"] == 0


def test_it_ends_with_the_job(tmp_path: Path) -> None:
    (tmp_path / "autumn.csv").write_text("email,name,city\na@b.by,,Minsk\n", encoding="utf-8")
    with sandbox_in_thread(speed=0) as sandbox:
        ended = subprocess.run(
            [sys.executable, str(PROGRAM), "autumn.csv", "autumn"],
            cwd=tmp_path,
            env={
                **os.environ,
                **sandbox.environment(),
                "MAILKIT_JOURNAL": str(tmp_path / "journal.db"),
                "METRICS_PORT": str(free_port()),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert sandbox.truth.emails == 1
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "1 accepted of 1 rows\n"
