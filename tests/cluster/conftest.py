"""The fixture ``cluster``: a shop whose journal is in PostgreSQL, and workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..cli.shop import Shop, open_shop
from .cluster import Cluster


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path, speed=0) as opened:
        yield opened


@pytest.fixture
def cluster(shop: Shop, postgres_database: str) -> Iterator[Cluster]:
    shop.environment["MAILKIT_JOURNAL"] = postgres_database
    with Cluster(shop, postgres_database) as opened:
        yield opened
