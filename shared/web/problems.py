"""Errors on their way out: problem+json (RFC 9457) under /api/, a page elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from shared import errors, log
from shared.flows.tenants import Caller
from shared.web.pages import render
from shared.web.troubles import CHANGED_MEANWHILE, NO_SUCH_PAGE, OUR_FAULT, STORAGE_AWAY, Trouble
from shared.web.wording import in_words


class FieldError(BaseModel):
    """One input that has to change; ``field`` is its JSON name, with dots for nested ones."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457. Our own members: ``code`` is stable, ``fix`` says what to do, ``errors`` name fields."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    fix: str = ""
    errors: list[FieldError] = []


def _described(text: str) -> dict[str, Any]:
    schema = Problem.model_json_schema()
    # References would point into this schema, but it is about to become a part of a larger document.
    schema["properties"]["errors"]["items"] = schema.pop("$defs")["FieldError"]
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": _described("The caller has to act."),
    # By its number as well, or FastAPI would describe a form of its own there.
    422: _described("Fields need other values."),
    "5XX": _described("Our fault, or a mail server's."),
}

NOT_JSON = Trouble(
    415,
    "not_json",
    "The request's body is not marked as JSON.",
    "Send JSON with the header Content-Type: application/json.",
)
BAD_JSON = Trouble(400, "bad_json", "The request's body is not JSON.", "Send one JSON object in UTF-8.")
NOT_A_NOTE = Trouble(
    415,
    "not_a_note",
    "The request's body is neither JSON nor a form.",
    "Send JSON (Content-Type: application/json) or multipart/form-data.",
)


def too_large(limit: int) -> Trouble:
    """A body of more than ``limit`` bytes."""
    said = f"The request is larger than {limit // 1_000_000} MB."
    return Trouble(413, "too_large", said, "Send less at once.")


def install(web: FastAPI, whoever: Callable[[Request], Caller | None]) -> None:
    """Make every error of a route leave as a problem. ``whoever`` finds out who is signed in."""

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, errors.InboundError)
        if isinstance(error, errors.NotSignedIn) and not is_api(request) and request.method == "GET":
            return RedirectResponse(_where_to_sign_in(request), HTTPStatus.SEE_OTHER)
        return answer(request, _from_ours(error))

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, _from_validation(request, error.errors()))

    # Not async: it reads storage, and a thread waits for that.
    def by_starlette(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if not is_api(request):
            # No route asked, as there is none; the navigation leads back from there.
            with suppress(errors.InboundError):
                request.state.caller = whoever(request)
        return answer(request, _from_status(error))

    web.add_exception_handler(errors.InboundError, known)
    web.add_exception_handler(RequestValidationError, invalid)
    web.add_exception_handler(HTTPException, by_starlette)


def _where_to_sign_in(request: Request) -> str:
    if request.url.path.startswith("/cloud"):
        return "/cloud/sign-in"
    return f"/sign-in?next={quote(request.url.path, safe='')}"


def is_api(request: Request) -> bool:
    """Whether machines call this address."""
    return request.url.path == "/api" or request.url.path.startswith("/api/")


def answer(request: Request, trouble: Trouble) -> Response:
    """The trouble as problem+json, or as a page for people."""
    if not is_api(request):
        caller = getattr(request.state, "caller", None)
        headers = dict(trouble.headers)
        return render.page(
            request, "problem.html", status=trouble.status, headers=headers, caller=caller, trouble=trouble
        )
    problem = Problem(
        title=HTTPStatus(trouble.status).phrase,
        status=trouble.status,
        detail=trouble.detail,
        code=trouble.code,
        fix=trouble.fix,
        errors=[FieldError(field=field, message=message) for field, message in trouble.fields],
    )
    return JSONResponse(
        problem.model_dump(), trouble.status, dict(trouble.headers), media_type="application/problem+json"
    )


def _from_ours(error: errors.InboundError) -> Trouble:
    if isinstance(error, errors.StoreError):
        return _from_store(error)
    fields = tuple(error.errors) if isinstance(error, errors.Invalid) else ()
    return Trouble(_status(error), error.code, error.message, error.fix, fields, _headers(error))


def _from_store(error: errors.StoreError) -> Trouble:
    # In words of our own: those of the store are for the operator.
    log.event("http_failed", logging.WARNING, error=type(error).__name__)
    if isinstance(error, errors.StoreUnavailable):
        return STORAGE_AWAY
    return CHANGED_MEANWHILE if isinstance(error, errors.RowChanged) else OUR_FAULT


def _status(error: errors.InboundError) -> int:
    if isinstance(error, errors.CallerError):
        return error.status
    return 502 if isinstance(error, errors.ServerError) else 422


def _headers(error: errors.InboundError) -> tuple[tuple[str, str], ...]:
    if isinstance(error, errors.NotSignedIn):
        return (("WWW-Authenticate", "Bearer"),)
    if isinstance(error, errors.TooManyRequests):
        return (("Retry-After", str(error.retry_after)),)
    if isinstance(error, errors.ServerError) and error.retry_after is not None:
        return (("Retry-After", str(round(error.retry_after))),)
    return ()


def _from_validation(request: Request, found: Sequence[Any]) -> Trouble:
    if any(one["type"] == "json_invalid" for one in found):
        return BAD_JSON
    if any(tuple(one["loc"]) == ("body",) and isinstance(one.get("input"), bytes) for one in found):
        return NOT_JSON
    fields = tuple(in_words(one) for one in found)
    detail = fields[0][1] if len(fields) == 1 else "Some fields need another value."
    return Trouble(422, errors.Invalid.code, detail, "", fields)


def _from_status(error: HTTPException) -> Trouble:
    headers = tuple((error.headers or {}).items())
    if error.status_code == 400:
        return BAD_JSON
    if error.status_code == 404:
        return NO_SUCH_PAGE
    if error.status_code == 415:
        return NOT_A_NOTE
    if error.status_code == 405:
        return Trouble(405, "no_such_method", "This address does not take that method.", "", (), _with_head(headers))
    return Trouble(error.status_code, "refused", HTTPStatus(error.status_code).phrase + ".", "", (), headers)


def _with_head(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    # The routes do not know that HEAD works wherever GET does (``edge``).
    return tuple(
        (name, f"{value}, HEAD" if name.lower() == "allow" and "GET" in value.split(", ") else value)
        for name, value in headers
    )
