"""The SendPulse operations on templates; two of the service's own are always there."""

import re

from mailkit.sandbox.sendpulse.fields import Ask, html, is_number, not_found, refuse, wrong
from mailkit.sandbox.sendpulse.state import Account, Desk, Template

LANGUAGES = ("ru", "en", "ua", "tr", "es", "pt")
_SITE = "https://login.sendpulse.example/templates/preview"


def create(desk: Desk, ask: Ask) -> object:
    """A template of the account."""
    body = html("body", ask.fields.get("body"))
    lang = ask.text("lang")
    if lang not in LANGUAGES:
        raise wrong("lang", f"must be one of {', '.join(LANGUAGES)}")
    stamp = desk.date(desk.now).replace("-", ".")
    name = ask.text("name") if ask.given("name") else f"Template {stamp}"
    number = desk.account.new_id()
    slug = re.sub(r"\W+", "-", name.lower()).strip("-")
    if any(one.slug == slug for one in desk.account.templates.values()):
        slug = f"{slug}-{number}"
    made = Template(_new_id(desk), number, name, slug, lang, body, desk.now)
    desk.account.templates[number] = made
    return {"result": True, "real_id": number}


def edit(desk: Desk, ask: Ask) -> object:
    """Another body: from now on the template has another id, and the same real_id."""
    found = find(desk, ask.args["id"])
    if found.system:
        raise refuse(403, "The template belongs to the service", 403)
    body = html("body", ask.fields.get("body"))
    if ask.given("lang") and ask.text("lang") != found.lang:
        raise wrong("lang", "must stay as it was")
    found.body, found.id = body, _new_id(desk)
    return {"result": True}


def one(desk: Desk, ask: Ask) -> object:
    """A template by either id."""
    return {**_written(desk, find(desk, ask.args["id"])), "is_structure": True}


def by_slug(desk: Desk, ask: Ask) -> object:
    """A template by its system name."""
    for found in desk.account.templates.values():
        if found.slug == ask.args["slug"]:
            return {**_written(desk, found), "is_structure": True}
    raise not_found("Template not found")


def everything(desk: Desk, ask: Ask) -> object:
    """All templates, or those of one owner and one language."""
    owner, lang = ask.query.text("owner"), ask.args.get("lang")
    if owner not in ("", "me", "sendpulse"):
        raise wrong("owner", "must be me or sendpulse")
    if lang is not None and lang not in LANGUAGES:
        raise not_found("Language not found")
    return [
        _written(desk, found)
        for found in desk.account.templates.values()
        if (not owner or found.system == (owner == "sendpulse"))
        and (lang is None or found.lang == lang)
    ]


def find(desk: Desk, text: str) -> Template:
    """The template with the id or real_id; HTTP 404 if there is none."""
    if is_number(text) and int(text) in desk.account.templates:
        return desk.account.templates[int(text)]
    for found in desk.account.templates.values():
        if found.id == text:
            return found
    raise not_found("Template not found")


def furnish(account: Account, now: float) -> None:
    """Put the service's own templates into a new account."""
    for number, name, lang in ((508742, "Holiday", "en"), (508743, "Праздник", "ru")):
        slug, body = f"holiday-{lang}", f"<h1>{name}</h1>"
        found = Template(f"{number:032x}", number, name, slug, lang, body, now, system=True)
        account.templates[number] = found


def _new_id(desk: Desk) -> str:
    return f"{desk.chance.getrandbits(128):032x}"


def _written(desk: Desk, found: Template) -> dict[str, object]:
    own = not found.system
    category: dict[str, object] = {
        "id": 146,
        "name": "Holiday",
        "meta_description": "",
        "full_description": "",
        "code": "holiday",
        "sort": 2,
    }
    return {
        "id": found.id,
        "real_id": found.real_id,
        "lang": found.lang,
        "name": found.name,
        "name_slug": found.slug,
        "created": desk.date(found.created_at),
        "full_description": None if own else "",
        "category": "" if own else "holiday",
        "category_info": [] if own else category,
        "tags": [] if own else {"holiday": "holiday"},
        "owner": "you" if own else "sendpulse",
        "preview": f"{_SITE}/{found.id}.png",
    }
