"""The SendPulse operations on templates; two of the service's own are always there."""

import re
from base64 import b64encode

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.php import is_number
from mailkit.sandbox.sendpulse.fields import Params, html, not_found, refuse, wrong
from mailkit.sandbox.sendpulse.state import Account, Context, Template

LANGUAGES = ("ru", "en", "ua", "tr", "es", "pt")
_SITE = "https://login.sendpulse.example/templates/preview"


@endpoint("sendpulse.templates.create", "POST /template")
def create(context: Context, params: Params) -> object:
    """A template of the account."""
    body = html("body", params.fields.get("body"))
    lang = params.text("lang")
    if lang not in LANGUAGES:
        raise wrong("lang", f"must be one of {', '.join(LANGUAGES)}")
    stamp = context.date(context.now).replace("-", ".")
    name = params.text("name") if params.given("name") else f"Template {stamp}"
    if params.given("name") and any(
        one.name == name and not one.system for one in context.account.templates.values()
    ):
        raise refuse(422, "The template name is in use", 573)
    number = context.account.new_id()
    slug = re.sub(r"\W+", "-", name.lower()).strip("-")
    if any(one.slug == slug for one in context.account.templates.values()):
        slug = f"{slug}-{number}"
    made = Template(_new_id(context), number, name, slug, lang, body, context.now)
    context.account.templates[number] = made
    return {"result": True, "real_id": number}


@endpoint("sendpulse.templates.edit", "POST /template/edit/{id}")
def edit(context: Context, params: Params) -> object:
    """Change the body: this gives the template another id, and keeps its real_id."""
    found = find(context, params.args["id"])
    if found.system:
        raise refuse(403, "The template belongs to the service", 403)
    body = html("body", params.fields.get("body"))
    if params.given("lang") and params.text("lang") != found.lang:
        raise wrong("lang", "must stay as it was")
    found.body, found.id = body, _new_id(context)
    return {"result": True}


@endpoint("sendpulse.templates.get", "GET /template/{id}")
def one(context: Context, params: Params) -> object:
    """A template by either id."""
    return _whole(context, find(context, params.args["id"]))


@endpoint("sendpulse.templates.get_by_slug", "GET /template/slug/{slug}")
def by_slug(context: Context, params: Params) -> object:
    """A template by its system name."""
    for found in context.account.templates.values():
        if found.slug == params.args["slug"]:
            return _whole(context, found)
    raise not_found("Template not found", 31)


def _all_templates(context: Context, params: Params) -> object:
    """A page of one owner's templates, by default the service's, in one language or in all."""
    owner, lang = params.query.text("owner") or "sendpulse", params.args.get("lang")
    if owner not in ("me", "sendpulse"):
        raise wrong("owner", "must be me or sendpulse")
    if lang is not None and lang not in LANGUAGES:
        raise not_found("Language not found")
    rows = [
        found
        for found in context.account.templates.values()
        if found.system == (owner == "sendpulse") and lang in (None, found.lang)
    ]
    return [_written(context, found) for found in rows[params.page()]]


all_templates = endpoint("sendpulse.templates.list", "GET /templates")(_all_templates)
by_language = endpoint("sendpulse.templates.list_by_language", "GET /templates/{lang}")(
    _all_templates
)


def find(context: Context, text: str) -> Template:
    """The template with the id or real_id; HTTP 404 if there is none."""
    if is_number(text) and int(text) in context.account.templates:
        return context.account.templates[int(text)]
    for found in context.account.templates.values():
        if found.id == text:
            return found
    raise not_found("Template not found", 290)


def seed(account: Account, now: float) -> None:
    """Put the service's own templates into a new account."""
    for number, name, lang in ((508742, "Holiday", "en"), (508743, "Праздник", "ru")):
        slug, body = f"holiday-{lang}", f"<h1>{name}</h1>"
        found = Template(f"{number:032x}", number, name, slug, lang, body, now, system=True)
        account.templates[number] = found


def _new_id(context: Context) -> str:
    return f"{context.rng.getrandbits(128):032x}"


def _whole(context: Context, found: Template) -> dict[str, object]:
    """One template with its body, which may come in base64 as well."""
    body = b64encode(found.body.encode()).decode() if context.quirk() else found.body
    return {**_written(context, found), "is_structure": True, "body": body}


def _written(context: Context, found: Template) -> dict[str, object]:
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
        "created": context.date(found.created_at),
        "full_description": None if own else "",
        "category": "" if own else "holiday",
        "category_info": [] if own else category,
        "tags": [] if own else {"holiday": "holiday"},
        "owner": "you" if own else "sendpulse",
        "preview": f"{_SITE}/{found.id}.png",
    }
