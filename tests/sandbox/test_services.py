"""Services are found by their entry points; those of other packages need no change in mailkit."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from mailkit.sandbox import DevinoSettings, Endpoints, Fault, Sandbox, Service, endpoint
from mailkit.sandbox.services import installed

from .conftest import opened

ACME = Path(__file__).parent / "acme"


@pytest.fixture(autouse=True)
def no_other_test_sees_them() -> Iterator[None]:
    installed.cache_clear()
    yield
    installed.cache_clear()
    sys.modules.pop("broken_sandbox", None)


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ACME)


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, target: str, module: str = "") -> None:
    """A package `broken` with one entry point."""
    about = folder / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[mailkit.sandbox]\nbroken = {target}\n")
    (folder / "broken_sandbox.py").write_text(module)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("acme")
async def test_a_service_of_another_package_is_served_like_ours() -> None:
    settings: Any = import_module("acme_sandbox").AcmeSettings(key="mine")
    async with Sandbox(acme=settings) as sandbox:
        assert list(sandbox.services) == ["acme", "devino", "sendpulse", "smsby"]
        assert sandbox.environment()["ACME_KEY"] == "mine"
        async with opened(sandbox, "mine") as api:
            send = "/acme/lists/autumn%20sale/send"
            order: dict[str, Any] = {"to": ["a@b.by", "c@d.by"], "subject": "Hi"}
            assert (await api("POST", send, order)).value == {"ok": True, "list": "autumn sale"}
            assert (await api("GET", "/acme/count")).value == {"ok": True, "sent": 2}
            assert (await api("POST", send, {"to": ["a@b.by"] * 3})).status == 400
            sandbox.faults.add(Fault("server_error", on="acme.lists.send", times=1))
            assert (await api("POST", send, order)).value == {"ok": False, "why": "Internal error"}
        assert sandbox.truth.emails == 2
        assert sandbox.requests == {"acme.lists.send": 3, "acme.lists.count": 1}
        sandbox.reset()
        assert sandbox.truth.emails == 0


def test_ours_are_found_in_the_same_way() -> None:
    assert set(installed()) == {"devino", "sendpulse", "smsby"}


@pytest.mark.parametrize(
    ("target", "module", "words"),
    [
        ("broken_sandbox:Broken", "import nothing_such", "nothing_such"),
        ("broken_sandbox:Broken", "raise RuntimeError('no licence')", "no licence"),
        ("broken_sandbox:Broken", "", "Broken"),
        ("broken_sandbox:Broken", "Broken = 7", "not a subclass of mailkit.sandbox.Service"),
    ],
)
def test_a_service_that_can_not_be_loaded_is_named(
    target: str, module: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, target, module)
    with pytest.raises(ImportError, match=f"'broken'.*{words}") as caught:
        Sandbox()
    assert "broken_sandbox:Broken" in str(caught.value)


def test_without_entry_points_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailkit.sandbox.services.entry_points", lambda group: [])
    with pytest.raises(ImportError, match=r"pip install -e \."):
        Sandbox()


def test_settings_of_an_unknown_or_another_service_are_refused() -> None:
    with pytest.raises(TypeError, match=r"'colour'.* devino, sendpulse, smsby"):
        Sandbox(colour=60)
    with pytest.raises(TypeError, match="smsby must be SmsBySettings, not DevinoSettings"):
        Sandbox(smsby=DevinoSettings())


@endpoint("x.first", "GET /x/{id}")
def first() -> object: ...


@endpoint("x.first", "GET /y")
def again() -> object: ...


@endpoint("x.variant", "GET /z", when=("kind", "b"))
def variant() -> object: ...


def test_endpoints_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x\.first is declared twice"):
        Endpoints(first, again)
    with pytest.raises(ValueError, match=r"x\.variant needs another endpoint"):
        Endpoints(first, variant)


def test_a_service_must_say_how_it_acts() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Service(None, None)  # type: ignore[abstract, arg-type]
