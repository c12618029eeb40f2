"""Erasing a person, for the admins of a desk."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from shared.flows import forget as flow
from shared.web.callers import NEEDS_KEY, Admin, TheApp
from shared.web.shapes.erasure import ErasureIn, ErasureOut, erasure_out, preview_out
from shared.web.shapes.lists import Listed

router = APIRouter(prefix="/api", tags=["erasures"], dependencies=[NEEDS_KEY])


@router.post("/erasures", status_code=201)
def erase_person(body: ErasureIn, app: TheApp, caller: Admin, response: Response) -> ErasureOut:
    """Erase everything that an address wrote, for good; without ``confirm`` only count it (200).

    Numbers, times and outcomes stay, without content. Mail of others stays as it is, also where it quotes the person.
    """
    if body.confirm is None:
        response.status_code = 200
        return preview_out(flow.preview(app, caller.tenant, body.address))
    return erasure_out(flow.order(app, caller.tenant, body.address, body.confirm, caller.key_id))


@router.get("/erasures")
def list_erasures(app: TheApp, caller: Admin) -> Listed[ErasureOut]:
    """All erasures, the newest first. None says whose address it was."""
    return Listed(items=[erasure_out(one) for one in flow.listed(app, caller.tenant)])


@router.get("/erasures/{erasure}")
def get_erasure(erasure: str, app: TheApp, caller: Admin) -> ErasureOut:
    """How far it has come."""
    return erasure_out(flow.get(app, caller.tenant, erasure))
