"""The services, strangers to each other: a folder a provider, the same file names in each.

They are found by their names, the entry points of the group ``mailkit.providers``, ours included.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from mailkit.core.dispatch import Provider, ProviderClass, WebhookProviderClass
from mailkit.errors import InvalidArgument, Unsupported
from mailkit.events import WebhookEvent

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

__all__ = [
    "WebhookParser",
    "open_provider",
    "provider_class",
    "provider_names",
    "webhook_parsers",
]

WebhookParser = Callable[[bytes], Sequence[WebhookEvent]]

_GROUP = "mailkit.providers"
_log = logging.getLogger("mailkit")


def open_provider(name: str, account: str | None) -> AbstractAsyncContextManager[Provider]:
    """The client of this provider, with the credentials of the environment; no other is imported.

    Raises InvalidArgument for a provider that is not installed, or can't be imported, and
    Unsupported for one without a bulk send.
    """
    kind = provider_class(name)
    if not hasattr(kind, "dispatch"):
        names = ", ".join(provider_names())
        raise Unsupported(f"{name} has no bulk send yet: the installed providers are {names}")
    return kind.from_env(account=account)


def provider_names() -> Sequence[str]:
    """The providers that are installed."""
    return sorted(_installed().names)


def provider_class(name: str) -> ProviderClass:
    """The client's class of this provider; InvalidArgument if it is not installed, or can't be
    imported.
    """
    found = [point for point in _installed() if point.name == name]
    if not found:
        names = ", ".join(provider_names()) or "none"
        raise InvalidArgument(f"unknown provider {name!r}: use one of {names}")
    return _load(found)


def webhook_parsers() -> Mapping[str, WebhookParser]:
    """What reads the webhooks of each installed provider that has some; one that can't be imported
    is logged.
    """
    parsers: dict[str, WebhookParser] = {}
    installed = _installed()
    for name in sorted(installed.names):
        try:
            kind = _load([point for point in installed if point.name == name])
        except InvalidArgument as error:
            _log.warning("%s", error)
            continue
        if isinstance(kind, WebhookProviderClass):
            parsers[name] = kind.parse_webhook
    return parsers


def _installed() -> EntryPoints:
    from importlib.metadata import entry_points  # an import that costs a client nothing

    return entry_points(group=_GROUP)


def _load(found: Sequence[EntryPoint]) -> ProviderClass:
    first, *others = found
    if any(other.value != first.value for other in others):
        packages = " and ".join(sorted({point.dist.name for point in found if point.dist}))
        raise InvalidArgument(f"{packages} both have a provider {first.name}: uninstall one")
    try:
        kind: ProviderClass = first.load()
    except Exception as error:  # noqa: BLE001 - others wrote it: whatever their module raises
        why = f"{type(error).__name__}: {error}"
        raise InvalidArgument(f"the provider {first.name} can't be imported: {why}") from None
    return kind
