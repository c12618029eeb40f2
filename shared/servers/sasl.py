"""What is answered in a log-in by SASL (RFC 4422), the same in every mail protocol."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Collection


def plain(user: str, password: str) -> bytes:
    """PLAIN (RFC 4616), which carries any letter: user name and password are UTF-8."""
    return f"\0{user}\0{password}".encode()


def cram_md5(user: str, password: str) -> Callable[[bytes], bytes]:
    """CRAM-MD5 (RFC 2195): answers the challenge with a digest, so that whoever listens does not learn the password."""

    def answer(challenge: bytes) -> bytes:
        return f"{user} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}".encode()

    return answer


def login(user: str, password: str) -> Callable[[bytes], bytes]:
    """LOGIN, which no RFC describes (draft-murchison-sasl-login): the server asks for one and then the other, in words
    that differ from server to server, always in this order."""
    answers = [user.encode(), password.encode()]
    return lambda challenge: answers.pop(0) if answers else b""


def bearer_mechanism(offered: Collection[str]) -> str | None:
    """How a token is to be sent, of what the server offers (names in capitals); None when it takes no tokens.

    XOAUTH2 first: Exchange and Google know it longer, and every server that offers both takes it.
    """
    return next((name for name in ("XOAUTH2", "OAUTHBEARER") if name in offered), None)


class Bearer:
    """A token by XOAUTH2 (Google's and Microsoft's page of that name) or OAUTHBEARER (RFC 7628), as the answers to a
    server's challenges.

    ``reason``: what the server said before it refused: JSON, or nothing where it did not say why.
    """

    def __init__(self, mechanism: str, user: str, token: str, host: str, port: int) -> None:
        self.reason = b""
        self._is_standard = mechanism == "OAUTHBEARER"
        self._begun = False
        if self._is_standard:
            self._first = f"n,a={_name(user)},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01".encode()
        else:
            self._first = f"user={user}\x01auth=Bearer {token}\x01\x01".encode()

    def __call__(self, challenge: bytes) -> bytes:
        """The first challenge is empty. Another one gives the reason of a refusal, which is said only when that was
        answered: by nothing (XOAUTH2), or by one byte (RFC 7628, 3.2.3)."""
        if not self._begun:
            self._begun = True
            return self._first
        self.reason = challenge
        return b"\x01" if self._is_standard else b""


def decoded(challenge: bytes) -> bytes:
    """What a server asks, from base64; nothing where that is none."""
    try:
        return base64.b64decode(challenge)
    except binascii.Error:
        return b""


def _name(user: str) -> str:
    """A name before a comma (RFC 5801, 4: "saslname")."""
    return user.replace("=", "=3D").replace(",", "=2C")
