"""Async e-mail sending for sms.by, SendPulse and Devino, with a bulk engine that mails nobody
twice and loses nobody.

One call, awaited: the clients, as ``SmsBy``. A list of any length: ``BulkSender``. What can go
wrong: ``mailkit.errors``.

Public are this module, ``errors``, ``events``, ``otel``, ``provider`` (for whoever writes a
provider), the clients' packages in ``providers``, ``sandbox``, ``testing`` and ``webhooks``. All
others may change at any time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailkit import errors as errors
    from mailkit import events as events
    from mailkit import otel as otel
    from mailkit import provider as provider
    from mailkit import providers as providers
    from mailkit import sandbox as sandbox
    from mailkit import testing as testing
    from mailkit import webhooks as webhooks
    from mailkit.address import Address
    from mailkit.attachment import Attachment
    from mailkit.bulk.cancel import cancel
    from mailkit.bulk.job import Job
    from mailkit.bulk.journal import (
        Counts,
        ForgetResult,
        Journal,
        JournalInfo,
        PruneResult,
    )
    from mailkit.bulk.progress import Progress
    from mailkit.bulk.rehearsal import Plan
    from mailkit.bulk.report import Report
    from mailkit.bulk.report.page import html_report
    from mailkit.bulk.report.table import csv_report
    from mailkit.bulk.report.workbook import excel_report
    from mailkit.bulk.resolve import replan_rejected, resolve
    from mailkit.bulk.sender import BulkSender
    from mailkit.bulk.settings import EngineSettings
    from mailkit.bulk.single import SampleResult
    from mailkit.bulk.source import RecipientSource, read_recipients, read_suppressions
    from mailkit.core.blocking import blocking
    from mailkit.core.hooks import Attempt, Hook
    from mailkit.core.quota import Quota
    from mailkit.core.retry import Outcome
    from mailkit.errors import MailkitError
    from mailkit.events import DeliveryStatus
    from mailkit.message import Message, Recipient
    from mailkit.providers.devino import Devino
    from mailkit.providers.sendpulse import SendPulse
    from mailkit.providers.smsby import SmsBy
    from mailkit.webhooks.receiver import WebhookReceiver

__all__ = [
    "Address",
    "Attachment",
    "Attempt",
    "BulkSender",
    "Counts",
    "DeliveryStatus",
    "Devino",
    "EngineSettings",
    "ForgetResult",
    "Hook",
    "Job",
    "Journal",
    "JournalInfo",
    "MailkitError",
    "Message",
    "Outcome",
    "Plan",
    "Progress",
    "PruneResult",
    "Quota",
    "Recipient",
    "RecipientSource",
    "Report",
    "SampleResult",
    "SendPulse",
    "SmsBy",
    "WebhookReceiver",
    "blocking",
    "cancel",
    "csv_report",
    "excel_report",
    "html_report",
    "read_recipients",
    "read_suppressions",
    "replan_rejected",
    "resolve",
]

_HOMES = {
    "Address": "address",
    "Attachment": "attachment",
    "Attempt": "core.hooks",
    "BulkSender": "bulk.sender",
    "Counts": "bulk.journal",
    "DeliveryStatus": "events",
    "Devino": "providers.devino",
    "EngineSettings": "bulk.settings",
    "ForgetResult": "bulk.journal",
    "Hook": "core.hooks",
    "Job": "bulk.job",
    "Journal": "bulk.journal",
    "JournalInfo": "bulk.journal",
    "MailkitError": "errors",
    "Message": "message",
    "Outcome": "core.retry",
    "Plan": "bulk.rehearsal",
    "Progress": "bulk.progress",
    "PruneResult": "bulk.journal",
    "Quota": "core.quota",
    "Recipient": "message",
    "RecipientSource": "bulk.source",
    "Report": "bulk.report",
    "SampleResult": "bulk.single",
    "SendPulse": "providers.sendpulse",
    "SmsBy": "providers.smsby",
    "WebhookReceiver": "webhooks.receiver",
    "blocking": "core.blocking",
    "cancel": "bulk.cancel",
    "csv_report": "bulk.report.table",
    "excel_report": "bulk.report.workbook",
    "html_report": "bulk.report.page",
    "read_recipients": "bulk.source",
    "read_suppressions": "bulk.source",
    "replan_rejected": "bulk.resolve",
    "resolve": "bulk.resolve",
}

_MODULES = frozenset(
    [
        "cluster",
        "errors",
        "events",
        "otel",
        "provider",
        "providers",
        "sandbox",
        "testing",
        "webhooks",
    ]
)

__version__: str
"""The version of the distribution, as ``pip`` shows it."""


def __dir__() -> list[str]:
    from mailkit.extras import installed

    extras = {"cluster", "otel"}  # modules that need an extra of their name
    missing = {name for name in extras if not installed(name)}  # help() reads all that is listed
    return sorted({*globals(), *__all__, *_MODULES, "__version__"} - missing)


if not TYPE_CHECKING:  # a type checker would take it for any name at all

    def __getattr__(name: str) -> object:
        """Import a public name at its first use: ``import mailkit`` costs next to nothing."""
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        if name == "__version__":
            value: object = import_module("importlib.metadata").version("mailkit-bulk")
        elif name in _HOMES:
            value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value
