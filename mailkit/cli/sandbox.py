"""``mailkit sandbox``: the services as a local server, until Ctrl-C."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from mailkit.cli.ports import port_refused
from mailkit.cli.run import Exit, hearing, run
from mailkit.errors import InvalidArgument

if TYPE_CHECKING:
    from mailkit.sandbox import Fault, Sandbox

__all__ = ["sandbox"]

LOCAL = ("127.0.0.1", "::1", "localhost")


def sandbox(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 picks a free one.")
    ] = 8025,
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen on; 0.0.0.0, e.g. in a container, lets others on the "
            "network see and control the sandbox, too."
        ),
    ] = "127.0.0.1",
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Another host name that clients use, e.g. the container's; may be repeated. "
            "localhost and IP addresses are always allowed.",
        ),
    ] = None,
    keep: Annotated[
        int, typer.Option(min=0, help="The number of recent messages to keep with their text.")
    ] = 1000,
    speed: Annotated[
        float, typer.Option(min=0, max=1e9, help="How fast the sandbox's clock runs.")
    ] = 1.0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:NAME=VALUE,…]",
            help="A fault to inject, e.g. rate_limited:times=2; may be repeated. --fault help "
            "lists them all.",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A service's setting, e.g. smsby.token=mine; may be repeated.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the environment variables as a JSON object.")
    ] = False,
) -> None:
    """Run the services as a local server that mails nobody, with a page of the messages sent.

    Prints the environment variables to set. For example, to lose a response, and to have Devino's
    events posted:

    - mailkit sandbox --fault reset_after_acting:on=smsby.bulk.send,times=1
    - mailkit sandbox --set devino.callback_url=http://127.0.0.1:8080/…
    """

    from mailkit.sandbox import Fault, Sandbox  # no other command needs a server
    from mailkit.sandbox.adjusting import parsed

    if fault == ["help"]:
        _list_faults(as_json=as_json)
        raise typer.Exit(Exit.DONE)
    try:
        server = Sandbox(
            host=host,
            port=port,
            hosts=allowed_host or (),
            remote=host not in LOCAL,
            speed=speed,
            keep_emails=keep,
        )
    except ValueError as error:  # before typer 0.29 "nan" is in every range
        raise typer.BadParameter(str(error.args[0])) from None
    with _about("--fault"):
        faults = [Fault.parse(one) for one in fault or ()]
    with _about("--set"):
        server.adjust(dict(map(parsed, settings or ())))

    async def command() -> int:
        ended = asyncio.Event()
        try:
            await server.start()
        except socket.gaierror as error:
            raise InvalidArgument(
                f"--host: {host} is not an address of this machine ({error.strerror}); give e.g. "
                "127.0.0.1"
            ) from None
        except OSError as error:
            raise port_refused(error, host, port) from None
        try:
            for one in faults:
                _add(server, one)
            with hearing(ended.set):
                _introduce(server, as_json=as_json)
                await ended.wait()
        finally:
            await server.stop()
        return Exit.DONE

    raise typer.Exit(run(command))


@contextmanager
def _about(option: str) -> Iterator[None]:
    try:
        yield
    except (TypeError, ValueError) as error:
        raise typer.BadParameter(str(error.args[0]), param_hint=option) from None


def _add(server: Sandbox, fault: Fault) -> None:
    try:
        server.faults.add(fault)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from None


def _list_faults(*, as_json: bool) -> None:
    from mailkit.sandbox.faults import describe

    kinds = describe()
    if as_json:
        print(msgspec.json.encode(kinds).decode())
        return
    for name, kind in kinds.items():
        values = {key: msgspec.json.encode(one).decode() for key, one in kind.parameters.items()}
        given = "".join(f", {key}={value}" for key, value in values.items())
        acts = "" if kind.acts else " The request is not carried out."
        print(f"{name:21} {kind.help}{acts}{' (' + given[2:] + ')' if given else ''}")
    print("\nAll of them take on=OPERATION (or smsby.*), after, times and probability.")


def _introduce(server: Sandbox, *, as_json: bool) -> None:
    if as_json:
        print(msgspec.json.encode(server.environment()).decode(), flush=True)
        return
    print(f"The sandbox listens on {server.url} and mails nobody. In another terminal:\n")
    for name, value in server.environment().items():
        print(f"export {name}={value}")
    print(f"\nMessages: {server.url}/   Stop: Ctrl-C", flush=True)
