from typing import Any

import pytest

from mailkit.sandbox.forms import Malformed
from mailkit.sandbox.php_serialize import is_serialized_array, unserialize


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a:0:{}", []),
        ("N;", None),
        ("b:1;", True),
        ("b:0;", False),
        ("i:-7;", -7),
        ("d:0.5;", 0.5),
        ('s:0:"";', ""),
        ('s:8:"Анна";', "Анна"),
        ('s:3:"";}";', '";}'),
        ('a:2:{i:0;s:1:"a";i:1;s:1:"b";}', ["a", "b"]),
        ('a:1:{s:1:"x";a:1:{i:5;i:1;}}', {"x": {5: 1}}),
        ("a:2:{i:1;i:1;i:0;i:2;}", {1: 1, 0: 2}),
    ],
)
def test_what_php_writes_is_read(text: str, value: Any) -> None:
    assert unserialize(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a:1:{}",
        "a:1:{i:0;}",
        "a:1:{i:0;i:1;",
        "a:1:{b:1;i:1;}",
        "a:1:{a:0:{}i:1;}",
        'O:8:"stdClass":0:{}',
        "r:1;",
        's:2:"a";',
        's:1:"ab";',
        "i:x;",
        "d:e;",
        "i:1;i:2;",
        "a:1:{i:0;" * 70 + "i:1;" + "}" * 70,
    ],
)
def test_anything_else_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        unserialize(text)


@pytest.mark.parametrize(("text", "is_array"), [("a:0:{}", True), ("a:b", False), ("x", False)])
def test_which_texts_look_like_an_array(text: str, is_array: bool) -> None:
    assert is_serialized_array(text) is is_array
