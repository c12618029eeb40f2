"""HTTP: three routes into one ASGI app, which is imported at the first request."""

from __future__ import annotations

import functools
from typing import Any

import azure.functions as func

from shared import bootstrap

bp = func.Blueprint()  # type: ignore[no-untyped-call]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@functools.cache
def _middleware() -> Any:
    return func.AsgiMiddleware(bootstrap.web_app())  # type: ignore[no-untyped-call]


async def _serve(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    try:
        response: func.HttpResponse = await _middleware().handle_async(req, context)
    except UnicodeDecodeError:
        # The middleware reads the address as UTF-8 before the app sees it; "%FF" is none.
        return func.HttpResponse("This address is not valid UTF-8.", status_code=400, mimetype="text/plain")
    return response


@bp.route(route="api/{*path}", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def api(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The endpoints; the app itself checks who is calling."""
    return await _serve(req, context)


@bp.route(route="oauth/{*path}", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def oauth(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """Redirects to and from Microsoft's sign-in."""
    return await _serve(req, context)


@bp.route(route="{*path}", methods=METHODS, auth_level=func.AuthLevel.ANONYMOUS)
async def pages(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The web page."""
    return await _serve(req, context)
