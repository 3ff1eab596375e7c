"""Credentials: OAuth tokens that expire, and the static API key."""

from mailkit.sandbox.sendpulse.fields import Params, Refusal
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.service import Reply


def issue(context: Context, params: Params, client_id: str, client_secret: str) -> object:
    """A token for client credentials; older tokens stay good until they expire."""
    given = (params.fields.get("grant_type"), params.fields.get("client_id"))
    if given != ("client_credentials", client_id) or (
        params.fields.get("client_secret") != client_secret
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
    tokens = context.account.tokens
    for token in [old for old, ends in tokens.items() if ends <= context.now]:
        del tokens[token]
    token = f"{context.chance.getrandbits(160):040x}"
    tokens[token] = context.now + context.settings.token_lifetime
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(context.settings.token_lifetime),
    }


def admitted(context: Context, authorization: str, api_key: str) -> bool:
    """Whether the header holds the key or a token that has not expired."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    return token == api_key or context.account.tokens.get(token, 0) > context.now
