"""The captured messages: found, described, and followed on their way."""

from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any

import attrs

from mailkit.sandbox.clock import Clock, moment
from mailkit.sandbox.happening import HAPPENINGS, CannotHappen, Course, furthest, past
from mailkit.sandbox.search import Found, search
from mailkit.sandbox.service import Service
from mailkit.sandbox.truth import Email, Truth

PAGE = 50


class NoSuchMessage(LookupError):
    """There is no message of this number."""


@attrs.define(kw_only=True)
class Inbox:
    """All captured messages; safe from any thread. `happened` counts what was made to happen."""

    clock: Clock
    truth: Truth
    services: Mapping[str, Service[Any]]
    lock: RLock
    wake: Callable[[], None]
    happened: int = 0

    def get(self, number: int) -> Email:
        """The message of that number."""
        email = self.truth.email(number)
        if email is None:
            raise NoSuchMessage(f"there is no message {number}")
        return email

    def find(self, text: str = "", *, before: int | None = None, limit: int = PAGE) -> Found:
        """The newest messages, below a number if one is given, with all words of a search."""
        with self.lock:
            top = self.truth.emails + 1 if before is None else before
            return search(self.truth, text, before=top, limit=limit)

    def course(self, email: Email) -> Course:
        """The steps on a message's way, past and future, as far as its service follows it."""
        service = self.services.get(email.mailing.service)
        if service is None:
            return ()
        with self.lock:
            try:
                return service.course(email, self.clock.now())
            except CannotHappen:
                return ()

    def state(self, email: Email) -> str:
        """The furthest step that a message has reached, or "accepted"."""
        reached = past(self.course(email), self.clock.now())
        return str(furthest(reached)) if reached else "accepted"

    def history(self, email: Email) -> list[str]:
        """The steps that a message has taken by now."""
        now = self.clock.now()
        return [str(step) for at, step in self.course(email) if at <= now]

    def happen(self, email: Email, what: str) -> None:
        """Make something of HAPPENINGS happen to a message; CannotHappen says why it can't."""
        step = HAPPENINGS.get(what)
        if step is None:
            raise CannotHappen(f"{what!r} can't happen to a message: use {', '.join(HAPPENINGS)}")
        service = self.services.get(email.mailing.service)
        if service is None:
            raise CannotHappen("no service follows this message")
        with self.lock:
            service.happen(email, step)
            self.happened += 1
        self.wake()

    def described(self, email: Email, *, full: bool) -> dict[str, object]:
        """A message as JSON; with `full` its body, merge values, and history, too."""
        mailing = email.mailing
        found: dict[str, object] = {
            "id": email.number,
            "service": mailing.service,
            "operation": mailing.operation,
            "campaign": mailing.campaign,
            "at": moment(mailing.at),
            "from": mailing.sender,
            "from_name": mailing.sender_name,
            "to": email.address,
            "subject": email.subject,
            "state": self.state(email),
            "attachments": [attrs.asdict(one) for one in mailing.attachments],
            "kept": email.content is not None,
        }
        if full:
            content, now = email.content, self.clock.now()
            is_html = content is not None and content.is_html
            found["html"] = email.body if is_html else None
            found["text"] = email.text
            found["values"] = dict(email.values)
            found["history"] = [
                {"at": moment(at), "step": step} for at, step in self.course(email) if at <= now
            ]
        return found
