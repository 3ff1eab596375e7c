"""The command line: ``mailkit --help``. Needs the extra ``cli``."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mailkit.extras import install

__all__ = ["main"]

RENAMED = {"--late": "--ignore-send-at", "--senders": "--concurrency"}
_COLLECTED = 10_000  # objects: a job makes and drops millions, and next to no cycles


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """The garbage collector looks less often, and in the end at all that was kept from it."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECTED, *before[1:])
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def main() -> None:
    """Run the command; a missing extra is told in a sentence."""
    with _seldom_collecting():
        _main()


def _main() -> None:
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: no traceback
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the caller: no socket must get its number
            nothing = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(nothing, mode, closefd=False))  # noqa: SIM115
    for option, better in RENAMED.items():
        if option in (given.partition("=")[0] for given in sys.argv[1:]):
            print(f"mailkit: the option {option} is now {better}", file=sys.stderr)
            sys.exit(2)
    try:
        from mailkit.cli.app import app
        from mailkit.cli.ending import come_too_late, process_ends_with_command
        from mailkit.cli.run import written
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit(f"mailkit: the command line needs its extra: {install('cli')}")

    def command() -> int:
        try:
            app()
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else ended.code is not None
        except KeyboardInterrupt:  # before the command began
            return 130
        return 0

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.freeze()  # modules are no garbage
    process_ends_with_command()
    code = written(command)
    come_too_late()
    sys.exit(code)
