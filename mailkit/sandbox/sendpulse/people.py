"""The SendPulse operations on addresses across all lists, and the blacklist."""

from mailkit.sandbox.delivery import is_address
from mailkit.sandbox.sendpulse import life, shapes, statistics, words
from mailkit.sandbox.sendpulse.fields import Ask, html, not_found, wrong
from mailkit.sandbox.sendpulse.state import Contact, Desk, MailingList
from mailkit.sandbox.truth import normalised

MAX_ADDRESSES = 100


def contact(desk: Desk, ask: Ask) -> object:
    """The address on every list that has it."""
    email = ask.address()
    rows = [
        {
            "book_id": found.id,
            "email": email,
            "status": code,
            "status_explain": words.CONTACTS[code],
            "variables": shapes.variables(one),
        }
        for found, one in _places(desk, email)
        for code in [life.status(desk, one)]
    ]
    if not rows:
        raise not_found("Email not found", 303)
    return rows


def details(desk: Desk, ask: Ask) -> object:
    """When and how the address came onto each list."""
    rows = [
        {
            "list_name": found.name,
            "list_id": found.id,
            "add_date": desk.date(one.added_at),
            "source": "api",
        }
        for found, one in _places(desk, ask.address())
    ]
    if not rows:
        raise not_found("Email not found", 303)
    return rows


def many(desk: Desk, ask: Ask) -> object:
    """Several addresses on every list; those on none are left out."""
    answer: dict[str, object] = {}
    for email in ask.addresses("emails", MAX_ADDRESSES):
        rows = [
            {
                "book_id": found.id,
                "status": life.status(desk, one),
                "variables": shapes.variables(one),
            }
            for found, one in _places(desk, email)
        ]
        if rows:
            answer[email] = rows
    return answer or []


def delete(desk: Desk, ask: Ask) -> object:
    """Take the address off all lists."""
    email = ask.address()
    for found, _ in _places(desk, email):
        del found.contacts[email]
        life.tell_gone(desk, found, email)
    return {"result": True}


def stats(desk: Desk, ask: Ask) -> object:
    """The messages to one address; the older shape is without lists."""
    email = ask.address()
    answer: dict[str, object] = {
        "statistic": _counted(desk, email),
        "blacklist": email in desk.account.blacklist,
    }
    if not desk.quirk():
        answer["addressbooks"] = [
            {"id": found.id, "address_book_name": found.name} for found, _ in _places(desk, email)
        ]
    return answer


def stats_many(desk: Desk, ask: Ask) -> object:
    """The messages to several addresses; the lists' key is the service's own spelling."""
    return {
        email: {
            **_counted(desk, email),
            "adressbooks": [
                {"id": found.id, "name": found.name} for found, _ in _places(desk, email)
            ],
            "blacklist": email in desk.account.blacklist,
        }
        for email in ask.addresses("emails", MAX_ADDRESSES)
    }


def blacklist(desk: Desk, ask: Ask) -> object:
    """All addresses on the blacklist."""
    return list(desk.account.blacklist)


def block(desk: Desk, ask: Ask) -> object:
    """Put addresses on the blacklist: no campaign reaches them any more."""
    comment = ask.fields.get("comment")
    for email in _hidden(ask):
        desk.account.blacklist[email] = comment if isinstance(comment, str) else ""
    return {"result": True}


def unblock(desk: Desk, ask: Ask) -> object:
    """Take addresses off the blacklist."""
    for email in _hidden(ask):
        desk.account.blacklist.pop(email, None)
    return {"result": True}


def _hidden(ask: Ask) -> list[str]:
    """The addresses in base64, with commas between them."""
    found = [normalised(one) for one in html("emails", ask.fields.get("emails")).split(",")]
    if not all(is_address(one) for one in found):
        raise wrong("emails", "must hold e-mail addresses, separated by commas")
    return found


def _places(desk: Desk, email: str) -> list[tuple[MailingList, Contact]]:
    return [
        (found, found.contacts[email])
        for found in desk.account.lists.values()
        if email in found.contacts
    ]


def _counted(desk: Desk, email: str) -> dict[str, int]:
    codes = [
        statistics.code(desk, campaign, email)
        for campaign in desk.account.campaigns.values()
        if campaign.started and email in campaign.places
    ]
    return {
        "sent": len(codes),
        "open": sum(code in (3, 4) for code in codes),
        "link": sum(code == 4 for code in codes),
    }
