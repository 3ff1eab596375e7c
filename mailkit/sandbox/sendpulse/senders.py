"""The SendPulse operations on senders."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse.fields import Params, not_found, refuse, wrong
from mailkit.sandbox.sendpulse.state import Account, Context, Sender
from mailkit.sandbox.truth import Mailing, normalized


@endpoint("sendpulse.senders.list", "GET /senders")
def all_senders(context: Context, params: Params) -> object:
    """All senders; is_allowed_for_smtp is absent for some."""
    rows: list[dict[str, object]] = []
    for one in context.account.senders.values():
        row: dict[str, object] = {
            "email": one.email,
            "name": one.name,
            "status": "Active" if one.active else "Not active",
        }
        if not context.quirk():
            row["is_allowed_for_smtp"] = one.active
        rows.append(row)
    return rows


@endpoint("sendpulse.senders.add", "POST /senders")
def add(context: Context, params: Params) -> object:
    """A new sender, not yet active."""
    email, name = params.address(), params.text("name")
    if email in context.account.senders:
        raise refuse(422, "Selected email address already in use", 902)
    context.account.senders[email] = Sender(email, name)
    return {"result": True}


@endpoint("sendpulse.senders.remove", "DELETE /senders")
def remove(context: Context, params: Params) -> object:
    """Delete a sender."""
    del context.account.senders[_sender(context, params).email]
    return {"result": True}


@endpoint("sendpulse.senders.request_code", "GET /senders/{email}/code")
def request_code(context: Context, params: Params) -> object:
    """Mail the activation code, here always that of the settings, to the sender."""
    found, settings = _sender(context, params), context.settings
    if found.asked_at is not None and context.now < found.asked_at + settings.code_every:
        raise refuse(422, "The activation code has been sent. Wait 15 minutes to retry", 1004)
    found.asked_at, email = context.now, found.email
    subject, text = "Activate your sender", f"Your code is {settings.activation_code}"
    mailing = Mailing("sendpulse.senders.request_code", context.now, email, subject, [email])
    context.truth.record(mailing, [(subject, text)])
    return {"result": True, "email": email}


@endpoint("sendpulse.senders.activate", "POST /senders/{email}/code")
def activate(context: Context, params: Params) -> object:
    """Activate a sender by its code."""
    found = _sender(context, params)
    if params.text("code") != context.settings.activation_code:
        raise wrong("code", "is not the right one")
    found.active = True
    return {"result": True, "email": found.email}


def seed(account: Account, pairs: tuple[tuple[str, str], ...]) -> None:
    """Put the senders that are active from the beginning into a new account."""
    for email, name in pairs:
        account.senders[normalized(email)] = Sender(normalized(email), name, active=True)


def _sender(context: Context, params: Params) -> Sender:
    found = context.account.senders.get(params.address())
    if found is None:
        raise not_found("The specified sender doesn't exist", 1003)
    return found
