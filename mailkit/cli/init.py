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
# What is sent. All that follows a # is for you, and goes to nobody.

# Whom it comes from: an address that the service has confirmed as yours.
sender = "Your Shop <news@example.com>"

subject = "The autumn lamps are here"

# {{ name }} is filled in from the column "name" of the list. Where that is empty, it is what stands
# behind the |; without that, the row is left out as invalid. {{ unsubscribe }} is a link by which
# people leave: Devino's and SendPulse's own, or the one in MAILKIT_SMSBY_UNSUBSCRIBE_URL.
html = '''
<p>Hello {{ name | 'dear friend' }},</p>
<p>the new lamps have come. <a href="https://example.com/lamps">Look at them</a></p>
'''

# In place of html: a file next to this one, or plain text.
# html_file = "letter.html"
# text = "Hello {{ name | 'dear friend' }}, the new lamps have come."

# What not every service takes:
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
        Path, typer.Argument(metavar="FOLDER", help="Where; made if it isn't there.")
    ] = Path(),
    provider: SomeProvider = None,
) -> None:
    """Make a message.toml, with comments that explain it, and a list.csv. Overwrites nothing."""

    async def command() -> int:
        texts = _texts(provider)
        _write(folder, texts)
        words = [shlex.quote(plain(str(folder / name))) for name in texts]
        print(f"{' and '.join(words)} are there. Put in what you want to say, and to whom; then:")
        for name in ("plan", "send"):
            print(f"  mailkit {name} {' '.join(words)} --provider {provider or 'NAME'}")
        return Exit.DONE

    raise typer.Exit(run(command))


def _texts(provider: str | None) -> dict[str, str]:
    """The files' texts, with what this provider needs."""
    before, end, after = MESSAGE.partition("'''\n\n# In place")
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
                f"{error.filename} is there already, and stays as it is: name another folder"
            ) from None
        raise InvalidArgument(f"{error.filename} can't be made: {error.strerror}") from None
