"""Credentials: OAuth tokens that expire, and the static API key."""

from mailkit.sandbox.sendpulse.fields import Ask, Refusal
from mailkit.sandbox.sendpulse.state import Desk
from mailkit.sandbox.service import Reply


def issue(desk: Desk, ask: Ask, client_id: str, client_secret: str) -> object:
    """A token for client credentials; older tokens stay good until they expire."""
    given = (ask.fields.get("grant_type"), ask.fields.get("client_id"))
    if given != ("client_credentials", client_id) or (
        ask.fields.get("client_secret") != client_secret
    ):
        raise Refusal(
            Reply(
                401,
                {
                    "error": "invalid_client",
                    "message": "Client authentication failed",
                    "error_code": 1,
                },
            )
        )
    tokens = desk.account.tokens
    for token in [old for old, ends in tokens.items() if ends <= desk.now]:
        del tokens[token]
    token = f"{desk.chance.getrandbits(160):040x}"
    tokens[token] = desk.now + desk.settings.token_lifetime
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(desk.settings.token_lifetime),
    }


def admitted(desk: Desk, authorization: str, api_key: str) -> bool:
    """Whether the header holds the key or a token that has not expired."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    return token == api_key or desk.account.tokens.get(token, 0) > desk.now
