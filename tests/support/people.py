"""Microsoft's sign-in for the page, in memory: whoever a test says sits at the browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from shared.errors import NotAllowed
from shared.ports import Identity

ACME_TID, OTHER_TID = "aaaaaaaa-1111-4111-8111-111111111111", "bbbbbbbb-1111-4111-8111-111111111111"
ANNA = Identity(ACME_TID, "aaaaaaaa-3333-4333-8333-000000000001", "anna@acme.example", "Anna Berg")
BOB = Identity(ACME_TID, "aaaaaaaa-3333-4333-8333-000000000002", "bob@acme.example", "Bob")
EVE = Identity(OTHER_TID, "bbbbbbbb-3333-4333-8333-000000000003", "eve@globex.example", "Eve")


class MemoryEntra:
    """``ports.Entra``. ``who`` signs in; the code of a sign-in is its state read backwards, and works once."""

    def __init__(self, who: Identity = ANNA) -> None:
        self.who = who
        self.redeemed: list[str] = []

    def begin(self, redirect_uri: str, state: str) -> Mapping[str, Any]:
        asked = urlencode({"redirect_uri": redirect_uri, "state": state})
        return {"state": state, "code_verifier": "the-verifier", "auth_uri": f"https://login.example/authorize?{asked}"}

    def finish(self, flow: Mapping[str, Any], params: Mapping[str, str]) -> Identity:
        code = params.get("code", "")
        if params.get("state") != flow["state"] or code != flow["state"][::-1] or code in self.redeemed:
            raise NotAllowed("Microsoft did not accept this sign-in.")
        self.redeemed.append(code)
        return self.who
