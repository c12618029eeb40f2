"""Pydantic's findings in a tenant's words. The input itself is never repeated: it may be a password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "missing": "This field is needed.",
    "extra_forbidden": "There is no such field. Check its spelling.",
    "int_type": "Give a whole number.",
    "int_parsing": "Give a whole number.",
    "int_parsing_size": "The number is too large.",
    "int_from_float": "Give a whole number.",
    "finite_number": "Give a whole number.",
    "greater_than_equal": "Give {ge} or more.",
    "less_than_equal": "Give {le} or less.",
    "string_type": "Give a text.",
    "string_unicode": "It contains characters that are no valid Unicode.",
    "string_too_short": "It must not be empty.",
    "string_too_long": "Give at most {max_length} characters.",
    "too_short": "It must not be empty.",
    "too_long": "Give at most {max_length} characters.",
    "bool_type": "Give true or false.",
    "bool_parsing": "Give true or false.",
    "literal_error": "Give one of: {expected}.",
    "enum": "Give one of: {expected}.",
    "list_type": "Give a list.",
    "model_type": "Give a JSON object.",
    "model_attributes_type": "Give a JSON object.",
    "dict_type": "Give a JSON object.",
}

OWN = frozenset({"field", "whitelist", "control", "host", "email", "secret", "mailbox_id", "cursor", "base64"})
"""Types of errors that our own models raise: their words are for tenants already."""


def in_words(error: Mapping[str, Any]) -> tuple[str, str]:
    """One finding of pydantic as field and sentence."""
    context = error.get("ctx", {})
    return _field(error["loc"], context), _sentence(error, context)


def _field(location: tuple[str | int, ...], context: Mapping[str, Any]) -> str:
    # The first part says where it came from: body, query, path. Nobody needs that to find the field.
    parts = [str(part) for part in location[1:]]
    if own := context.get("field"):
        parts.append(str(own))
    return ".".join(parts) or "body"


def _sentence(error: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    if error["type"] in OWN:
        return str(error["msg"])
    words = _WORDS.get(error["type"])
    if words is None:
        return "This value cannot be used here."
    return words.format(**{name: str(value).replace("'", "") for name, value in context.items()})
