import pytest


@pytest.fixture(autouse=True)
def no_request_is_held_up() -> None:
    """Here they are: a person waits, as in life."""
