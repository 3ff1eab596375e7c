"""What the forms of the page do. Each ends with going on to a page that shows it."""

from collections.abc import Mapping

from mailkit.sandbox.adjusting import parsed
from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.faults import Fault
from mailkit.sandbox.happening import CannotHappen
from mailkit.sandbox.jsons import json_or_text, read_json
from mailkit.sandbox.page.reading import fault_values, is_posted, message_values
from mailkit.sandbox.page.responses import see
from mailkit.sandbox.page.visit import Visit
from mailkit.sandbox.values import Seconds, checked
from mailkit.sandbox.wire import Bytes

PARAMETER = "parameter."
"""Before the name of a kind of fault's own parameter, in the form that switches it on."""


@endpoint("page.happen", "POST /sandbox/page/messages/{id}/happen")
async def happen(visit: Visit) -> Bytes:
    """Make something happen to a message, and post what follows to webhooks."""
    control = visit.control
    email, what = control.inbox.get(visit.id), visit.form.get("what", "")
    try:
        control.inbox.happen(email, what)
    except CannotHappen as error:
        values = message_values(visit, email, problem=str(error))
        return visit.page("message.html", values, status=409)
    note = await _post(visit, nothing="quiet") if is_posted(visit, email) else "done"
    return see(f"/sandbox/page/messages/{email.number}?note={note}&done={what}")


@endpoint("page.deliver", "POST /sandbox/page/deliver")
async def deliver(visit: Visit) -> Bytes:
    """Post the waiting events to webhooks."""
    return see(f"/sandbox/page/webhooks?note={await _post(visit, nothing='nothing')}")


@endpoint("page.faults.on", "POST /sandbox/page/faults/on")
async def switch_on(visit: Visit) -> Bytes:
    """Put a fault in force."""
    try:
        visit.control.faults.add(_fault(visit.form))
    except (TypeError, ValueError) as error:
        values = fault_values(visit, problem=str(error.args[0]))
        return visit.page("faults.html", values, status=400)
    return see("/sandbox/page/faults?note=on")


@endpoint("page.faults.off", "POST /sandbox/page/faults/off")
async def switch_off(visit: Visit) -> Bytes:
    """Remove one fault, or all of them."""
    given = visit.form.get("fault", "")
    if not given:
        visit.control.faults.clear()
        return see("/sandbox/page/faults?note=off")
    try:
        visit.control.faults.remove(Fault.of(read_json(given)))
    except (TypeError, ValueError) as error:
        values = fault_values(visit, problem=str(error.args[0]))
        return visit.page("faults.html", values, status=400)
    return see("/sandbox/page/faults?note=off")


@endpoint("page.advance", "POST /sandbox/page/advance")
async def advance(visit: Visit) -> Bytes:
    """Move the sandbox's time forward."""
    try:
        seconds = checked("seconds", visit.form.get("seconds", ""), Seconds, strict=False)
        visit.control.clock.advance(seconds)
    except ValueError as error:
        values = fault_values(visit, problem=str(error.args[0]))
        return visit.page("faults.html", values, status=400)
    return see("/sandbox/page/faults?note=moved")


@endpoint("page.settings", "POST /sandbox/page/settings")
async def settings(visit: Visit) -> Bytes:
    """Change a setting by its name."""
    text = f"{visit.form.get('name', '').strip()}={visit.form.get('value', '').strip()}"
    try:
        visit.control.adjust(dict([parsed(text)]))
    except ValueError as error:
        return visit.page("problem.html", {"problem": str(error)}, status=400)
    return see("/sandbox/page/accounts?note=set#settings")


@endpoint("page.reset", "POST /sandbox/page/reset")
async def reset(visit: Visit) -> Bytes:
    """Forget everything but settings and time."""
    visit.control.reset()
    return see("/")


async def _post(visit: Visit, *, nothing: str) -> str:
    """Post the waiting events; the note that says how that ended, `nothing` if there were none."""
    count = await visit.control.deliver()
    if not count:
        return nothing
    last = list(visit.site.deliveries)[-count:]
    is_taken = all(one.status is not None and 200 <= one.status < 300 for one in last)
    return "posted" if is_taken else "untaken"


def _fault(form: Mapping[str, str]) -> Fault:
    fields: dict[str, object] = {"kind": form.get("kind", ""), "on": form.get("on") or "*"}
    for name in ("times", "after", "probability", "acted"):
        if form.get(name, "").strip():
            fields[name] = json_or_text(form[name])
    for name, text in form.items():
        if name.startswith(PARAMETER):
            fields[name.removeprefix(PARAMETER)] = json_or_text(text)
    return Fault.of(fields)
