"""Where a credential stands in a request, and who gets it: the address that was given, alone."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote_to_bytes, urlsplit

import aiohttp
import pytest

from mailkit.core.wire import Request, Response
from mailkit.errors import Refused, RequestError

from .acts import ACTS, HOSTS, Act, Make, each_act, each_client
from .canary import CANARY, assert_hidden, everything
from .service import Said, Saying, no, service


@each_act
async def test_a_credential_stands_in_its_place_alone(act: Act) -> None:
    """Devino's and SendPulse's in a header, that of sms.by in the form, or the query without one;
    only the secret of SendPulse's tokens travels, once, in a body.
    """
    seen: list[Request] = []
    answers = Saying(Response(400, {}, no(act.provider, "no").encode()), seen)
    with pytest.raises(Refused):
        await act.call(act.client(transport=answers))
    *fetched, request = seen
    parts = urlsplit(request.url)
    assert (parts.scheme, parts.hostname) == ("https", HOSTS[act.provider])
    assert all(urlsplit(one.url).netloc == parts.netloc for one in fetched)
    in_header = request.headers.get("Authorization", "").count(CANARY)
    in_query = parse_qs(parts.query).get("token", []).count(CANARY)
    body = request.body or b""
    in_body = max(one.count(CANARY.encode()) for one in (body, unquote_to_bytes(body)))
    if "address" in act.name:  # the canary is no credential there
        assert (in_header, in_query, in_body) == (0, 0, 1)
    elif act.provider == "smsby":
        assert (in_header, in_query + in_body) == (0, 1)
        assert in_query == ("query" in act.name)
    else:
        assert (in_header, in_query, in_body) == (1, 0, 0)


@each_act
async def test_nobody_but_the_given_address_is_asked(act: Act) -> None:
    """Not where an answer points to, by its words, its headers or its status."""
    with service() as other, service() as good:
        links = {
            "Link": f"<{other.url}/next>; rel=next",
            "Refresh": f"0; url={other.url}",
            "Alt-Svc": f'h2="{other.url}"',
            "Content-Location": other.url,
            "Location": f"{other.url}/x?token={CANARY}",
            "Set-Cookie": "a=b",
        }
        words = f'{{"result": {{"fileId": "1", "publicUrl": "{other.url}"}}, "url": "{other.url}"}}'
        async with act.client(url=good.url) as client:
            for status in (200, 201, 300, 301, 302, 303, 305, 307, 308, 401, 407, 503):
                good.script = {"*": Said(words.encode(), status, links)}
                good.asked.clear()
                try:
                    await act.call(client.with_options(attempts=1))
                except RequestError as error:
                    assert_hidden(everything(error) if status in (302, 401) else repr(error))
                asked = [path for path in good.asked if not path.endswith("/access_token")]
                assert len(asked) == 1, status
        assert other.asked == []
        assert set(good.cookies) == {None}


@pytest.mark.parametrize("place", ["//127.0.0.1:{port}", "/elsewhere", "javascript:x"])
@each_act
async def test_a_redirect_of_any_spelling_is_not_followed(act: Act, place: str) -> None:
    with service() as other, service() as good:
        location = place.format(port=urlsplit(other.url).port)
        async with aiohttp.ClientSession() as session:  # one that would follow it
            client = act.client(url=good.url, session=session).with_options(attempts=1)
            for status in (301, 302, 303, 307, 308):
                good.script = {"*": Said(b"", status, {"Location": location})}
                good.asked.clear()
                with pytest.raises(RequestError):
                    await act.call(client)
                assert good.asked.count("/elsewhere") + good.asked.count("/x") == 0
        assert other.asked == []


@each_act
async def test_no_proxy_of_the_environment_gets_the_credential(
    act: Act, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"*": Said(no(act.provider, "no").encode(), 400)}
    with service(said) as proxy, service(said) as good:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        async with act.client(url=good.url) as client:
            with pytest.raises(Refused):
                await act.call(client)
    assert proxy.asked == []
    assert good.asked


@each_client
async def test_a_cookie_is_not_sent_back(make: Make) -> None:
    act = next(act for act in ACTS if act.client is make)
    said = no(act.provider, "no").encode()
    with service({"*": Said(said, 400, {"Set-Cookie": "a=b"})}) as good:
        async with make(url=good.url) as client:
            for _ in range(2):
                with pytest.raises(Refused):
                    await act.call(client)
    assert len(good.cookies) >= 2
    assert set(good.cookies) == {None}
