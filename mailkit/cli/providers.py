"""Providers by their names: the entry points of the group ``mailkit.providers``, ours included."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import EntryPoint, entry_points

from mailkit.core.dispatch import Provider, ProviderClass
from mailkit.errors import InvalidArgument, Unsupported

__all__ = ["open_provider"]

_GROUP = "mailkit.providers"


def open_provider(name: str, account: str | None) -> AbstractAsyncContextManager[Provider]:
    """The client of this provider, with the credentials of the environment; no other is imported.

    Raises InvalidArgument for a provider that is not installed, or can't be imported, and
    Unsupported for one without a bulk send.
    """
    installed = entry_points(group=_GROUP)
    found = [point for point in installed if point.name == name]
    names = ", ".join(sorted(installed.names)) or "none"
    if not found:
        raise InvalidArgument(f"unknown provider {name!r}: use one of {names}")
    kind = _load(found)
    if not hasattr(kind, "dispatch"):
        raise Unsupported(f"{name} has no bulk send yet: the installed providers are {names}")
    return kind.from_env(account=account)


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
