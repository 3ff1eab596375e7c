"""The SendPulse operations on webhooks: an envelope with success and data comes out."""

from urllib.parse import urlsplit

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import is_number
from mailkit.sandbox.sendpulse.codes import USER, WebhookAction
from mailkit.sandbox.sendpulse.fields import Params, not_found, wrong
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.sendpulse.webhook_queue import Webhook


@endpoint("sendpulse.webhooks.list", "GET /v2/email-service/webhook")
def all_webhooks(context: Context, params: Params) -> object:
    """All webhooks."""
    return _success([_written(one) for one in context.account.webhook_queue.by_id.values()])


@endpoint("sendpulse.webhooks.get", "GET /v2/email-service/webhook/{id}")
def one(context: Context, params: Params) -> object:
    """One webhook."""
    found = _find(context, params)
    if found is None:
        raise not_found("Webhook not found")
    return _success(_written(found))


@endpoint("sendpulse.webhooks.create", "POST /v2/email-service/webhook")
def create(context: Context, params: Params) -> object:
    """A webhook for each action."""
    given = params.structure("actions")
    try:
        actions = [
            WebhookAction(str(one)) for one in (given if isinstance(given, list) else [given])
        ]
    except ValueError:
        actions = []
    if not actions:
        raise wrong("actions", f"must be among {', '.join(WebhookAction)}")
    url = _url(params)
    made = []
    for action in dict.fromkeys(actions):
        hook = Webhook(context.account.new_id(), url, action)
        context.account.webhook_queue.by_id[hook.id] = hook
        made.append(_written(hook))
    return _success(made)


@endpoint("sendpulse.webhooks.update", "PUT /v2/email-service/webhook/{id}")
def update(context: Context, params: Params) -> object:
    """Change the address of a webhook; false if there is none."""
    url = _url(params)
    found = _find(context, params)
    if found is not None:
        found.url = url
    return _success([found is not None])


@endpoint("sendpulse.webhooks.delete", "DELETE /v2/email-service/webhook/{id}")
def delete(context: Context, params: Params) -> object:
    """Delete a webhook; false if there is none. Events that waited are lost."""
    found = _find(context, params)
    if found is not None:
        del context.account.webhook_queue.by_id[found.id]
    return _success([found is not None])


def _find(context: Context, params: Params) -> Webhook | None:
    text = params.args["id"]
    return context.account.webhook_queue.by_id.get(int(text)) if is_number(text) else None


def _url(params: Params) -> str:
    """An address for posts."""
    url = params.text("url")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise wrong("url", "is not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong("url", "is not an address")
    return url


def _written(found: Webhook) -> dict[str, object]:
    return {"id": found.id, "user_id": USER, "url": found.url, "action": found.action}


def _success(data: object) -> object:
    return {"success": True, "data": data}
