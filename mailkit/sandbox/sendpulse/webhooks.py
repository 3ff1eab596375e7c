"""The SendPulse operations on webhooks: forms in, an envelope with success and data out."""

from urllib.parse import urlsplit

from mailkit.sandbox.sendpulse.fields import Ask, is_number, not_found, wrong
from mailkit.sandbox.sendpulse.hooks import ACTIONS, Webhook
from mailkit.sandbox.sendpulse.state import Desk

USER = 7043663


def everything(desk: Desk, ask: Ask) -> object:
    """All webhooks."""
    return _success([_written(one) for one in desk.account.hooks.by_id.values()])


def one(desk: Desk, ask: Ask) -> object:
    """One webhook."""
    found = _find(desk, ask)
    if found is None:
        raise not_found("Webhook not found")
    return _success(_written(found))


def create(desk: Desk, ask: Ask) -> object:
    """A webhook for each action."""
    given = ask.fields.get("actions")
    actions = given if isinstance(given, list) else [given]
    if not actions or any(one not in ACTIONS for one in actions):
        raise wrong("actions", f"must be among {', '.join(ACTIONS)}")
    url = _url(ask)
    made = []
    for action in dict.fromkeys(map(str, actions)):
        hook = Webhook(desk.account.new_id(), url, action)
        desk.account.hooks.by_id[hook.id] = hook
        made.append(_written(hook))
    return _success(made)


def update(desk: Desk, ask: Ask) -> object:
    """Another address for a webhook; false if there is none."""
    url = _url(ask)
    found = _find(desk, ask)
    if found is not None:
        found.url = url
    return _success([found is not None])


def delete(desk: Desk, ask: Ask) -> object:
    """A webhook less; false if there is none. Events that waited are lost."""
    found = _find(desk, ask)
    if found is not None:
        del desk.account.hooks.by_id[found.id]
    return _success([found is not None])


def _find(desk: Desk, ask: Ask) -> Webhook | None:
    text = ask.args["id"]
    return desk.account.hooks.by_id.get(int(text)) if is_number(text) else None


def _url(ask: Ask) -> str:
    """The address in the form; JSON is not read here."""
    if not ask.is_form:
        raise wrong("url", "and the others are read from a form")
    url = ask.text("url")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise wrong("url", "is no address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wrong("url", "is no address")
    return url


def _written(found: Webhook) -> dict[str, object]:
    return {"id": found.id, "user_id": USER, "url": found.url, "action": found.action}


def _success(data: object) -> object:
    return {"success": True, "data": data}
