"""Erasing a person, step by step: the address, what would go, the address once more, how far it has come."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Conflict, Invalid
from shared.flows import forget as flow
from shared.flows.tenants import Caller
from shared.ports import App
from shared.web.callers import Admin, TheApp
from shared.web.pages import render
from shared.web.shapes.erasure import erasure_out, preview_out

router = APIRouter()

Text = Annotated[str, Form()]
Maybe = Annotated[str | None, Form()]


@router.get("/tenant/erase")
def show(request: Request, app: TheApp, caller: Admin, begun: bool = False) -> Response:
    """The page."""
    return _page(request, app, caller, begun=begun)


@router.post("/tenant/erase")
def erase(request: Request, app: TheApp, caller: Admin, address: Text = "", confirm: Maybe = None) -> Response:
    """Count what would go; with the address typed once more, erase it."""
    try:
        if confirm is None:
            found = preview_out(flow.preview(app, caller.tenant, address))
            return _page(request, app, caller, found=found, address=address.strip())
        flow.order(app, caller.tenant, address, confirm, caller.key_id)
    except Invalid as error:
        refused = dict(error.errors)
        again = preview_out(flow.preview(app, caller.tenant, address)) if "confirm" in refused else None
        return _page(request, app, caller, 422, found=again, address=address.strip(), refused=refused)
    except Conflict as error:
        return _page(request, app, caller, 409, address=address.strip(), refused={"address": error.message})
    return RedirectResponse("/tenant/erase?begun=true", 303)


def _page(request: Request, app: App, caller: Caller, status: int = 200, **values: Any) -> Response:
    erasures = [erasure_out(one) for one in flow.listed(app, caller.tenant)]
    fresh: dict[str, Any] = {"found": None, "address": "", "refused": {}, "begun": False}
    return render.page(request, "erase.html", status=status, caller=caller, erasures=erasures, **{**fresh, **values})
