"""The fixture ``cluster``: a shop whose journal is in PostgreSQL, and workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..cli.shop import open_shop
from .cluster import Cluster


@pytest.fixture
def cluster(tmp_path: Path, postgres_database: str) -> Iterator[Cluster]:
    with open_shop(tmp_path, speed=0) as shop:
        shop.environment["MAILKIT_JOURNAL"] = postgres_database
        with Cluster(shop, postgres_database) as opened:
            yield opened
