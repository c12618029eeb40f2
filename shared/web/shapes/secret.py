"""Secrets on their way in. There are no shapes for the way out."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

MAX_SECRET_CHARS = 1000
MAX_PEM_CHARS = 16_000
"""A certificate with its key and those that vouch for it is some thousand; sealed it must fit a property of a row."""


def _as_typed(value: object) -> object:
    # Wrapped before pydantic sees a text, or the settings' str_strip_whitespace would cut a password's spaces.
    return SecretStr(value) if isinstance(value, str) else value


def _is_client_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text.lstrip().startswith("-----BEGIN "):
        # PEM (RFC 7468) is a text of many lines; apart from them the same holds for it.
        _is_secret(SecretStr(" ".join(text.splitlines())))
        return secret
    if len(text) > MAX_SECRET_CHARS:
        words = f"Give at most {MAX_SECRET_CHARS} characters, or a certificate with its key as PEM text."
        raise PydanticCustomError("secret", words)
    return _is_secret(secret)


def _is_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text:
        raise PydanticCustomError("secret", "It must not be empty. Leave it out to keep the stored one.")
    if text in ("set", "not set"):
        raise PydanticCustomError("secret", "This is only shown in its place. Leave it out to keep the stored one.")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text):
        raise PydanticCustomError("secret", "It contains a line break or another control character. Paste it again.")
    return secret


Secret = Annotated[
    SecretStr, Field(max_length=MAX_SECRET_CHARS), BeforeValidator(_as_typed), AfterValidator(_is_secret)
]


ClientSecret = Annotated[
    SecretStr, Field(max_length=MAX_PEM_CHARS), BeforeValidator(_as_typed), AfterValidator(_is_client_secret)
]
