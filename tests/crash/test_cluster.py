"""The short form of the proof on PostgreSQL: ``nox -s crash`` strikes 400 times."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..postgres.server import Server
from .cluster import QUOTA, prove_cluster
from .sandbox import sandbox


def test_senders_and_servers_are_struck_and_nobody_is_mailed_twice_or_lost(
    make_postgres: Callable[..., Server], tmp_path: Path
) -> None:
    server = make_postgres()
    with sandbox() as place:
        ordeal = prove_cluster(1, server, place, tmp_path, 120, pause=0.15)
    assert ordeal.verdict.good, ordeal
    assert ordeal.struck
    assert 0 < ordeal.most <= QUOTA.limit
