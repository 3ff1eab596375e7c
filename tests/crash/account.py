"""SendPulse's account as a person sees it in the dashboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from mailkit import SendPulse
from mailkit.sandbox import SendPulseSettings

__all__ = ["Account", "look_into", "opt_out"]

BATCH = 100


@attrs.frozen
class Account:
    """The names of all lists and campaigns that jobs have made."""

    lists: Sequence[str]
    campaigns: Sequence[str]

    @property
    def made_twice(self) -> list[str]:
        """What there is more than one list or campaign for: a chunk's name comes before its key."""
        found = Counter(("list", _label(name)) for name in self.lists)
        found += Counter(("campaign", _label(name)) for name in self.campaigns)
        return [
            f"{count} {what}s for {label}" for (what, label), count in found.items() if count > 1
        ]

    @property
    def labels(self) -> list[str]:
        """Those of the chunks that there is a campaign for."""
        return [_label(name) for name in self.campaigns]

    def has_campaign(self, label: str) -> bool:
        """Whether the service has taken the chunk of this label."""
        return label in self.labels


def _label(name: str) -> str:
    return name.rpartition(" ")[0]


async def look_into(url: str) -> Account:
    """Look at everything there is."""
    async with _client(url) as client:
        lists = [one.name async for one in client.mailing_lists.iter_lists()]
        campaigns = [one.name async for one in client.campaigns.iter_campaigns()]
        return Account([name for name in lists if "#" in name], campaigns)


async def opt_out(url: str, unsubscribed: Sequence[str], blocked: Sequence[str]) -> None:
    """Have people leave an older list, and put people into the account's blacklist."""
    async with _client(url) as client:
        for first in range(0, len(unsubscribed), BATCH):
            some = unsubscribed[first : first + BATCH]
            older = await client.mailing_lists.create(f"older {some[0]}")
            await client.mailing_lists.add_contacts(older, some)
            await client.mailing_lists.unsubscribe(older, some)
        if blocked:
            await client.blacklist.add(blocked)


def _client(url: str) -> SendPulse:
    key = SendPulseSettings().api_key
    return SendPulse(url=url, api_key=key, requests=None, campaigns=None)
