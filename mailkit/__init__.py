"""Async e-mail sending for sms.by, SendPulse and Devino, with a bulk engine that mails nobody
twice and loses nobody.

One call, awaited: the clients, as ``SmsBy``. A list of any length: ``BulkSender``. What can go
wrong: ``mailkit.errors``.
"""

from mailkit.address import Address
from mailkit.bulk.engine import EngineSettings
from mailkit.bulk.job import Job, Progress
from mailkit.bulk.journal import Counts, Journal
from mailkit.bulk.report import Report
from mailkit.bulk.resolve import resolve
from mailkit.bulk.sender import BulkSender
from mailkit.bulk.source import RecipientSource, read_recipients
from mailkit.core.quota import Quota
from mailkit.errors import MailkitError
from mailkit.events import DeliveryStatus
from mailkit.message import Attachment, Message, Recipient
from mailkit.providers.devino import Devino
from mailkit.providers.sendpulse import SendPulse
from mailkit.providers.smsby import SmsBy

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
    "Progress",
    "Quota",
    "Recipient",
    "RecipientSource",
    "Report",
    "SendPulse",
    "SmsBy",
    "read_recipients",
    "resolve",
]
