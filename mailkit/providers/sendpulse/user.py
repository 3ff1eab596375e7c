"""The account's owner, whom the page doesn't describe."""

from __future__ import annotations

from mailkit.core.call import Call, Resource, get, method

__all__ = ["User"]


@get("/user/info", repeatable=True)
class GetUserInfo(Call[dict[str, object]]):
    """What the service says of the account, in its own words, which are not published.

    A cheap test of the credentials.
    """


class User(Resource):
    """The account's owner."""

    info = method(GetUserInfo)
