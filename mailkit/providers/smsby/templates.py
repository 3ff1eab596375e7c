"""The templates of the account."""

from __future__ import annotations

import attrs

from mailkit.core.call import Call, Resource, method, post
from mailkit.core.model import Model

__all__ = ["Template", "Templates"]


@attrs.frozen
class Template(Model):
    """A template's number and title."""

    id: int
    title: str = ""


@post("/api/v2/getEmailTemplates", repeatable=True, body="none")
class ListTemplates(Call[list[Template]]):
    """All e-mail templates of the account."""


class Templates(Resource):
    """E-mail templates."""

    list = method(ListTemplates)
