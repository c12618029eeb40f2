"""Everything of a desk, for its admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from shared.flows import export as flow
from shared.web.callers import NEEDS_KEY, Admin, TheApp
from shared.web.shapes.export import ExportOut, export_out

router = APIRouter(prefix="/api", tags=["export"], dependencies=[NEEDS_KEY])

Place = Annotated[str, Query(max_length=200, description="The next of an answer; left out: from the beginning.")]


@router.get("/export")
def export_desk(app: TheApp, caller: Admin, after: Place = "") -> ExportOut:
    """Mailboxes, incidents with their notes, and the ledger, page by page. Mail and files are fetched by their ids."""
    return export_out(flow.part(app, caller.tenant, after))
