import pytest

from mailkit.sandbox.php import nested, plain


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a"], {"a": "0"}),
        (["a", "a"], {"a": "1"}),
        (["a[]", "a[]"], {"a": {0: "0", 1: "1"}}),
        (["a[5]", "a[]", "a[2]", "a[]"], {"a": {5: "0", 6: "1", 2: "2", 7: "3"}}),
        (["a[0][x]", "a[0][y]", "a[1][x]"], {"a": {0: {"x": "0", "y": "1"}, 1: {"x": "2"}}}),
        (["a[][x]", "a[][x]"], {"a": {0: {"x": "0"}, 1: {"x": "1"}}}),
        (["a[007]", "a[-3]", "a[-0]"], {"a": {"007": "0", -3: "1", "-0": "2"}}),
        (["a", "a[x]"], {"a": {"x": "1"}}),
        (["a[x]", "a"], {"a": "1"}),
        (["a.b", "c d", " e"], {"a_b": "0", "c_d": "1", "e": "2"}),
        (["a.b[c.d]"], {"a_b": {"c.d": "0"}}),
        (["a[b"], {"a_b": "0"}),
        (["a[b]c"], {"a": {"b": "0"}}),
        (["a[b]c[d]"], {"a": {"b": "0"}}),
        (["a[b][c"], {"a": {"b": "0"}}),
        (["a[b[c]"], {"a": {"b[c": "0"}}),
        (["", "[x]", " "], {}),
        (["a[ b]"], {"a": {"b": "0"}}),
        (["a" + "[x]" * 70], {}),
    ],
)
def test_names_nest_as_in_php(names: list[str], expected: dict[str, object]) -> None:
    assert nested((name, str(number)) for number, name in enumerate(names)) == expected


def test_lists_read_as_lists() -> None:
    fields = nested([("a[0][x]", "1"), ("a[1][x]", "2"), ("b[1]", "3"), ("c", "4")])
    assert plain(fields) == {"a": [{"x": "1"}, {"x": "2"}], "b": {1: "3"}, "c": "4"}
