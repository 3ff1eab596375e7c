"""The account's owner, whom the page doesn't describe."""

from __future__ import annotations

from typing import Any

from mailkit.core.call import Call, Resource, get, method
from mailkit.core.wire import Unreadable

__all__ = ["User"]


def _something(tree: Any) -> Any:
    if not tree:
        raise Unreadable("nothing about the account in the response")
    return tree


@get("/user/info", repeatable=True, pick=_something)
class GetUserInfo(Call[dict[str, object]]):
    """What the service says of the account, in its own words, which are not published.

    A cheap test of the credentials.
    """


class User(Resource):
    """The account's owner."""

    info = method(GetUserInfo)
