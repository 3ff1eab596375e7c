"""Answers in the two spellings that the service mixes."""

from random import Random


def spelt(value: object, chance: Random) -> object:
    """The same with each key beginning with a capital or a small letter, by chance."""
    if isinstance(value, dict):
        return {_key(str(key), chance): spelt(part, chance) for key, part in value.items()}
    if isinstance(value, list):
        return [spelt(part, chance) for part in value]
    return value


def _key(key: str, chance: Random) -> str:
    first = key[:1].upper() if chance.random() < 0.5 else key[:1].lower()
    return first + key[1:]
