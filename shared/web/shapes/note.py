"""What an agent writes: an answer or an internal note, as JSON or as a form."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from shared.flows.reply import MAX_TEXT, File
from shared.model.incident import Status
from shared.model.outbound import MAX_RECIPIENTS
from shared.web.shapes.lists import none_if_empty

_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,60}/[A-Za-z0-9!#$&^_.+-]{1,60}")
"""A media type without parameters (RFC 6838, 4.2)."""

UNKNOWN_TYPE = "application/octet-stream"


def _plain(text: str) -> str:
    """Lines as we write them: forms send CR LF; a NUL ends the text in some readers."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def _split(value: object) -> object:
    """One field of a form may hold several addresses; what is no list of texts is left to be refused."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return value
    return [one for text in value for one in addresses(text)]


Words = Annotated[str, StringConstraints(max_length=2 * MAX_TEXT), AfterValidator(_plain)]
People = Annotated[
    list[Annotated[str, StringConstraints(max_length=1000)]],
    BeforeValidator(_split),
    Field(
        max_length=MAX_RECIPIENTS,
        description='Addresses, each as "ann@example.com" or "Ann <ann@example.com>".',
    ),
]


class NoteFields(BaseModel):
    """What is written. ``kind``: an answer goes to the reporter and, in copy, to everybody who takes part; or to ``to``
    and ``cc`` where they are given. An internal note goes to nobody outside. ``status``: how the incident stands
    afterwards; left out: waiting after an answer, as it is after an internal note."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["answer", "internal"]
    text: Words
    to: People = []
    cc: People = []
    status: Annotated[Status | None, BeforeValidator(none_if_empty)] = None


class FileIn(BaseModel):
    """An attachment. ``content`` in base64."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    type: Annotated[str, StringConstraints(max_length=200)] = UNKNOWN_TYPE
    content: Annotated[str, AfterValidator(lambda text: _base64(text))]

    def file(self) -> File:
        """As the flow takes it."""
        return File(self.name, media_type(self.type), base64.b64decode(self.content))


class NoteIn(NoteFields):
    """The same with files."""

    attachments: list[FileIn] = []


class StatusIn(BaseModel):
    """How an incident is to stand."""

    model_config = ConfigDict(extra="forbid")

    status: Status


def _base64(text: str) -> str:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise PydanticCustomError("base64", "This is not base64 (RFC 4648, section 4).") from None
    return text


def media_type(text: str) -> str:
    """The media type that a file's sender names, without parameters; unknown when it is none."""
    bare = text.partition(";")[0].strip().lower()
    return bare if _TYPE.fullmatch(bare) else UNKNOWN_TYPE


def addresses(text: str) -> list[str]:
    """The addresses of a line as people type them: split at commas, semicolons and line ends, but not within quotes or
    angle brackets. They are not judged here."""
    found, current, closing = [], "", ""
    for letter in text:
        if closing:
            closing = "" if letter == closing else closing
        elif letter in '"<':
            closing = '"' if letter == '"' else ">"
        elif letter in ",;\n":
            found.append(current)
            current = ""
            continue
        current += letter
    return [one for one in (piece.strip() for piece in (*found, current)) if one]


def request_body() -> dict[str, Any]:
    """For the API's description: both forms in which a note is sent."""
    as_json = NoteIn.model_json_schema()
    parts = as_json.pop("$defs")
    # References would point into this schema, but it is about to become a part of a larger document.
    as_json["properties"]["attachments"]["items"] = parts["FileIn"]
    as_json["properties"]["status"]["anyOf"][0] = parts["Status"]
    file = {"type": "string", "format": "binary"}
    properties = {**as_json["properties"], "attachments": {"type": "array", "items": file, "title": "Attachments"}}
    as_form = {**as_json, "properties": properties, "title": "NoteForm"}
    content = {"application/json": {"schema": as_json}, "multipart/form-data": {"schema": as_form}}
    return {"requestBody": {"required": True, "content": content}}
