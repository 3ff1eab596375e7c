"""Where a request goes by its path, and how much of the path may be shown."""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

from mailkit.webhooks.secrets import MASK, Secrets

__all__ = ["HEALTH", "Route", "Routes"]

HEALTH = "health"


@attrs.frozen
class Route:
    """``provider`` is None unless the path ends in a provider's name and a secret; ``shown`` is the
    path without what is, or may have been meant as, a secret.
    """

    provider: str | None
    shown: str
    health: bool = False


class Routes:
    """``…/PROVIDER/SECRET``, below whatever the receiver is mounted at, and ``…/health``."""

    def __init__(self, secrets: Secrets, providers: Collection[str]) -> None:
        self._secrets = secrets
        self._providers = frozenset(providers)
        names = "|".join(map(re.escape, sorted(providers)))
        self._after = re.compile(rf"(/(?:{names})/)[^/\s?\"']+") if providers else None

    def find(self, path: str) -> Route:
        """The route of a decoded path."""
        place, name, last = ("", "", *path.rstrip("/").rsplit("/", 2))[-3:]
        if last == HEALTH:
            return Route(None, self.mask(path), health=True)
        secret = self._secrets.match(last)  # first, so that a name's fate takes no other time
        known = name in self._providers
        shown = f"{self.mask(place)}/{name if known else MASK}/{MASK}"
        return Route(name if secret and known else None, shown)

    def mask(self, text: str) -> str:
        """The text without the secrets, and without whatever follows a provider's name in a path:
        it may be a secret that was mistyped, or was valid until yesterday.
        """
        shown = self._secrets.mask(text)
        return shown if self._after is None else self._after.sub(rf"\1{MASK}", shown)
