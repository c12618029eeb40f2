"""The whole HTTP side as one ASGI app: Azure serves it by ``AsgiMiddleware``, the local host by uvicorn."""

from __future__ import annotations

from fastapi import FastAPI

from shared.ports import App
from shared.web import callers, problems
from shared.web.callers import make_house
from shared.web.edge import Edge
from shared.web.lastused import Later, in_background
from shared.web.pages import cloud as cloud_pages
from shared.web.pages import conversation, inbox, ledger, mailbox_actions, microsoft, people, signin, static, writing
from shared.web.pages import erase as erase_page
from shared.web.pages import mailboxes as mailbox_pages
from shared.web.pages import tenant as tenant_page
from shared.web.pages import webhooks as webhook_pages
from shared.web.routers import discover, erasures, health, incidents, keys, mail, mailboxes, notes, tenants, webhooks
from shared.web.routers import export as export_api
from shared.web.routers import people as people_api

API_VERSION = "1"
"""Of the interface, not of the program: which program runs here is nobody's business."""


def build(app: App, admin_key: str, later: Later = in_background) -> FastAPI:
    """The ASGI app.

    ``admin_key`` is the cloud admin's key for ``/api/tenants`` and ``/cloud``; empty switches these off. ``later`` runs
    what no request waits for. The app needs no lifespan and keeps nothing between requests but templates, static
    files, and how often somebody asked (``limits``).
    """
    web = FastAPI(
        title="Inbound",
        version=API_VERSION,
        openapi_url="/api/openapi.json",
        # Their pages load scripts of a third party.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        # A redirect would repeat whatever the Host header says.
        redirect_slashes=False,
        # FastAPI's telemetry hands bodies and exception texts to any OpenTelemetry provider.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    web.state.house = make_house(app, admin_key, later)
    web.add_middleware(Edge)
    problems.install(web, callers.whoever)
    for router in (mailboxes, discover, incidents, notes, mail, keys, webhooks, people_api, tenants, health):
        web.include_router(router.router, responses=problems.RESPONSES)
    for router in (erasures, export_api):
        web.include_router(router.router, responses=problems.RESPONSES)
    for page in (inbox, conversation, writing, ledger, mailbox_pages, mailbox_actions, tenant_page, cloud_pages):
        web.include_router(page.router, include_in_schema=False)
    for page in (webhook_pages, erase_page, signin, microsoft, people, static):
        web.include_router(page.router, include_in_schema=False)
    return web
