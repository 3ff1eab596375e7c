from collections.abc import Sequence

import pytest

from mailkit.sandbox.plain_text import plain_text
from mailkit.sandbox.search import search
from mailkit.sandbox.truth import Content, Email, Mailing, Truth


def record(truth: Truth, addresses: Sequence[str], subject: str, texts: Sequence[str]) -> None:
    mailing = Mailing(
        "smsby.bulk.send", 1.0, "news@shop.by", subject, addresses, sender_name="Shop"
    )
    truth.record(mailing, [Content(subject or f"For {text}", text) for text in texts])


@pytest.fixture
def truth() -> Truth:
    """Emails 1 to 3 are too old to be whole, 4 to 7 are kept."""
    truth = Truth(keep_emails=4)
    record(truth, ["anna@mail.by", "boris@mail.by", "carl@mail.by"], "Autumn", ["a", "b", "c"])
    record(truth, ["anna@mail.by", "dora@mail.by"], "", ["Boots", "Coats"])
    record(truth, ["emil@mail.by", "boris@mail.by"], "Winter sale", ["Snow", "Ice"])
    return truth


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", [7, 6, 5, 4, 3, 2, 1]),
        ("boris", [7, 2]),
        ("BORIS winter", [7]),
        ("to:anna", [4, 1]),
        ("to:autumn", []),
        ("subject:autumn", [3, 2, 1]),
        ("subject:anna", []),
        ("from:shop", [7, 6, 5, 4, 3, 2, 1]),
        ("from:Shop to:dora", [5]),
        ("from:anna", []),
        ("coats", [5]),
        ("subject:coats", [5]),
        ("for", [5, 4]),
        ("snow", [6]),
        ("subject:snow", []),
        ("smsby.bulk", [7, 6, 5, 4, 3, 2, 1]),
        ("to:", []),
        ("nobody", []),
        ("anna nobody", []),
    ],
)
def test_all_words_must_be_there(text: str, numbers: list[int], truth: Truth) -> None:
    found = search(truth, text, before=8, limit=100)
    assert ([one.number for one in found.emails], found.next) == (numbers, None)


def test_a_search_goes_on_where_the_last_one_ended(truth: Truth) -> None:
    pages, before = [], 8
    while True:
        found = search(truth, "mail.by", before=before, limit=3)
        pages.append([one.number for one in found.emails])
        if found.next is None:
            break
        before = found.next
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]
    assert search(truth, "boris", before=7, limit=1).emails[0].number == 2
    assert search(truth, "boris", before=2, limit=1).emails == []
    assert search(truth, "", before=10**9, limit=1).emails[0].number == 7


def test_an_email_is_found_by_its_number(truth: Truth) -> None:
    found = [truth.email(number) for number in range(9)]
    assert [one and (one.address, one.body) for one in found] == [
        None,
        ("anna@mail.by", ""),
        ("boris@mail.by", ""),
        ("carl@mail.by", ""),
        ("anna@mail.by", "Boots"),
        ("dora@mail.by", "Coats"),
        ("emil@mail.by", "Snow"),
        ("boris@mail.by", "Ice"),
        None,
    ]
    assert [one and one.subject for one in found[3:6]] == ["Autumn", "For Boots", "For Coats"]
    truth.clear()
    assert truth.email(1) is None
    record(truth, ["zoe@mail.by"], "New", ["again"])
    record(truth, ["yuri@mail.by", "xenia@mail.by"], "Newer", ["a", "b"])
    newest = search(truth, "", before=9, limit=9).emails
    assert [(one.number, one.address) for one in newest] == [
        (3, "xenia@mail.by"),
        (2, "yuri@mail.by"),
        (1, "zoe@mail.by"),
    ]


def test_many_emails_are_searched_without_being_built(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = Truth(keep_emails=10)
    for at in range(200):
        addresses = [f"reader{at}-{number}@mail.by" for number in range(500)]
        truth.record(
            Mailing("smsby.bulk.send", 1.0, "a@b.by", "", addresses), [("Hi", "")] * len(addresses)
        )
    built: list[int] = []
    email = Truth.email

    def counted(truth: Truth, number: int) -> Email | None:
        built.append(number)
        return email(truth, number)

    monkeypatch.setattr(Truth, "email", counted)
    [found] = search(truth, "reader7-123@", before=truth.emails + 1, limit=50).emails
    assert (found.number, found.address) == (7 * 500 + 124, "reader7-123@mail.by")
    assert len(built) <= 1000  # its own mailing, and the last one, some of which is kept whole
    built.clear()
    assert len(search(truth, "", before=50_001, limit=50).emails) == 50
    assert len(built) == 51


def test_html_becomes_lines_of_words() -> None:
    html = (
        "<html><head><title>No</title><style>p {}</style></head><body>"
        "<h1>Hello\n Anna &amp; Co</h1>"
        "<p>See <a href='https://shop.by/?a=1&amp;b=2'>the <b>boots</b></a>.<br>Now"
        "<script>1</script>"
        "<table><tr><td>Boots</td><td>89</td></tr><tr><td>Coat</td></tr></table>"
        "<img alt=logo><p><p><p>Bye"
    )
    assert plain_text(html) == (
        "Hello Anna & Co\n\nSee the boots (https://shop.by/?a=1&b=2).\nNow\n\n"
        "Boots 89\nCoat\nlogo\n\nBye"
    )


@pytest.mark.parametrize("html", ["", "<", "<p", "</p></a>", "<a>x</a>", "&#xfffffff;", "<script>"])
def test_broken_html_breaks_nothing(html: str) -> None:
    assert isinstance(plain_text(html), str)
