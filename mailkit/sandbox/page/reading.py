"""What the page shows at each of its addresses."""

from collections.abc import Iterator
from typing import get_type_hints

import attrs

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.faults import describe
from mailkit.sandbox.happening import HAPPENINGS
from mailkit.sandbox.page.preview import inert, links
from mailkit.sandbox.page.responses import FOLDER, MESSAGE_POLICY, file, html
from mailkit.sandbox.page.visit import NotHere, Visit
from mailkit.sandbox.truth import Email
from mailkit.sandbox.values import Count, checked
from mailkit.sandbox.wire import Bytes

VIEWS = ("html", "text", "source")
LAST_POSTS = 50
FIRST_LINKS = 100


@endpoint("page.messages", "GET /")
async def messages(visit: Visit) -> Bytes:
    """The captured messages, newest first, or those that a search finds."""
    control, text = visit.control, visit.params.get("search", "").strip()
    given = visit.params.get("before", "")
    before = checked("before", given, Count, strict=False) if given else None
    found = control.inbox.find(text, before=before)
    rows = [(one, control.inbox.state(one)) for one in found.emails]
    values = {
        "search": text,
        "before": before,
        "rows": rows,
        "next": found.next,
        "accounts": dict(_accounts(visit)),
    }
    return visit.page("messages.html", values)


@endpoint("page.message", "GET /sandbox/page/messages/{id}")
async def message(visit: Visit) -> Bytes:
    """One message, what has happened to it, and what can be made to happen."""
    return visit.page("message.html", message_values(visit, _email(visit)))


def message_values(visit: Visit, email: Email, problem: str = "") -> dict[str, object]:
    """What the page of a message shows."""
    inbox, content = visit.control.inbox, email.content
    is_html = content is not None and content.is_html
    chosen = visit.params.get("view", "")
    view = chosen if chosen in VIEWS else "html" if is_html else "text"
    addresses = links(email.html) if view == "html" else []
    return {
        "email": email,
        "state": inbox.state(email),
        "course": inbox.course(email),
        "happenings": list(HAPPENINGS),
        "is_posted": is_posted(visit, email),
        "view": view,
        "views": VIEWS if is_html else ("text",),
        "text": email.text,
        "links": addresses[:FIRST_LINKS],
        "links_more": len(addresses[FIRST_LINKS:]),
        "done": visit.form.get("what") or visit.params.get("done", ""),
        "problem": problem,
        "note": visit.params.get("note", ""),
    }


def is_posted(visit: Visit, email: Email) -> bool:
    """Whether the service posts what happens to the message."""
    service = visit.site.services.get(email.service)
    return service is not None and service.posts_events


@endpoint("page.message.html", "GET /sandbox/page/messages/{id}/html")
async def message_html(visit: Visit) -> Bytes:
    """The HTML of a message, for a frame that runs and loads nothing, and goes nowhere."""
    email = _email(visit)
    if email.content is None or not email.content.is_html:
        raise NotHere
    return html(inert(email.body), policy=MESSAGE_POLICY)


@endpoint("page.accounts", "GET /sandbox/page/accounts")
async def accounts(visit: Visit) -> Bytes:
    """Addresses and credentials, and the settings that services have."""
    values = {
        "accounts": dict(_accounts(visit)),
        "settings": dict(_settings(visit)),
        "note": visit.params.get("note", ""),
    }
    return visit.page("accounts.html", values)


@endpoint("page.state", "GET /sandbox/page/state")
async def state(visit: Visit) -> Bytes:
    """What each service has: lists, campaigns, quotas used."""
    with visit.site.lock:
        now = visit.control.clock.now()
        tables = {name: list(one.tables(now)) for name, one in visit.site.services.items()}
    return visit.page("state.html", {"tables": tables})


@endpoint("page.webhooks", "GET /sandbox/page/webhooks")
async def webhooks(visit: Visit) -> Bytes:
    """What was posted to webhooks, newest first."""
    posts = list(visit.site.deliveries)[-LAST_POSTS:]
    values = {"posts": posts[::-1], "note": visit.params.get("note", "")}
    return visit.page("webhooks.html", values)


@endpoint("page.faults", "GET /sandbox/page/faults")
async def faults(visit: Visit) -> Bytes:
    """The faults in force and those there are, the time, and a fresh start."""
    return visit.page("faults.html", fault_values(visit))


def fault_values(visit: Visit, problem: str = "") -> dict[str, object]:
    """What the page of faults shows."""
    services = visit.site.services.items()
    return {
        "kinds": describe(),
        "active": [(one.asdict(), struck) for one, struck in visit.control.faults.strikes()],
        "operations": {
            name: sorted(each.operation for each in one.endpoints) for name, one in services
        },
        "problem": problem,
        "note": visit.params.get("note", ""),
    }


@endpoint("page.style", "GET /sandbox/page/style.css")
async def style(visit: Visit) -> Bytes:
    """The style sheet."""
    return file((FOLDER / "style.css").read_bytes(), "text/css")


@endpoint("page.script", "GET /sandbox/page/script.js")
async def script(visit: Visit) -> Bytes:
    """The script, without which the page works, too."""
    return file((FOLDER / "script.js").read_bytes(), "text/javascript")


def _email(visit: Visit) -> Email:
    return visit.control.inbox.get(visit.id)


def _accounts(visit: Visit) -> Iterator[tuple[str, dict[str, str]]]:
    for name, service in visit.site.services.items():
        yield name, service.environment(f"http://{visit.host}")


def _settings(visit: Visit) -> Iterator[tuple[str, object]]:
    """Each setting of each service with its value now, by the name that changes it."""
    for name, service in visit.site.services.items():
        yield from _fields(name, service.settings)


def _fields(path: str, owner: object) -> Iterator[tuple[str, object]]:
    if not attrs.has(type(owner)):
        return
    for field in get_type_hints(type(owner)):
        value = getattr(owner, field)
        if attrs.has(type(value)):
            yield from _fields(f"{path}.{field}", value)
        else:
            yield f"{path}.{field}", value
