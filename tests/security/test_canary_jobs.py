"""No answer to a bulk job gets a credential into its journal, its report or its errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from mailkit.attachment import Attachment
from mailkit.bulk.journal import Journal
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.settings import EngineSettings
from mailkit.bulk.source import read_recipients
from mailkit.errors import InvalidArgument, JobExists, JournalError, MailkitError
from mailkit.message import Message

from .acts import CLIENTS
from .canary import ECHOES, assert_hidden, everything, folder
from .service import SENT, Said, Script, no, service, taken

PEOPLE = ("a@b.by", "c@d.by")


def smsby_scripts(echo: str) -> list[Script]:
    said = no("smsby", echo, code=echo).encode()
    letters = [
        {
            "message_id": 1,
            "success": [{"email": PEOPLE[0], "status": "SENT", "error": echo}],
            "errors": [{"email": PEOPLE[1], "error": echo}],
        }
    ]
    statuses = json.dumps({"status": "OK", "result": letters}).encode()
    return [
        {"getEmailTemplates": Said(said, 400)},
        *({"sendBulkEmail": Said(said, status)} for status in (400, 401, 500)),
        {"sendBulkEmail": Said(SENT), "statusBulkEmail": Said(statuses)},
        {"sendBulkEmail": Said(SENT), "statusBulkEmail": Said(said, 403)},
    ]


def devino_scripts(echo: str) -> list[Script]:
    said = no("devino", echo, code=echo).encode()
    uploaded = Said(json.dumps({"result": {"fileId": "f-1", "publicUrl": echo}}).encode())
    reasons = [{"key": echo, "reference": echo}]
    parts = [
        {"index": 0, "address": PEOPLE[0], "messageId": "m-1", "code": "ok"},
        {"index": 1, "address": PEOPLE[1], "code": echo, "reasons": reasons},
    ]
    partly = json.dumps({"result": parts, "description": "ok"}).encode()
    return [
        *({"files": Said(said, status)} for status in (400, 401, 500)),
        *({"files": uploaded, "messages": Said(said, status)} for status in (400, 401, 500)),
        {"files": uploaded, "messages": Said(partly)},
    ]


@attrs.frozen
class Jobs:
    """What a service says to each of a row of jobs; so many of them fail before they send."""

    message: Message
    scripts: Callable[[str], list[Script]]
    unsendable: int

    @property
    def good(self) -> Script:
        """Answers that take everybody."""
        return {**self.scripts("ok")[-1], "statusBulkEmail": Said(taken(PEOPLE[0]))}


JOBS = {
    "smsby": Jobs(Message("news@shop.by", "Hi", html="x"), smsby_scripts, 1),
    "devino": Jobs(
        Message(
            "news@shop.by",
            "Hi",
            html="x{{ unsubscribe }}",
            attachments=[Attachment("price.pdf", b"%PDF")],
        ),
        devino_scripts,
        3,
    ),
}
"""The providers that send in bulk."""

SHARE = 2
"""Each echo is played in every second script, the next echo in the others."""

each_provider = pytest.mark.parametrize("provider", JOBS)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailkit.bulk.polling.FIRST_POLL", 0.01)
    monkeypatch.setattr("mailkit.core.client.delay", lambda *args, **options: None)


@each_provider
@pytest.mark.parametrize("echo", ECHOES)
async def test_no_answer_to_a_job_gets_into_its_journal_or_report(
    echo: str, provider: str, tmp_path: Path
) -> None:
    jobs = JOBS[provider]
    settings = EngineSettings(concurrency=1, reconcile=0.02)
    journal = await Journal.open(tmp_path / "journal.db")
    failed = 0
    try:
        with service() as running:
            scripts = list(enumerate(jobs.scripts(ECHOES[echo])))
            turn = list(ECHOES).index(echo)
            played = scripts[turn % SHARE :: SHARE]
            for n, script in played:
                running.script = script
                async with (
                    CLIENTS[provider](url=running.url) as client,
                    BulkSender(client, journal=journal, settings=settings) as sender,
                ):
                    try:
                        people = read_recipients(PEOPLE)
                        job = await sender.start(jobs.message, people, name=f"job {n}", again=True)
                        report = await job.wait()
                    except MailkitError as error:
                        failed += 1
                        assert_hidden(everything(error))
                        continue
                    assert_hidden(repr(report) + report.to_json() + repr(job.error))
                    if job.error is not None:
                        assert_hidden(everything(job.error))
                    record = await journal.jobs.get(job.name)
                    async for rows in journal.reports.rows(record):
                        assert_hidden(repr(rows))
        assert_hidden(folder(tmp_path))
    finally:
        await journal.close()
    shown = folder(tmp_path)
    assert_hidden(shown)
    assert "***" in shown or "beyond" in echo
    assert failed == sum(n < jobs.unsendable for n, _ in played)


@each_provider
async def test_refusals_of_jobs_show_nothing(provider: str, tmp_path: Path) -> None:
    make, message = CLIENTS[provider], JOBS[provider].message
    notes = tmp_path / "notes.txt"
    notes.write_text("no database at all\n" * 100)
    with service(JOBS[provider].good) as running:
        async with (
            make(url=running.url) as client,
            BulkSender(client, journal=tmp_path / "journal.db") as sender,
        ):
            people = read_recipients(PEOPLE[:1])
            await (await sender.start(message, people, name="a")).wait()
            for name in ("a", "b"):
                with pytest.raises(JobExists) as exists:
                    await sender.start(message, people, name=name)
                assert_hidden(everything(exists.value))
            with pytest.raises(InvalidArgument) as invalid:
                await sender.start(message, read_recipients([]), name="c")
            assert_hidden(everything(invalid.value))
        with pytest.raises(JournalError) as broken:
            async with make() as client, BulkSender(client, journal=notes):
                pass
        assert_hidden(everything(broken.value))
    assert_hidden(folder(tmp_path))
