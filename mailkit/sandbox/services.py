"""The services that are installed: mailkit's own and those of other packages, by entry points."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mailkit.sandbox.nearest import meant
from mailkit.sandbox.service import Service, Shared

GROUP = "mailkit.sandbox"


@cache
def installed() -> Mapping[str, type[Service[Any]]]:
    """The class of each service by its name; ImportError names one that can't be loaded."""
    found = {point.name: _load(point) for point in entry_points(group=GROUP)}
    if not found:
        raise ImportError(
            f"no service is installed in the entry-point group {GROUP!r}: install mailkit again "
            "(pip install -e . in a working copy)"
        )
    return found


def open_services(
    shared: Shared, settings: Mapping[str, object], arguments: Iterable[str] = ()
) -> dict[str, Service[Any]]:
    """Each installed service with the settings under its name, or with its defaults; `arguments`
    are what a sandbox takes besides.
    """
    classes = installed()
    unknown = settings.keys() - classes.keys()
    if unknown:
        none = f"no such service is installed, there are {', '.join(classes)}"
        hint = meant(min(unknown), [*arguments, *classes], none)
        raise TypeError(f"Sandbox() has no argument {min(unknown)!r}: {hint}")
    services: dict[str, Service[Any]] = {}
    for name, service in classes.items():
        given, wanted = settings.get(name), service.settings_type
        if given is not None and not isinstance(given, wanted):
            raise TypeError(f"{name} must be {wanted.__name__}, not {type(given).__name__}")
        services[name] = service(shared, wanted() if given is None else given)
    return services


def _load(point: EntryPoint) -> type[Service[Any]]:
    try:
        service = point.load()
    except Exception as error:
        raise ImportError(
            f"the sandbox's service {point.name!r} can't be loaded from {point.value}: {error}"
        ) from error
    if not (isinstance(service, type) and issubclass(service, Service)):
        raise ImportError(
            f"the sandbox's service {point.name!r} is not a subclass of mailkit.sandbox.Service: "
            f"{point.value}"
        )
    return service
