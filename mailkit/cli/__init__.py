"""The command line: ``mailkit --help``. Needs the extra ``cli``."""

from __future__ import annotations

import os
import signal
import sys

__all__ = ["main"]

RENAMED = {"--late": "--ignore-send-at", "--senders": "--concurrency"}


def main() -> None:
    """Run the command; a missing extra is told in a sentence."""
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
        from mailkit.cli.run import written
    except ModuleNotFoundError as error:
        if error.name not in {"typer", "rich"}:
            raise
        sys.exit("mailkit: the command line needs its extra: pip install 'mailkit-bulk[cli]'")

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
    code = written(command)
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)
