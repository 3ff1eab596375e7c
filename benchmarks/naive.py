"""The naive loop: what one writes in an afternoon with urlencode, aiohttp and gather.

It keeps no record, checks no address, drops no duplicate, repeats nothing and asks for no status.
``chunks`` sends the same requests as mailkit, 300 personal letters (or 500 addresses) in one, in
the service's form fields; ``letters`` makes a request for each recipient.
"""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import aiohttp

from benchmarks.server import TOKEN

__all__ = ["Person", "chunks", "letters", "one_letter_to_all", "plan", "read"]

AT_ONCE = 8
is_address = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+").fullmatch
HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


class Person(NamedTuple):
    email: str
    name: str
    city: str


def read(table: Path) -> list[Person]:
    with table.open(newline="", encoding="utf-8") as file:
        return [Person(row["email"], row["name"], row["city"]) for row in csv.DictReader(file)]


def plan(table: Path) -> list[Person]:
    """Whom to mail: a regular expression for the addresses, a set for the duplicates."""
    seen: set[str] = set()
    people = []
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            email = row["email"]
            if is_address(email) and (key := email.lower()) not in seen:
                seen.add(key)
                people.append(Person(email, row["name"], row["city"]))
    return people


def _filled(text: str, person: Person) -> str:
    return text.replace("{{ name }}", person.name).replace("{{ city }}", person.city)


def _posting(
    session: aiohttp.ClientSession, url: str
) -> Callable[[dict[str, str]], Awaitable[None]]:
    async def post(form: dict[str, str]) -> None:
        async with session.post(url, data=urlencode(form), headers=HEADERS) as answer:
            answer.raise_for_status()
            await answer.json()

    return post


async def chunks(
    session: aiohttp.ClientSession, url: str, people: Sequence[Person], subject: str, html: str
) -> None:
    """Personal letters, 300 in a request, ``AT_ONCE`` requests under way."""
    post = _posting(session, f"{url}/api/v2/sendBulkEmail")
    limit = asyncio.Semaphore(AT_ONCE)

    async def send(some: Sequence[Person]) -> None:
        async with limit:
            form = {"token": TOKEN, "sender_email": "a@b.by", "message_type": "personal"}
            for n, person in enumerate(some):
                form[f"delivery_list[{n}][email]"] = person.email
                form[f"delivery_list[{n}][subject]"] = _filled(subject, person)
                form[f"delivery_list[{n}][message]"] = _filled(html, person)
            await post(form)

    await asyncio.gather(*(send(people[n : n + 300]) for n in range(0, len(people), 300)))


async def one_letter_to_all(
    session: aiohttp.ClientSession, url: str, people: Sequence[Person], subject: str, html: str
) -> None:
    """One letter for all, 500 addresses in a request."""
    post = _posting(session, f"{url}/api/v2/sendBulkEmail")
    limit = asyncio.Semaphore(AT_ONCE)

    async def send(some: Sequence[Person]) -> None:
        async with limit:
            form = {"token": TOKEN, "sender_email": "a@b.by", "message_type": "bulk"}
            form |= {"subject": subject, "message": html}
            form |= {f"delivery_list[{n}]": person.email for n, person in enumerate(some)}
            await post(form)

    await asyncio.gather(*(send(people[n : n + 500]) for n in range(0, len(people), 500)))


async def letters(
    session: aiohttp.ClientSession, url: str, people: Sequence[Person], subject: str, html: str
) -> None:
    """Personal letters, each in a request of its own."""
    post = _posting(session, f"{url}/api/v2/sendEmail")
    limit = asyncio.Semaphore(AT_ONCE)

    async def send(person: Person) -> None:
        async with limit:
            form = {"token": TOKEN, "sender_email": "a@b.by", "email": person.email}
            form |= {"subject": _filled(subject, person), "message": _filled(html, person)}
            await post(form)

    await asyncio.gather(*map(send, people))
