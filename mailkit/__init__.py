"""Async e-mail sending for sms.by, SendPulse and Devino, with a bulk engine that mails nobody
twice and loses nobody.

One call, awaited: the clients, as ``SmsBy``. A list of any length: ``BulkSender``. What can go
wrong: ``mailkit.errors``.

Public are this module, ``errors``, ``events``, ``provider`` (for whoever writes a provider), the
clients' packages in ``providers``, ``sandbox``, ``testing`` and ``webhooks``. All others may change
at any time.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailkit.address import Address
    from mailkit.attachment import Attachment
    from mailkit.bulk.cancel import cancel
    from mailkit.bulk.job import Job
    from mailkit.bulk.journal import Counts, Journal
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
    from mailkit.core.quota import Quota
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
    "BulkSender",
    "Counts",
    "DeliveryStatus",
    "Devino",
    "EngineSettings",
    "Job",
    "Journal",
    "MailkitError",
    "Message",
    "Plan",
    "Progress",
    "Quota",
    "Recipient",
    "RecipientSource",
    "Report",
    "SampleResult",
    "SendPulse",
    "SmsBy",
    "WebhookReceiver",
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
    "BulkSender": "bulk.sender",
    "Counts": "bulk.journal",
    "DeliveryStatus": "events",
    "Devino": "providers.devino",
    "EngineSettings": "bulk.settings",
    "Job": "bulk.job",
    "Journal": "bulk.journal",
    "MailkitError": "errors",
    "Message": "message",
    "Plan": "bulk.rehearsal",
    "Progress": "bulk.progress",
    "Quota": "core.quota",
    "Recipient": "message",
    "RecipientSource": "bulk.source",
    "Report": "bulk.report",
    "SampleResult": "bulk.single",
    "SendPulse": "providers.sendpulse",
    "SmsBy": "providers.smsby",
    "WebhookReceiver": "webhooks.receiver",
    "cancel": "bulk.cancel",
    "csv_report": "bulk.report.table",
    "excel_report": "bulk.report.workbook",
    "html_report": "bulk.report.page",
    "read_recipients": "bulk.source",
    "read_suppressions": "bulk.source",
    "replan_rejected": "bulk.resolve",
    "resolve": "bulk.resolve",
}

if not TYPE_CHECKING:  # a type checker would take it for any name at all

    def __getattr__(name: str) -> object:
        """Import a public name at its first use: ``import mailkit`` costs next to nothing."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
