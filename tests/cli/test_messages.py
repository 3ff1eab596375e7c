"""One message over every provider: what people get, and what is refused before anybody gets it."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from .shop import Shop

LINK = "https://shop.by/bye?e={{ EMAIL }}&n={{ Имя (полное) }}"
HTML = """<p>{{ имя (полное) }}, {{ R&amp;D | 'nothing' }}, {{ a|b, % | 'no' }}: {{ email }}</p>
<a href='https://shop.by/u/{{ path }}?e={{ email }}&amp;n={{ Имя (полное) }}'>{{ path | url }}</a>
<a href='{{ link }}'>all</a><a href='{{ Unsubscribe }}'>bye</a>"""
LIST = [
    "Email,Имя (полное),R&D,path,link,a|b, % ".replace("a|b, % ", '"a|b, % "'),
    'a+b@b.by,"Анна ""А""",<b>,lamps/новые 1?,https://shop.by/?a=1&b=2,yes',
    "c@d.by,Boris & Co,,x,https://shop.by,",
]
PAGES = {
    "smsby": "https://shop.by/bye?e={0}&n={1}",
    "devino": "https://devino.sandbox.example/unsubscribe/{2}",
    "sendpulse": "http://unsubscribe.sendpulse.example/",
}


@pytest.fixture
def shop(shop: Shop) -> Shop:
    own = shop.sandbox.sendpulse.settings
    own.requests_per_second = own.campaigns_per_hour = None  # its time stands still
    own.moderated_first, own.moderated_from = 0, 1_000_000
    own.copying = own.sending = 0.0
    return shop


class Shown(HTMLParser):
    """What a person sees of an email, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("provider", PAGES)
def test_people_get_what_their_row_says_and_links_that_work(shop: Shop, provider: str) -> None:
    letter = shop.letter(sender='"Shop, Inc." <news@shop.by>', subject="Autumn", html=HTML)
    people = shop.table(LIST)
    words = (letter, people, "--provider", provider)
    environment = {"MAILKIT_SMSBY_UNSUBSCRIBE_URL": LINK}
    plan = shop("plan", *words, "--json", environment=environment).json
    assert (plan["to_send"], plan["left_out"]) == (2, [])
    ended = shop("send", *words, "--name", "autumn", environment=environment)
    assert (ended.code, ended.err) == (0, ended.err)
    emails = {email.address: Shown(email.body) for email in shop.sandbox.truth.kept}
    anna, boris = emails["a+b@b.by"], emails["c@d.by"]
    anna_s_name = "%D0%90%D0%BD%D0%BD%D0%B0%20%22%D0%90%22"
    assert anna.text.split("\n")[0] == 'Анна "А", <b>, yes: a+b@b.by'
    assert anna.text.split("\n")[1] == "lamps%2F%D0%BD%D0%BE%D0%B2%D1%8B%D0%B5%201%3F"
    assert anna.links[0] == (
        "https://shop.by/u/lamps/%D0%BD%D0%BE%D0%B2%D1%8B%D0%B5%201%3F"
        f"?e=a%2Bb%40b.by&n={anna_s_name}"
    )
    assert anna.links[1] == "https://shop.by/?a=1&b=2"
    page = PAGES[provider].format("a%2Bb%40b.by", anna_s_name, "a+b@b.by")
    assert anna.links[2].startswith(page)
    assert boris.text.split("\n")[0] == "Boris & Co, nothing, no: c@d.by"
    assert boris.links[:2] == [
        "https://shop.by/u/x?e=c%40d.by&n=Boris%20%26%20Co",
        "https://shop.by",
    ]
    samples = {sample["to"]: Shown(sample["html"]) for sample in plan["messages"]}
    assert samples["a+b@b.by"].text == anna.text
    assert samples["a+b@b.by"].links[:2] == anna.links[:2]


PARTS = {
    "reply_to": {"reply_to": "Anna <anna@shop.by>"},
    "both bodies": {"text": "Hello [Unsubscribe]"},
}
REFUSED = {
    **PARTS,
    "another service's tags": {"subject": "Hi *|NAME|*, %name%"},
}


@pytest.mark.parametrize("provider", PAGES)
def test_what_a_service_can_t_do_is_refused_by_name_before_anything_is_sent(
    shop: Shop, provider: str
) -> None:
    people = shop.table(["email,name", "a@b.by,Anna"])
    plain = {"sender": "Shop <news@shop.by>", "subject": "Hi", "html": "Hi {{ unsubscribe }}"}
    environment = {"MAILKIT_SMSBY_UNSUBSCRIBE_URL": "https://shop.by"}
    for name, change in REFUSED.items():
        letter = shop.letter(**{**plain, **change})
        whose = f" over {provider}" if name in PARTS else ""
        for words in (
            ("send", letter, people),
            ("plan", letter, people),
            ("test", letter, "me@shop.by", "--list", people),
        ):
            ended = shop(*words, "--provider", provider, environment=environment)
            ended.check_refusal(f"a message with {name}{whose}")
    letter = shop.letter(**plain)
    letter.write_text(letter.read_text() + "[headers]\nList-Unsubscribe = '<https://shop.by>'\n")
    ended = shop("send", letter, people, "--provider", provider, environment=environment)
    ended.check_refusal(f"a message with headers over {provider}")
    assert not shop.sandbox.truth.emails


@pytest.mark.parametrize("url", ["shop.by/u", "https://shop.by/?e={email}", "https://x.by/{{ n }}"])
def test_a_page_to_unsubscribe_that_can_t_be_one_is_refused(shop: Shop, url: str) -> None:
    letter = shop.letter(sender="n@shop.by", subject="Hi", html="{{ unsubscribe }}")
    environment = {"MAILKIT_SMSBY_UNSUBSCRIBE_URL": url}
    words = ("send", letter, shop.customers(1), "--provider", "smsby")
    shop(*words, environment=environment).check_refusal(f"the page to unsubscribe {url}")
    assert not shop.sandbox.truth.emails
