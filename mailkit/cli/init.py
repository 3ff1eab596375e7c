"""``mailkit init``: a message and a list to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mailkit.cli.options import SomeProvider
from mailkit.cli.run import Exit, run
from mailkit.errors import InvalidArgument
from mailkit.text import plain

__all__ = ["init"]

MESSAGE = """\
# The message. Lines that begin with # are comments: they are not sent.

# The sender: an address that you have confirmed with the service.
sender = "Your Shop <news@example.com>"

subject = "The autumn lamps are here"

# {{ name }} is replaced by the value in the list's column "name". If that is empty, the text after
# the | is used; without one, the row is invalid and is not mailed. {{ unsubscribe }} is the link to
# unsubscribe: Devino's or SendPulse's own, or the one in MAILKIT_SMSBY_UNSUBSCRIBE_URL.
html = '''
<p>Hello {{ name | 'dear friend' }},</p>
<p>the new lamps are here. <a href="https://example.com/lamps">Look at them</a></p>
'''

# Instead of html: a file next to this one, or plain text.
# html_file = "autumn.html"
# text = "Hello {{ name | 'dear friend' }}, the new lamps are here."

# Not every service supports these:
# attachments = ["prices.pdf"]
# send_at = 2030-05-01T10:00:00+03:00
# track_opens = true
# track_clicks = true
"""
LEAVE = '<p><a href="{{ unsubscribe }}">Unsubscribe</a></p>\n'
NEEDS_LEAVE = ("devino", "sendpulse")
LIST = "email,name\nyou@example.com,Anna\nsomebody.else@example.com,\n"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The folder; created if it does not exist.")
    ] = Path(),
    provider: SomeProvider = None,
) -> None:
    """Create a message.toml, with comments, and a list.csv to start from. Overwrites nothing."""

    async def command() -> int:
        texts = _texts(provider)
        _write(folder, texts)
        words = [shlex.quote(plain(str(folder / name))) for name in texts]
        print(f"Created {' and '.join(words)}. Fill in your message and your list, then:")
        for name in ("plan", "send"):
            print(f"  mailkit {name} {' '.join(words)} --provider {provider or 'NAME'}")
        return Exit.DONE

    raise typer.Exit(run(command))


def _texts(provider: str | None) -> dict[str, str]:
    """The files' texts, with what this provider needs."""
    before, end, after = MESSAGE.partition("'''\n\n# Instead")
    leave = LEAVE if provider in NEEDS_LEAVE else ""
    return {"message.toml": before + leave + end + after, "list.csv": LIST}


def _write(folder: Path, texts: dict[str, str]) -> None:
    """All of the files, or none."""
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            place = folder / name
            with place.open("x", encoding="utf-8") as file:
                made.append(place)
                file.write(text)
    except OSError as error:
        for place in made:
            place.unlink()
        if isinstance(error, FileExistsError):
            raise InvalidArgument(
                f"{error.filename} already exists, and was not changed: use another folder"
            ) from None
        raise InvalidArgument(f"{error.filename} can't be created: {error.strerror}") from None
