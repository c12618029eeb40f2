"""What an agent wrote, out of a request: JSON, or a form with files. Read only after the caller is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from shared.errors import Invalid
from shared.flows import reply
from shared.flows.reply import Draft, File
from shared.flows.tenants import Caller
from shared.model.incident import Note
from shared.ports import App
from shared.web.callers import Member
from shared.web.routers.mail import who
from shared.web.shapes.note import NoteFields, NoteIn, media_type

MAX_FIELDS = 300
"""Of a form: five names, and each recipient may be a field of its own."""

MAX_FIELD_BYTES = 1_000_000
"""Of one field of a form: the longest text, four bytes for each character."""

_LISTS = ("to", "cc")


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it was sent: the values of each name, and its files."""

    values: Mapping[str, tuple[str, ...]]
    files: tuple[File, ...]

    def value(self, name: str) -> str:
        """The one value of a name, or nothing."""
        return (*self.values.get(name, ()), "")[0]


async def form_of(request: Request, caller: Member) -> Form:
    """A form with files. Raises ``Invalid``."""
    try:
        # One file more than are allowed may come, so that the flow says so in its own words.
        parsed = request.form(max_files=reply.MAX_FILES + 1, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES)
        async with parsed as form:
            return await _read(form)
    except HTTPException as error:
        raise Invalid([_in_words(str(error.detail))]) from None


async def note_of(request: Request, caller: Member) -> bytes | Form:
    """The body of a new note, by its type: JSON, or a form."""
    type_ = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if type_ == "application/json":
        return await request.body()
    if type_ in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return await form_of(request, caller)
    raise HTTPException(415)


AForm = Annotated[Form, Depends(form_of)]
ANote = Annotated[bytes | Form, Depends(note_of)]


def draft(body: bytes | Form, author: str) -> Draft:
    """What was written. Raises ``RequestValidationError``, ``Invalid``."""
    try:
        if isinstance(body, bytes):
            # Strict: what is true, 1 or "1" is no text. Strings of a JSON text become an enum all the same.
            sent = NoteIn.model_validate_json(body, strict=True)
            return _draft(sent, author, tuple(file.file() for file in sent.attachments))
        named = {name: list(values) if name in _LISTS else values[-1] for name, values in body.values.items()}
        return _draft(NoteFields.model_validate(named), author, body.files)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from None


def add(app: App, caller: Caller, number: int, written: Draft, expected_version: str | None) -> Note:
    """Write it down, and have it sent if it is an answer. Raises ``Invalid``, ``Conflict``, ``NotFound``."""
    if not written.public and (written.to or written.cc):
        raise Invalid([("to" if written.to else "cc", "An internal note goes to nobody: leave the recipients out.")])
    try:
        return reply.add(app, caller.tenant, number, written, expected_version)
    except Invalid as error:
        # The flow's word for it is "public"; here it is one of two kinds.
        raise Invalid([("kind" if field == "public" else field, said) for field, said in error.errors]) from None


def author(app: App, caller: Caller) -> str:
    """Who writes, as notes say it: the person, or the name that the key was given."""
    return caller.name or who(caller)


def _draft(sent: NoteFields, author: str, files: tuple[File, ...]) -> Draft:
    return Draft(sent.text, sent.kind == "answer", author, tuple(sent.to), tuple(sent.cc), sent.status, files)


async def _read(form: FormData) -> Form:
    values: dict[str, tuple[str, ...]] = {}
    files: list[File] = []
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            # Where no file was chosen, browsers send an empty one without a name, some programs an empty text.
            if value or name != "attachments":
                values[name] = (*values.get(name, ()), value)
            continue
        content = await value.read()
        if value.filename or content:
            if name != "attachments":
                raise Invalid([(name, "There is no such field for files: use attachments.")])
            files.append(File(value.filename or "attachment", media_type(value.content_type or ""), content))
    return Form(values, tuple(files))


def _in_words(detail: str) -> tuple[str, str]:
    """Starlette's complaint about a form."""
    if detail.startswith("Too many files"):
        return "attachments", f"At most {reply.MAX_FILES} files are possible."
    if "maximum size" in detail:
        return "text", f"It is too long: {reply.MAX_TEXT} characters are possible. Attach the rest as a file."
    return "body", "The form could not be read. Send it as multipart/form-data (RFC 7578)."
