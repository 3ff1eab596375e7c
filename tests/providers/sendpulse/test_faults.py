"""What the sandbox does, and whose response is lost on the way, is done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from mailkit.errors import NotFound, OutcomeUnknown, Refused
from mailkit.providers.sendpulse import SendPulse
from mailkit.sandbox import Fault, Sandbox

LOST = ["reset_after_acting", "cut_answer", "cut_json", "html_200"]
HERE, GONE = "opens@test.com", "nobody@test.com"

Undo = Callable[[SendPulse, int], Awaitable[object]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(seed=1) as one:
        one.sendpulse.settings.requests_per_second = None
        yield one


@pytest.fixture
async def sendpulse(sandbox: Sandbox) -> AsyncIterator[SendPulse]:
    settings = sandbox.sendpulse.settings
    pair = settings.client_id, settings.client_secret
    async with SendPulse(*pair, sandbox.url, requests=None, campaigns=None) as one:
        yield one


async def list_of(sendpulse: SendPulse) -> int:
    number = await sendpulse.mailing_lists.create("Autumn")
    await sendpulse.mailing_lists.add_contacts(number, [HERE])
    return number


async def sender_of(sendpulse: SendPulse) -> int:
    await sendpulse.senders.add("new@shop.by", "Shop")
    return 0


async def webhook_of(sendpulse: SendPulse) -> int:
    (hook,) = await sendpulse.webhooks.create("https://site.com/callback", "open")
    return hook.id


async def tag_of(sendpulse: SendPulse) -> int:
    await sendpulse.tags.create("vip", "#f0f4f6")
    (tag,) = await sendpulse.tags.list()
    return tag.id


UNDOINGS: dict[str, tuple[Callable[[SendPulse], Awaitable[int]], Undo]] = {
    "mailing_lists.delete": (list_of, lambda it, n: it.mailing_lists.delete(n)),
    "mailing_lists.remove_contacts": (
        list_of,
        lambda it, n: it.mailing_lists.remove_contacts(n, [HERE]),
    ),
    "mailing_lists.unsubscribe": (list_of, lambda it, n: it.mailing_lists.unsubscribe(n, [HERE])),
    "contacts.delete": (list_of, lambda it, n: it.contacts.delete(HERE)),
    "senders.remove": (sender_of, lambda it, n: it.senders.remove("new@shop.by")),
    "webhooks.delete": (webhook_of, lambda it, n: it.webhooks.delete(n)),
    "tags.delete": (tag_of, lambda it, n: it.tags.delete(n)),
}


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("name", UNDOINGS)
async def test_what_is_undone_is_undone_though_the_response_is_lost(
    sandbox: Sandbox, sendpulse: SendPulse, name: str, kind: str
) -> None:
    make, undo = UNDOINGS[name]
    number, operation = await make(sendpulse), f"sendpulse.{name}"
    sandbox.faults.add(Fault(kind, on=operation, times=1))
    await undo(sendpulse, number)
    assert sandbox.requests[operation] == 2
    if name != "contacts.delete":  # which doesn't mind
        with pytest.raises(Refused):
            await undo(sendpulse, number)
        assert sandbox.requests[operation] == 3


async def test_addresses_that_were_never_there_are_refused(sendpulse: SendPulse) -> None:
    number = await list_of(sendpulse)
    with pytest.raises(NotFound) as caught:
        await sendpulse.mailing_lists.remove_contacts(number, [GONE])
    assert caught.value.code == 303
    with pytest.raises(Refused, match="Active emails not found"):
        await sendpulse.mailing_lists.unsubscribe(number, [GONE])


@pytest.mark.parametrize("kind", LOST)
async def test_a_list_whose_response_was_lost_is_found_by_its_name(
    sandbox: Sandbox, sendpulse: SendPulse, kind: str
) -> None:
    sandbox.faults.add(Fault(kind, on="sendpulse.mailing_lists.create", times=1))
    with pytest.raises(OutcomeUnknown):
        await sendpulse.mailing_lists.create("Autumn")
    with pytest.raises(Refused) as caught:
        await sendpulse.mailing_lists.create("Autumn")
    assert caught.value.code == 203
    found = await sendpulse.mailing_lists.find_by_name("Autumn")
    assert found is not None
    assert found.name == "Autumn"


async def test_a_template_comes_back_whole_and_page_by_page(sendpulse: SendPulse) -> None:
    templates = sendpulse.templates
    numbers = [
        await templates.create(html=f"<p>Ж{n}</p>", lang="ru", name=f"n{n}") for n in range(3)
    ]
    for _ in range(5):  # plain or in base64, as it happens
        assert (await templates.get(numbers[1])).html == "<p>Ж1</p>"
    assert [one.real_id for one in await templates.list("me", 2, 1)] == numbers[1:]
    assert [one.real_id async for one in templates.iter_templates("me", lang="ru")] == numbers
    assert {one.owner for one in await templates.list()} == {"sendpulse"}
