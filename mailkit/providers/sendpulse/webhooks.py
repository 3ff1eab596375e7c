"""Webhooks: which events the service reports, and where."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailkit.core.call import Call, Resource, arg, delete, get, method, post, put
from mailkit.core.model import Model
from mailkit.core.secret import Secret
from mailkit.core.wire_format import WireFormat
from mailkit.errors import InvalidArgument
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.codes import WebhookAction
from mailkit.providers.sendpulse.envelope import each_confirmed
from mailkit.providers.sendpulse.error_codes import WEBHOOK_GONE
from mailkit.providers.sendpulse.pages import made, many, only

__all__ = ["Webhook", "Webhooks"]


@attrs.frozen
class Webhook(Model):
    """An event and the address it is sent to, which is a secret, and not in the repr: anyone who
    knows it can send events too.
    """

    id: int
    url: str = attrs.field(default="", repr=False)
    action: WebhookAction | str = ""
    user_id: int | None = None


def _actions(value: Sequence[WebhookAction | str], wire_format: WireFormat) -> object:
    return [value] if isinstance(value, str) else list(value)


@get("/v2/email-service/webhook", repeatable=True, pick=many)
class ListWebhooks(Call[list[Webhook]]):
    """All webhooks of the account."""


@get("/v2/email-service/webhook/{id}", repeatable=True, pick=only)
class GetWebhook(Call[Webhook]):
    """One webhook."""

    id: int


@post("/v2/email-service/webhook/", repeatable=False, body="form", pick=made)
class CreateWebhooks(Call[list[Webhook]]):
    """Have events sent to ``url``: one webhook for each of the actions, or of the one."""

    url: str | Secret = arg(secret=True)
    actions: Sequence[WebhookAction | str] | WebhookAction | str = arg(
        wire="actions[]", write=_actions
    )

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "url", fields.secret_line(self.url, "url"))
        if not self.actions:
            raise InvalidArgument("actions: give at least one, e.g. WebhookAction.SPAM")


@put("/v2/email-service/webhook/{id}", repeatable=True, body="form", pick=each_confirmed)
class UpdateWebhook(Call[None]):
    """Have the webhook's event sent to another address."""

    id: int
    url: str | Secret = arg(secret=True)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "url", fields.secret_line(self.url, "url"))


@delete(
    "/v2/email-service/webhook/{id}",
    repeatable=True,
    body="none",
    pick=each_confirmed,
    gone=WEBHOOK_GONE,
)
class DeleteWebhook(Call[None]):
    """Delete a webhook."""

    id: int


class Webhooks(Resource):
    """Which events the service reports, and where."""

    list = method(ListWebhooks)
    get = method(GetWebhook)
    create = method(CreateWebhooks)
    update = method(UpdateWebhook)
    delete = method(DeleteWebhook)
