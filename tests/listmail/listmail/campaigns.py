"""Campaigns: a message to a whole list."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailkit.provider import Call, Resource, arg, get, method, post

__all__ = ["Campaign", "Campaigns", "Result", "ResultPage"]


@attrs.frozen
class Campaign:
    """A campaign, by its id."""

    id: int


@attrs.frozen
class Result:
    """What became of one contact's message."""

    email: str
    status: str


@attrs.frozen
class ResultPage:
    """Some results; ``next`` is where the next page starts, None after the last one."""

    results: Sequence[Result]
    next: int | None


@post("/v1/campaigns", repeatable=False)
class CreateCampaign(Call[Campaign], kw_only=True):
    """Mail every contact of a list at once. A second campaign of the same name mails them again."""

    name: str
    list_id: int = arg(wire="list")
    sender: str
    subject: str
    html: str


@get("/v1/campaigns", repeatable=True)
class FindCampaigns(Call[list[Campaign]]):
    """The campaigns of this name."""

    name: str


@get("/v1/campaigns/{campaign_id}/results", repeatable=True)
class GetResults(Call[ResultPage]):
    """A page of what became of the messages."""

    campaign_id: int
    after: int | None = None


class Campaigns(Resource):
    """Campaigns."""

    create = method(CreateCampaign)
    find = method(FindCampaigns)
    results = method(GetResults)
