"""People on the disk: each once, with the first reason, and a full disk is told as what it is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkit.bulk.people import people_on_disk
from mailkit.errors import InvalidArgument

WORDS = st.sampled_from(["a@b.by", "c@d.by", "b@b.by", ""])


@contextmanager
def no_room(size: int = 100_000) -> Iterator[None]:
    """Nobody can write a file beyond this size."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@given(st.lists(st.lists(st.tuples(WORDS, WORDS))))
def test_everybody_is_there_once_with_the_first_reason(
    batches: list[list[tuple[str, str]]],
) -> None:
    with people_on_disk() as people:
        for batch in batches:
            people.add(batch)
        first = dict(reversed([person for batch in batches for person in batch]))
        assert len(people) == len(first)
        assert list(people) == list(people) == sorted(first.items())


@pytest.mark.skipif(os.name == "nt", reason="there is no limit for files")
def test_a_place_that_is_full_is_told() -> None:
    crowd = [(f"friend{n:06}@example.by", "a reason " * 100) for n in range(5_000)]
    told = "can't be kept in the folder for temporary files .*: set TMPDIR to one with more space"
    with people_on_disk() as people, no_room(), pytest.raises(InvalidArgument, match=told):
        people.add(crowd)
    with people_on_disk() as people:
        people.add(crowd)
        with no_room(), pytest.raises(InvalidArgument, match=told):
            list(people)
        assert list(people) == crowd
