"""The door for whoever writes a provider: all that a client and its part in a bulk send need.

docs/adding-a-provider.md shows how they go together.
"""

from mailkit.core.auth import (
    Auth,
    BasicAuth,
    Bearer,
    FieldToken,
    Grant,
    HeaderKey,
    Unsigned,
    credential,
)
from mailkit.core.call import (
    Call,
    CallResult,
    Gone,
    Raw,
    Resource,
    arg,
    delete,
    get,
    method,
    patch,
    post,
    put,
    resource,
    wire,
)
from mailkit.core.classify import EnvelopeReader
from mailkit.core.client import Client
from mailkit.core.clock import Clock
from mailkit.core.diagnosis import Check, Expected
from mailkit.core.dispatch import (
    SEND,
    TOKEN_BYTES,
    ChunkStatus,
    Cost,
    Dispatch,
    Done,
    Limits,
    NotTaken,
    PollResult,
    Provider,
    ProviderClass,
    Recut,
    RowStatus,
    Scope,
    Sent,
    SharedStatus,
    Stage,
    Task,
    TaskRow,
    Wait,
    WebhookProviderClass,
)
from mailkit.core.failure_words import about_failure
from mailkit.core.fields import FileLike, address, one_line
from mailkit.core.forms import File
from mailkit.core.hooks import Attempt, Hook
from mailkit.core.http import Session, Transport
from mailkit.core.message_parts import MessagePart, check_parts
from mailkit.core.model import Model
from mailkit.core.options import ClientOptions, secret_from_env
from mailkit.core.quota import Permit, Permits, Quota
from mailkit.core.reading import decode
from mailkit.core.retry import Outcome
from mailkit.core.secret import Secret
from mailkit.core.webhook_items import WebhookItem, webhook_items
from mailkit.core.wire import (
    Missing,
    Refusal,
    Request,
    Response,
    Unclear,
    Unreadable,
    base_url,
)
from mailkit.core.wire_format import WireFormat, time_zone
from mailkit.core.words import about_account
from mailkit.template import InvalidRow, Piece, Placeholder, Template, rewrite

__all__ = [
    "SEND",
    "TOKEN_BYTES",
    "Attempt",
    "Auth",
    "BasicAuth",
    "Bearer",
    "Call",
    "CallResult",
    "Check",
    "ChunkStatus",
    "Client",
    "ClientOptions",
    "Clock",
    "Cost",
    "Dispatch",
    "Done",
    "EnvelopeReader",
    "Expected",
    "FieldToken",
    "File",
    "FileLike",
    "Gone",
    "Grant",
    "HeaderKey",
    "Hook",
    "InvalidRow",
    "Limits",
    "MessagePart",
    "Missing",
    "Model",
    "NotTaken",
    "Outcome",
    "Permit",
    "Permits",
    "Piece",
    "Placeholder",
    "PollResult",
    "Provider",
    "ProviderClass",
    "Quota",
    "Raw",
    "Recut",
    "Refusal",
    "Request",
    "Resource",
    "Response",
    "RowStatus",
    "Scope",
    "Secret",
    "Sent",
    "Session",
    "SharedStatus",
    "Stage",
    "Task",
    "TaskRow",
    "Template",
    "Transport",
    "Unclear",
    "Unreadable",
    "Unsigned",
    "Wait",
    "WebhookItem",
    "WebhookProviderClass",
    "WireFormat",
    "about_account",
    "about_failure",
    "address",
    "arg",
    "base_url",
    "check_parts",
    "credential",
    "decode",
    "delete",
    "get",
    "method",
    "one_line",
    "patch",
    "post",
    "put",
    "resource",
    "rewrite",
    "secret_from_env",
    "time_zone",
    "webhook_items",
    "wire",
]
