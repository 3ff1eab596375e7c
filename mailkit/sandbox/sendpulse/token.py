"""Credentials: OAuth tokens that expire, and the static API key."""

from mailkit.sandbox.endpoints import endpoint
from mailkit.sandbox.sendpulse.fields import Params
from mailkit.sandbox.sendpulse.state import Context
from mailkit.sandbox.service import Refusal, Response


@endpoint("sendpulse.auth.token", "POST /oauth/access_token")
def issue(context: Context, params: Params) -> object:
    """A token for client credentials; older tokens stay valid until they expire."""
    settings, fields = context.settings, params.fields
    given = [fields.get(name) for name in ("grant_type", "client_id", "client_secret")]
    if given != ["client_credentials", settings.client_id, settings.client_secret]:
        raise Refusal(
            Response(
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
    token = f"{context.rng.getrandbits(160):040x}"
    tokens[token] = context.now + settings.token_lifetime
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": int(settings.token_lifetime),
    }


def admits(context: Context, authorization: str) -> bool:
    """Whether the header holds the key or a token that has not expired."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    return token == context.settings.api_key or context.account.tokens.get(token, 0) > context.now
