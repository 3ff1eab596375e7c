"""``mailkit doctor``: whether a service behaves as mailkit expects, by read-only calls."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING, cast

import attrs
import msgspec
import typer

from mailkit.bulk.journal import Account as Quotas
from mailkit.bulk.journal import Journal
from mailkit.cli.options import Account, AsJson, JournalPlace, ProviderName
from mailkit.cli.run import Exit, run
from mailkit.cli.show import print_json
from mailkit.errors import JournalError, Unsupported
from mailkit.providers import provider_class
from mailkit.text import counted, plain

if TYPE_CHECKING:
    from mailkit.core.client import Client
    from mailkit.core.diagnosis import Check, CheckResult

__all__ = ["doctor"]

PROBLEMS = "Problems found. If you report a bug, include these lines."


def doctor(
    provider: ProviderName,
    account: Account = None,
    journal: JournalPlace = None,
    as_json: AsJson = False,
) -> None:
    """Check a service with your credentials: whether it can be reached, accepts them, and responds
    as mailkit expects.

    Nothing is sent or changed. The output can go into a bug report: it has no credentials,
    addresses, names or amounts. With a journal, the account's quotas are respected.

    Exit codes:

    - 0: no problems
    - 1: problems found
    - 2: wrong usage
    """

    async def command() -> int:
        from mailkit.core.diagnosis import diagnose  # and with it aiohttp: others don't need that

        kind = provider_class(provider)
        checks: Sequence[Check] = getattr(kind, "checks", ())
        if not checks:
            raise Unsupported(f"{provider} has no checks")
        results: list[CheckResult] = []
        facts = _surroundings(provider)
        if not as_json:
            print(plain(", ".join(f"{name}: {value}" for name, value in facts.items())))
        async with AsyncExitStack() as stack:
            entered = await stack.enter_async_context(kind.from_env(account=account))
            client = cast("Client", entered)  # what else has checks
            found, store = await _journal(journal, stack)
            results.append(found)
            if store is not None:
                quotas = Quotas(client.name, client.account, client.quotas)
                client = client.with_permits(store.permits_of(quotas, client.clock))
            _print(found, quiet=as_json)
            async for result in diagnose(client, checks):
                results.append(result)
                _print(result, quiet=as_json)
        good = all(result.good for result in results)
        if as_json:
            told = {**facts, "checks": [attrs.asdict(one) for one in results], "ok": good}
            print_json(msgspec.json.encode(told).decode())
        else:
            print("No problems found." if good else PROBLEMS)
        return Exit.DONE if good else Exit.ERROR

    raise typer.Exit(run(command))


def _surroundings(provider: str) -> dict[str, str]:
    """What a bug report needs."""
    variable = f"MAILKIT_{provider.upper()}_URL"
    return {
        "provider": provider,
        "URL": f"from {variable}" if os.environ.get(variable) else "the service's own",
        "mailkit": version("mailkit-bulk"),
        "Python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        "system": f"{platform.system()} {platform.release()}",
    }


async def _journal(path: str | None, stack: AsyncExitStack) -> tuple[CheckResult, Journal | None]:
    """Whether there is a journal that can be used, and that journal."""
    from mailkit.core.diagnosis import CheckResult, CheckState, redacted

    try:
        store = await Journal.open(path, create=False)
        stack.push_async_callback(store.close)
        jobs = len(await store.jobs.list())
    except JournalError as error:
        if "there is no journal at" in str(error):
            return CheckResult("journal", CheckState.SKIPPED, "there is none yet"), None
        return CheckResult("journal", CheckState.FAILED, redacted(str(error))), None
    return CheckResult("journal", CheckState.OK, f"usable, with {counted(jobs, 'job')}"), store


def _print(result: CheckResult, *, quiet: bool) -> None:
    if not quiet:
        print(plain(f"  {result.state:<17} {result.name}: {result.text}"), flush=True)
