"""How SendPulse hands out tokens: OAuth client credentials."""

from __future__ import annotations

from typing import Unpack

import attrs

from mailkit.core.auth import Grant, Unsigned, credential
from mailkit.core.call import Call, Raw, Resource, method, post, resource
from mailkit.core.client import Client
from mailkit.core.options import ClientOptions
from mailkit.core.reading import Reader, decode
from mailkit.core.secret import Secret
from mailkit.core.wire import Unreadable
from mailkit.errors import Refused, RequestError
from mailkit.providers.sendpulse.envelope import unwrap_token

__all__ = ["TokenClient"]


@attrs.frozen
class Token:
    """A token and the seconds it is good for."""

    access_token: Secret
    expires_in: float = 3600.0


def _token(call: Call[Token], raw: Raw) -> Token:
    try:
        tree = decode(raw)
        token = credential(tree["access_token"], "the token")  # goes into a header
        seconds = tree.get("expires_in")
        return Token(token) if seconds is None else Token(token, _seconds(seconds))
    except (LookupError, TypeError, ValueError):
        raise Unreadable("no token in the response") from None  # the error's text may hold one


_seconds = Reader[float](float).structure


@post(
    "/oauth/access_token",
    repeatable=True,
    fixed={"grant_type": "client_credentials"},
    read=_token,
)
class FetchToken(Call[Token]):
    """Fetch a token for an id and a secret."""

    client_id: Secret
    client_secret: Secret


class OAuth(Resource):
    """Tokens."""

    access_token = method(FetchToken)


class TokenClient(Client):
    """Where tokens are fetched; takes the permits of the client that it fetches them for."""

    name = "sendpulse"

    oauth = resource(OAuth)

    def __init__(
        self,
        client_id: Secret,
        client_secret: Secret,
        url: str,
        **options: Unpack[ClientOptions],
    ) -> None:
        self._id = client_id
        self._secret = client_secret
        super().__init__(
            url=url,
            auth=Unsigned(client_id, client_secret),
            unwrap=unwrap_token,
            **options,
        )

    async def fetch(self) -> Grant:
        """A new token; RequestError if none can be fetched."""
        try:
            token = await self.oauth.access_token(self._id, self._secret)
        except RequestError as error:
            if not isinstance(error, Refused):
                error.context = attrs.evolve(error.context, excerpt="")  # it may hold a token
            raise
        return Grant(token.access_token, token.expires_in)
