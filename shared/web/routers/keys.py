"""The API keys of a tenant, for its own admins; and who is calling."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from shared.flows import tenants as flow
from shared.web.callers import NEEDS_KEY, Admin, Member, TheApp
from shared.web.idempotency import IdempotencyKey, once
from shared.web.shapes.lists import Listed
from shared.web.shapes.tenant import KeyIn, KeyListed, KeyOut, MeOut, key_listed, key_out, me_out

router = APIRouter(prefix="/api", tags=["keys"], dependencies=[NEEDS_KEY])

Force = Annotated[bool, Query(description="Revoke it although it is the last admin key.")]


@router.get("/me")
def get_me(app: TheApp, caller: Member) -> MeOut:
    """Whose key this is."""
    return me_out(caller, flow.get(app, caller.slug))


@router.get("/keys")
def list_keys(app: TheApp, caller: Admin) -> Listed[KeyListed]:
    """All keys of the tenant, the oldest first, without their texts."""
    return Listed(items=[key_listed(key) for key in flow.keys(app, caller.slug)])


@router.post("/keys", status_code=201)
def make_own_key(body: KeyIn, app: TheApp, caller: Admin, idempotency_key: IdempotencyKey = None) -> KeyOut:
    """Make an API key. Its text is in this answer and nowhere else."""
    key, text = flow.make_key(app, caller.slug, body.role, body.name, once(caller.key_id, idempotency_key))
    return key_out(key, text)


@router.delete("/keys/{key}", status_code=204)
def revoke_own_key(key: str, app: TheApp, caller: Admin, force: Force = False) -> None:
    """End a key and every session that was begun with it, at once. The last admin key needs ``force``."""
    flow.revoke(app, caller.slug, key, force)
