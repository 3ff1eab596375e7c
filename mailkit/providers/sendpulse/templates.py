"""Templates of messages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import attrs

from mailkit.core.call import Call, Resource, arg, get, method, post
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.pages import only

__all__ = ["Template", "TemplateCategory", "Templates"]

Owner = Literal["me", "sendpulse"]


@attrs.frozen
class TemplateCategory:
    """What the service's own templates are sorted by."""

    id: int | None = None
    name: str = ""
    meta_description: str = ""
    full_description: str = ""
    code: str = ""
    sort: int | None = None


@attrs.frozen
class Template:
    """A template. ``real_id`` stays; ``id`` is another one after every edit. Both can be sent."""

    real_id: int
    id: str = ""
    lang: str = ""
    name: str = ""
    name_slug: str = ""
    created: datetime | None = None
    full_description: str | None = None
    is_structure: bool = False
    category: str = ""
    category_info: TemplateCategory | None = None
    tags: Mapping[str, str] = attrs.field(factory=dict[str, str])
    owner: str = ""
    preview: str = ""


@post("/template", repeatable=False, pick="real_id")
class CreateTemplate(Call[int], kw_only=True):
    """Save a message as a template and return its permanent id.

    Without ``name`` the service makes one up.
    """

    html: str = arg(wire="body", write=fields.base64_text("html"))
    lang: fields.Language
    name: str | None = arg(default=None, write=fields.one_line("name"))


@post("/template/edit/{id}", repeatable=True, pick=confirmed)
class EditTemplate(Call[None]):
    """Give a template another message; ``lang`` must be the one it was made with."""

    id: int | str
    html: str = arg(wire="body", write=fields.base64_text("html"))
    lang: fields.Language | None = None


@get("/template/{id}", repeatable=True, pick=only)
class GetTemplate(Call[Template]):
    """A template by either of its ids."""

    id: int | str


@get("/template/slug/{name_slug}", repeatable=True, pick=only)
class GetTemplateBySlug(Call[Template]):
    """A template by its system name."""

    name_slug: str


@get("/templates", repeatable=True)
class ListTemplates(Call[list[Template]]):
    """All templates: the account's own with ``me``, the service's with ``sendpulse``."""

    owner: Owner | None = None


@get("/templates/{lang}/", repeatable=True)
class ListTemplatesByLanguage(Call[list[Template]]):
    """The templates in a language; see ``list``."""

    lang: fields.Language
    owner: Owner | None = None


class Templates(Resource):
    """Templates of messages."""

    create = method(CreateTemplate)
    edit = method(EditTemplate)
    get = method(GetTemplate)
    get_by_slug = method(GetTemplateBySlug)
    list = method(ListTemplates)
    list_by_language = method(ListTemplatesByLanguage)
