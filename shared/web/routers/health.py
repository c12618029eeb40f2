"""Whether the app works: for load balancers, without a key, saying nothing else."""

from __future__ import annotations

from fastapi import APIRouter, Response

from shared.web.callers import TheApp
from shared.web.shapes.health import Health

router = APIRouter(prefix="/api/health", tags=["health"])


@router.get("", responses={503: {"model": Health, "description": "Storage does not answer."}})
def get_health(app: TheApp, response: Response) -> Health:
    """Whether storage answers."""
    if app.healthy():
        return Health(status="ok")
    response.status_code = 503
    return Health(status="unavailable")
