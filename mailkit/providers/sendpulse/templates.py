"""Templates of messages."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from mailkit.core.call import Call, Resource, arg, get, method, post, wire
from mailkit.core.model import Model
from mailkit.core.reading import new_id
from mailkit.providers.sendpulse import fields
from mailkit.providers.sendpulse.envelope import confirmed
from mailkit.providers.sendpulse.pages import only, paged

__all__ = ["Template", "TemplateCategory", "Templates"]

Owner = Literal["me", "sendpulse"]


@attrs.frozen
class TemplateCategory(Model):
    """What the service's own templates are sorted by."""

    id: int | None = None
    name: str = ""
    meta_description: str = ""
    full_description: str = ""
    code: str = ""
    sort: int | None = None


@attrs.frozen
class Template(Model):
    """A template. ``real_id`` stays; ``id`` is another one after every edit. Both can be sent.

    ``html`` is the message, in the response about one template.
    """

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
    html: str = attrs.field(default="", metadata=wire("body"))


@post("/template", repeatable=False, pick=new_id("real_id"))
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


def _with_body(tree: Any) -> Any:
    """One template, whose message may be in base64, as it was sent."""
    found = only(tree)
    body = found.get("body") if isinstance(found, dict) else None
    return {**found, "body": _html(body)} if isinstance(body, str) else found


def _html(body: str) -> str:
    if "<" in body:  # which base64 never has, and a message does
        return body
    try:
        return base64.b64decode(body, validate=True).decode()
    except ValueError:
        return body


@get("/template/{id}", repeatable=True, pick=_with_body)
class GetTemplate(Call[Template]):
    """A template by either of its ids."""

    id: int | str


@get("/template/slug/{name_slug}", repeatable=True, pick=_with_body)
class GetTemplateBySlug(Call[Template]):
    """A template by its system name."""

    name_slug: str


@get("/templates", repeatable=True)
class ListTemplates(Call[list[Template]]):
    """A page of templates, ``limit`` at most 100, without their messages; ``iter_templates`` has
    them all.

    ``owner``: ``me`` for the account's own; the service's, ``sendpulse``, are the default.
    """

    owner: Owner | None = None
    limit: int | None = None
    offset: int | None = None

    def __attrs_post_init__(self) -> None:
        fields.checked_page(self.limit, self.offset)


@get("/templates/{lang}/", repeatable=True)
class ListTemplatesByLanguage(Call[list[Template]]):
    """A page of the templates in a language; see ``list``."""

    lang: fields.Language
    owner: Owner | None = None
    limit: int | None = None
    offset: int | None = None

    def __attrs_post_init__(self) -> None:
        fields.checked_page(self.limit, self.offset)


class Templates(Resource):
    """Templates of messages."""

    create = method(CreateTemplate)
    edit = method(EditTemplate)
    get = method(GetTemplate)
    get_by_slug = method(GetTemplateBySlug)
    list = method(ListTemplates)
    list_by_language = method(ListTemplatesByLanguage)

    def iter_templates(
        self, owner: Owner | None = None, *, lang: fields.Language | None = None
    ) -> AsyncIterator[Template]:
        """All templates of an owner, in all languages or in one, page by page; see ``list``."""
        if lang is None:
            return paged(lambda limit, offset: self.list(owner, limit, offset))
        return paged(lambda limit, offset: self.list_by_language(lang, owner, limit, offset))
