"""What ``import mailkit`` offers, what it costs, and which modules are public."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import mailkit

ROOT = Path(__file__).parent.parent
PUBLIC = {
    "mailkit",
    "mailkit.cluster",
    "mailkit.errors",
    "mailkit.events",
    "mailkit.otel",
    "mailkit.provider",
    "mailkit.providers.devino",
    "mailkit.providers.sendpulse",
    "mailkit.providers.smsby",
    "mailkit.sandbox",
    "mailkit.testing",
    "mailkit.testing.conformance",
    "mailkit.webhooks",
}
"""All other modules are private."""
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.py")]
INSIDE = {ROOT / "docs/architecture.md"}
"""Pages for whoever works on mailkit itself."""


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_module_lists_its_names(name: str) -> None:
    module = import_module(name)
    assert module.__doc__
    constants = [one for one in module.__all__ if one.isupper()]
    classes = [one for one in module.__all__ if one[0].isupper() and one not in constants]
    assert module.__all__ == [
        *sorted(constants),
        *sorted(classes),
        *sorted({*module.__all__} - {*constants, *classes}),
    ]
    for one in module.__all__:
        assert getattr(module, one) is not None


def test_what_mailkit_offers_has_the_name_that_it_is_offered_by() -> None:
    for name in mailkit.__all__:
        assert getattr(mailkit, name).__name__ == name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_users_are_shown_public_modules_alone(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown = set(re.findall(r"(?:from|import) (mailkit[\w.]*)", text))
    if page not in INSIDE:
        assert shown <= PUBLIC


def test_the_page_for_providers_names_each_public_module() -> None:
    page = (ROOT / "docs/adding-a-provider.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(mailkit(?:\.\w+)*)`", page)) == PUBLIC


def test_the_fourth_provider_imports_public_modules_alone() -> None:
    sources = (ROOT / "tests/listmail").rglob("*.py")
    text = "".join(source.read_text(encoding="utf-8") for source in sources)
    assert set(re.findall(r"^ *(?:from|import) (mailkit[\w.]*)", text, re.MULTILINE)) <= PUBLIC


def test_what_is_public_is_listed_and_reached_without_another_import() -> None:
    program = (
        "import mailkit; print(mailkit.__version__, mailkit.errors.NotSent.__name__, "
        "mailkit.sandbox.Fault.__name__, *dir(mailkit))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    number, *names = said.stdout.split()
    assert number == version("mailkit-bulk")
    modules = {name.split(".")[1] for name in PUBLIC if "." in name}
    assert {"NotSent", "Fault", "__version__", *mailkit.__all__, *modules} <= {*names}


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Mailer'"):
        _ = mailkit.Mailer  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "module", ["mailkit", "mailkit.testing", "mailkit.webhooks", "mailkit.cli.app"]
)
def test_importing_it_loads_no_http_library(module: str) -> None:
    program = f"import {module}, sys; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


EXTRAS = {
    "cluster": ["procrastinate", "psycopg"],
    "otel": ["opentelemetry"],
    "others": ["jinja2", "openpyxl", "pytest", "rich", "typer", "uvloop", "xlsxwriter"],
}


def without(extra: str, program: str) -> subprocess.CompletedProcess[str]:
    """The end of a program that finds none of an extra's packages."""
    hidden = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS[extra]}))\n"
    return subprocess.run(
        [sys.executable, "-c", hidden + program], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("extra", EXTRAS)
def test_help_needs_no_extra(extra: str) -> None:
    shown = without(extra, "import mailkit; help(mailkit)").stdout
    assert "class BulkSender" in shown
    assert "class SmsBy" in shown


@pytest.mark.parametrize("extra", ["cluster", "otel"])
@pytest.mark.parametrize("statement", ["import mailkit.{}", "from mailkit import {}"])
def test_a_module_without_its_extra_says_what_to_install(extra: str, statement: str) -> None:
    ended = without(extra, statement.format(extra))
    *_, last = ended.stderr.splitlines()
    assert last.startswith(f"ModuleNotFoundError: mailkit.{extra} needs ")
    assert last.endswith(f": pip install 'mailkit-bulk[{extra}]'")
