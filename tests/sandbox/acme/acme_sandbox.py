"""A sandbox service as another package brings it: Acme sends one email to a list of addresses."""

import attrs

from mailkit.sandbox import (
    Endpoints,
    Mailing,
    Refusal,
    Request,
    Response,
    Service,
    Shared,
    endpoint,
)

__all__ = ["Acme", "AcmeSettings"]


@attrs.define
class AcmeSettings:
    key: str = "acme-key"
    most: int = 2


@endpoint("acme.lists.send", "POST /acme/lists/{name}/send")
def send(acme: "Acme", request: Request) -> object:
    fields = request.json if isinstance(request.json, dict) else {}
    addresses, subject = fields.get("to", []), fields.get("subject", "")
    if len(addresses) > acme.settings.most:
        raise Refusal(acme.refused("too many addresses"))
    mailing = Mailing("acme.lists.send", acme.shared.clock.now(), "a@b.by", subject, addresses)
    acme.shared.truth.record(mailing, [(subject, "")] * len(addresses))
    acme.sent += len(addresses)
    return {"ok": True, "list": request.args["name"]}


@endpoint("acme.lists.count", "GET /acme/count")
def count(acme: "Acme", request: Request) -> object:
    return {"ok": True, "sent": acme.sent}


class Acme(Service[AcmeSettings]):
    settings_type = AcmeSettings
    endpoints = Endpoints(send, count)

    def __init__(self, shared: Shared, settings: AcmeSettings) -> None:
        super().__init__(shared, settings)
        self.sent = 0

    def act(self, request: Request) -> Response:
        if request.authorization != self.settings.key:
            return self.token_refused()
        try:
            return Response(200, self.endpoints[request.operation].handler(self, request))
        except Refusal as refusal:
            return refusal.response

    def malformed(self, reason: str) -> Response:
        return self.refused(reason)

    def token_refused(self) -> Response:
        return Response(401, {"ok": False, "why": "wrong key"})

    def refused(self, text: str) -> Response:
        return Response(400, {"ok": False, "why": text})

    def environment(self, url: str) -> dict[str, str]:
        return {"ACME_URL": url, "ACME_KEY": self.settings.key}

    def reset(self) -> None:
        self.sent = 0
