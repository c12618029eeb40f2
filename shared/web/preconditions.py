"""If-Match and If-None-Match of requests that change a mailbox or an incident (RFC 9110, 13.1)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from shared.errors import Conflict, NotFound
from shared.flows import mailboxes as flow
from shared.model.incident import Incident
from shared.model.mailbox import Mailbox
from shared.model.webhook import Hook
from shared.ports import App
from shared.web.shapes import incident as incidents
from shared.web.shapes import webhook as webhooks
from shared.web.shapes.mailbox import etag

IncidentMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag of the incident that you read.")]
HookMatch = Annotated[str | None, Header(alias="If-Match", description="The ETag of the webhook that you read.")]
IfMatch = Annotated[str | None, Header(description="The ETag of the settings that you read.")]
IfNoneMatch = Annotated[str | None, Header(description="* to create a mailbox and change none.")]


class Changed(Conflict):
    """What is to be changed is not as the caller means it."""

    status = 412


def version_read(app: App, tenant: str, mailbox: str, if_match: str | None) -> str | None:
    """The version that must still be there for the caller's If-Match; None when there is no such header. Raises
    ``Changed``."""
    if if_match is None:
        return None
    current = _current(app, tenant, mailbox)
    if current is None or not _names(if_match, etag(current)):
        raise changed()
    return current.version


def refuse_known(app: App, tenant: str, mailbox: str, if_none_match: str | None) -> None:
    """Raises ``Changed`` when the mailbox is one that If-None-Match names; ``*`` names every one that exists."""
    if if_none_match is None:
        return
    current = _current(app, tenant, mailbox)
    # Compared weakly (13.1.2): a W/ in front makes no difference here.
    if current is not None and _names(if_none_match.replace("W/", ""), etag(current)):
        raise Changed("There is such a mailbox already.", "Choose another id, or leave If-None-Match out to change it.")


def changed() -> Changed:
    """What somebody is told whose If-Match does not hold."""
    return Changed("Somebody changed this mailbox meanwhile.", "Read it again and repeat your change.")


def incident_read(incident: Incident, if_match: str | None) -> str | None:
    """The version that must still be there for the caller's If-Match; None when there is no such header. Raises
    ``Changed``."""
    if if_match is None:
        return None
    if not _names(if_match, incidents.etag(incident)):
        raise incident_changed()
    return incident.version


def incident_changed() -> Changed:
    """What somebody is told whose If-Match does not hold."""
    return Changed("Somebody changed this incident meanwhile.", "Read it again, then repeat what you did.")


def hook_read(hook: Hook, if_match: str | None) -> str | None:
    """The version that must still be there for the caller's If-Match; None when there is no such header. Raises
    ``Changed``."""
    if if_match is None:
        return None
    if not _names(if_match, webhooks.etag(hook)):
        raise hook_changed()
    return hook.version


def hook_changed() -> Changed:
    """What somebody is told whose If-Match does not hold."""
    return Changed("Somebody changed this webhook meanwhile.", "Read it again, then repeat what you did.")


def _current(app: App, tenant: str, mailbox: str) -> Mailbox | None:
    try:
        return flow.get(app, tenant, mailbox)
    except NotFound:
        return None


def _names(header: str, tag: str) -> bool:
    tags = [one.strip() for one in header.split(",")]
    return tags == ["*"] or tag in tags
