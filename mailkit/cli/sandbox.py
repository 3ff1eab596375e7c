"""``mailkit sandbox``: the services as a local server, until Ctrl-C."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from mailkit.cli.options import AsJson
from mailkit.cli.run import Exit, hearing, run
from mailkit.errors import InvalidArgument

if TYPE_CHECKING:
    from mailkit.sandbox import Sandbox

__all__ = ["sandbox"]


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8025,
    speed: Annotated[
        float, typer.Option(min=0, max=1e9, help="How fast the sandbox's time runs.")
    ] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Run the services as a local server that mails nobody; prints what to put where."""

    from mailkit.sandbox import Sandbox  # no other command needs a server

    try:
        server = Sandbox(port=port, speed=speed)
    except ValueError as error:  # not a number: before typer 0.29 that is in every range
        raise typer.BadParameter(str(error)) from None

    async def command() -> int:
        ended = asyncio.Event()
        try:
            await server.start()
        except OSError as error:
            raise InvalidArgument(
                f"port {port} can't be listened on ({error.strerror}): name another with --port"
            ) from None
        try:
            with hearing(ended.set):
                _introduce(server, as_json=as_json)
                await ended.wait()
        finally:
            await server.stop()
        return Exit.DONE

    raise typer.Exit(run(command))


def _introduce(server: Sandbox, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(server.environment()).decode(), flush=True)
        return
    print(f"The sandbox listens on {server.url} and mails nobody. In another terminal:\n")
    for name, value in server.environment().items():
        print(f"export {name}={value}")
    print(f"\nWho was mailed: {server.url}/sandbox/truth   End: Ctrl-C", flush=True)
