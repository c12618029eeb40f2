"""Graph's mail endpoints, as strict as the real ones."""

from __future__ import annotations

import json
import re
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.support.microsoft.entra import GRAPH, App, Entra, Issued
from tests.support.microsoft.exchange import Folder, Mailbox, Message
from tests.support.microsoft.sending import SENDING, Post
from tests.support.microsoft.wire import Reply, Request, as_json, graph_error

DEFAULT_PAGE = 10
MAX_PAGE = 1000
FILTER_CAP = 5000

_PROPERTIES = frozenset(
    [
        "id",
        "receivedDateTime",
        "internetMessageId",
        "subject",
        "isRead",
        "parentFolderId",
        "internetMessageHeaders",
        "from",
        "toRecipients",
        "ccRecipients",
        "sentDateTime",
        "hasAttachments",
        "isDraft",
    ]
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_CLAUSE = re.compile(r"(\S+) (ge|gt|le|lt|eq) (.+)")
_SIZE = "singleValueExtendedProperties($filter=id eq 'LONG 0x0E08')"
_USER_PROPERTIES = frozenset({"displayName", "mail", "userPrincipalName"})
_APP_PROPERTIES = frozenset({"id", "appId", "displayName", "passwordCredentials"})
_LISTS_USERS = {"User.Read.All", "User.ReadBasic.All", "Directory.Read.All"}
_READS_APPS = {"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"}
_CHANGEABLE = frozenset({"isRead", "categories", "flag", "importance", "inferenceClassification"})


_INSUFFICIENT = "Insufficient privileges to complete the operation."


class _Refused(Exception):
    def __init__(self, reply: Reply) -> None:
        self.reply = reply


@dataclass
class _Sync:
    """What a delta token stands for: changes after ``since``; or what is left (``rest``) of a round up to ``upto``."""

    folder: str
    generation: int
    select: set[str]
    types: set[str]
    floor: datetime | None
    strictly: bool
    since: int
    upto: int = 0
    rest: list[str] | None = None


class Graph:
    """The service in front of the mailboxes. ``limit``: how many mails a filtered delta query gives at most."""

    def __init__(self, entra: Entra, now: Callable[[], datetime]) -> None:
        self.mailboxes: dict[str, Mailbox] = {}
        self.base = ""
        self.limit = FILTER_CAP
        self.knows_sizes = True
        self.violations: list[str] = []
        self.post = Post(self.violations)
        self._entra = entra
        self._now = now
        self._links: dict[str, tuple[str, _Sync]] = {}
        self._skips: set[str] = set()

    def add_mailbox(self, address: str, tenant: str, owner: str = "") -> Mailbox:
        mailbox = Mailbox(address, tenant, owner)
        self.mailboxes[address.lower()] = mailbox
        return mailbox

    def add_alias(self, mailbox: Mailbox, address: str) -> None:
        """A second address of a mailbox."""
        self.mailboxes[address.lower()] = mailbox

    def handle(self, request: Request, kind: str) -> Reply:
        try:
            token = self._token(request)
            if kind == "me":
                return self._me(token)
            if kind in ("users", "application"):
                return self._users(request, token) if kind == "users" else self._application(request, token)
            self._check_headers(request)
            mailbox = self._mailbox(request, token, kind)
            return self._routes()[kind](request, mailbox)
        except _Refused as refused:
            return refused.reply

    def _routes(self) -> dict[str, Callable[[Request, Mailbox], Reply]]:
        return {
            "delta": self._delta,
            "list": self._list,
            "message": self._message,
            "value": self._value,
            "nested value": self._nested_value,
            "patch": self._patch,
            "move": self._move,
            "delete": self._delete,
            "folder": self._folder,
            "folders": self._folders,
            "send": self.post.take,
        }

    # ── who may ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _token(self, request: Request) -> Issued:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        issued = self._entra.tokens.get(value)
        if scheme != "Bearer" or issued is None or issued.expires <= self._now():
            text = "Lifetime validation failed, the token is expired."
            raise _Refused(graph_error(401, "InvalidAuthenticationToken", text))
        if issued.audience != GRAPH:
            text = "Access token validation failure. Invalid audience."
            raise _Refused(graph_error(401, "InvalidAuthenticationToken", text))
        return issued

    def _me(self, token: Issued) -> Reply:
        if token.person is None:
            return graph_error(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
        return as_json(
            {"id": token.person.oid, "userPrincipalName": token.person.username, "mail": token.person.username}
        )

    # ── the directory ─────────────────────────────────────────────────────────────────────────────────────────────

    def _users(self, request: Request, token: Issued) -> Reply:
        query = self._options(request, {"$select", "$top"})
        if token.person is not None or not _LISTS_USERS & token.granted:
            return graph_error(403, "Authorization_RequestDenied", _INSUFFICIENT)
        wanted = self._chosen(query, _USER_PROPERTIES)
        users = [
            {"displayName": "", "mail": one.address, "userPrincipalName": one.principal or one.address}
            for one in {mailbox.address: mailbox for mailbox in self.mailboxes.values()}.values()
            if one.tenant == token.tenant
        ]
        shown = [{name: user[name] for name in user if name in wanted} for user in users[: self._top(query)]]
        return as_json({"value": shown})

    def _application(self, request: Request, token: Issued) -> Reply:
        query = self._options(request, {"$select"})
        match = re.fullmatch(r"applications\(appId='([^']+)'\)", request.parts[1])
        app = self._entra.tenants[token.tenant].apps.get(match.group(1) if match else "")
        own = app is not None and app.client_id == token.client_id and app.owns_itself
        if not (_READS_APPS & token.granted or (own and "Application.ReadWrite.OwnedBy" in token.granted)):
            return graph_error(403, "Authorization_RequestDenied", _INSUFFICIENT)
        if app is None:
            text = "Resource does not exist or one of its queried reference-property objects are not present."
            return graph_error(404, "Request_ResourceNotFound", text)
        credentials = [
            {
                "customKeyIdentifier": None,
                "displayName": "inbound",
                "endDateTime": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "hint": secret[:3],
                "keyId": str(uuid.uuid4()),
                "secretText": None,
                "startDateTime": "2024-01-01T00:00:00Z",
            }
            for secret, ends in app.secrets.items()
        ]
        every = {"id": app.object_id, "appId": app.client_id, "displayName": "", "passwordCredentials": credentials}
        return as_json({name: every[name] for name in every if name in self._chosen(query, _APP_PROPERTIES)})

    def _chosen(self, query: dict[str, str], known: frozenset[str]) -> set[str]:
        """A list that is not narrowed by $select would give what nobody asked for."""
        chosen = set(query.get("$select", "").split(","))
        if not chosen <= known:
            self.violations.append(f"$select={query.get('$select')}")
            raise _Refused(graph_error(400, "BadRequest", "Could not find a property."))
        return chosen

    # ── the mailbox ───────────────────────────────────────────────────────────────────────────────────────────────

    def _mailbox(self, request: Request, token: Issued, kind: str) -> Mailbox:
        address = request.parts[2]
        mailbox = self.mailboxes.get(address.lower())
        needs = {"Mail.ReadWrite"} if kind in ("patch", "move", "delete") else {"Mail.Read", "Mail.ReadWrite"}
        needs = SENDING if kind == "send" else needs
        app = self._entra.tenants[token.tenant].apps[token.client_id]
        if not self._may(token, needs, mailbox):
            raise _Refused(graph_error(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."))
        if mailbox is None or mailbox.tenant != token.tenant:
            raise _Refused(graph_error(404, "ErrorInvalidUser", f"The requested user '{address}' is invalid."))
        self._check_policy(app, mailbox, token)
        if not mailbox.enabled:
            text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
            raise _Refused(graph_error(404, "MailboxNotEnabledForRESTAPI", text))
        return mailbox

    def _may(self, token: Issued, needs: set[str], mailbox: Mailbox | None) -> bool:
        if token.person is None:
            app = self._entra.tenants[token.tenant].apps[token.client_id]
            assigned = mailbox is not None and mailbox.address.lower() in app.assigned
            # With a role in Exchange alone, an address that nobody has is refused like any other one.
            return bool(needs & token.granted) or assigned
        own = mailbox is not None and mailbox.owner == token.person.oid
        return bool((needs if own else {f"{one}.Shared" for one in needs}) & token.granted)

    def _check_policy(self, app: App, mailbox: Mailbox, token: Issued) -> None:
        if token.person is None and app.only is not None and mailbox.address.lower() not in app.only:
            text = "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."
            raise _Refused(graph_error(403, "ErrorAccessDenied", text))

    def _check_headers(self, request: Request) -> None:
        if kind_of(request) != "send" and 'IdType="ImmutableId"' not in request.headers.get("prefer", ""):
            self.violations.append(f"no immutable ids asked for: {request.method} {request.url[:80]}")
        if request.method in ("GET", "DELETE") and request.body:
            self.violations.append(f"{request.method} with a body")

    # ── folders ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _folder(self, request: Request, mailbox: Mailbox) -> Reply:
        self._options(request, {"$select"})
        return as_json(self._folder_item(self._need_folder(mailbox, request.parts[4]), mailbox))

    def _folders(self, request: Request, mailbox: Mailbox) -> Reply:
        query = self._options(request, {"$filter", "$select", "$top"})
        parent = self._need_folder(mailbox, request.parts[4]).id if len(request.parts) > 4 else ""
        found = [one for one in mailbox.folders.values() if one.parent == parent]
        if text := query.get("$filter"):
            match = re.fullmatch(r"displayName eq '((?:[^']|'')*)'", text)
            if not match:
                raise _Refused(graph_error(400, "BadRequest", f"Invalid filter clause: {text}"))
            name = match.group(1).replace("''", "'").lower()
            found = [one for one in found if one.name.lower() == name]
        top = self._top(query)
        return as_json({"value": [self._folder_item(one, mailbox) for one in found[:top]]})

    def _folder_item(self, folder: Folder, mailbox: Mailbox) -> dict[str, Any]:
        count = len(mailbox.within(folder.id))
        return {"id": folder.id, "displayName": folder.name, "parentFolderId": folder.parent, "totalItemCount": count}

    def _need_folder(self, mailbox: Mailbox, name: str) -> Folder:
        if match := re.fullmatch(r"mailFolders\('(.+)'\)", name):
            name = match.group(1)
        folder = mailbox.folder(name)
        if folder is None:
            text = "The specified object was not found in the store., The process failed to get the correct properties."
            raise _Refused(graph_error(404, "ErrorItemNotFound", text))
        return folder

    # ── lists ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _list(self, request: Request, mailbox: Mailbox) -> Reply:
        query = self._options(request, {"$filter", "$orderby", "$select", "$top", "$skip", "$expand"})
        if "$skip" in query and request.url not in self._skips:
            self.violations.append("a $skip that was computed, not followed")
        found = self._ordered(
            self._filtered(mailbox.within(self._need_folder(mailbox, request.parts[4]).id), query), query
        )
        skip, top = int(query.get("$skip", "0")), self._top(query)
        with_size = self._with_size(query)
        page = [self._listed(one, self._selected(query), with_size, request) for one in found[skip : skip + top]]
        body: dict[str, Any] = {"@odata.context": f"{self.base}/$metadata#x", "value": page}
        if skip + top < len(found):
            options = {**query, "$skip": str(skip + top)}
            link = f"{request.raw_path}?" + "&".join(f"{name}={quote(text, safe='')}" for name, text in options.items())
            self._skips.add(link)
            body["@odata.nextLink"] = self._absolute(link)
        return as_json(body)

    def _filtered(self, messages: list[Message], query: dict[str, str]) -> list[Message]:
        text = query.get("$filter", "")
        orderby = query.get("$orderby", "").split()
        if orderby and not text.startswith(orderby[0]) and text:
            reply = graph_error(
                400, "InefficientFilter", "The restriction or sort order is too complex for this operation."
            )
            raise _Refused(reply)
        for clause in text.split(" and ") if text else []:
            messages = [one for one in messages if self._holds(clause, one)]
        return messages

    def _holds(self, clause: str, message: Message) -> bool:
        match = _CLAUSE.fullmatch(clause)
        if not match or match.group(1) != "receivedDateTime":
            raise _Refused(graph_error(400, "BadRequest", f"Invalid filter clause: {clause}"))
        moment = self._time(match.group(3))
        received = message.received
        return {
            "ge": received >= moment,
            "gt": received > moment,
            "le": received <= moment,
            "lt": received < moment,
            "eq": received == moment,
        }[match.group(2)]

    def _time(self, text: str) -> datetime:
        """Unquoted, with a zone; a literal + in a link has become a blank by now."""
        if not _TIME.fullmatch(text):
            raise _Refused(graph_error(400, "BadRequest", f"Invalid filter clause: {text}"))
        return datetime.fromisoformat(text)

    def _ordered(self, messages: list[Message], query: dict[str, str]) -> list[Message]:
        name, _, direction = query.get("$orderby", "receivedDateTime desc").partition(" ")
        if name != "receivedDateTime" or direction not in ("", "asc", "desc"):
            raise _Refused(graph_error(400, "BadRequest", f"Invalid orderby: {name}"))
        return sorted(messages, key=lambda one: one.received, reverse=direction == "desc")

    def _listed(self, message: Message, wanted: set[str], with_size: bool, request: Request) -> dict[str, Any]:
        item = message.item(wanted, "ImmutableId" in request.headers.get("prefer", ""))
        if with_size:
            item["singleValueExtendedProperties"] = [{"id": "Long 0xe08", "value": str(message.size)}]
        return item

    def _with_size(self, query: dict[str, str]) -> bool:
        if "$expand" not in query:
            return False
        if not self.knows_sizes:
            text = "Could not find a property named 'singleValueExtendedProperties' on type 'microsoft.graph.message'."
            raise _Refused(graph_error(400, "BadRequest", text))
        if query["$expand"] != _SIZE:
            raise _Refused(graph_error(400, "BadRequest", f"Invalid expand: {query['$expand']}"))
        return True

    # ── delta ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _delta(self, request: Request, mailbox: Mailbox) -> Reply:
        page = re.search(r"odata\.maxpagesize=(\d+)", request.headers.get("prefer", ""))
        size = int(page.group(1)) if page else DEFAULT_PAGE
        if not page or not 1 <= size <= MAX_PAGE:
            self.violations.append(f"delta without a sensible odata.maxpagesize: {request.headers.get('prefer')}")
        token = request.query.get("$deltatoken") or request.query.get("$skiptoken")
        sync = self._resumed(request, mailbox, token) if token else self._begun(request, mailbox)
        return self._round(request, mailbox, sync, min(size, MAX_PAGE))

    def _begun(self, request: Request, mailbox: Mailbox) -> _Sync:
        query = self._options(request, {"$select", "$filter", "$top", "$orderby", "changeType"})
        folder = self._need_folder(mailbox, request.parts[4])
        types = set(query.get("changeType", "created,updated,deleted").split(","))
        floor, strictly = None, False
        if text := query.get("$filter"):
            match = re.fullmatch(r"receivedDateTime (ge|gt) (\S+)", text)
            if not match:
                raise _Refused(graph_error(400, "ErrorInvalidUrlQueryFilter", f"Invalid filter: {text}"))
            floor, strictly = self._time(match.group(2)), match.group(1) == "gt"
        sync = _Sync(
            folder.id, mailbox.generation, self._selected(query), types, floor, strictly, 0, mailbox.number, []
        )
        found = [one.id for one in mailbox.within(folder.id) if self._passes(one, sync)]
        sync.rest = found[: self.limit] if floor else found
        return sync

    def _resumed(self, request: Request, mailbox: Mailbox, token: str) -> _Sync:
        link, sync = self._links.get(token, ("", None))
        if sync is None or sync.generation != mailbox.generation:
            text = f"The sync state generation is not found; generation={mailbox.generation};[highest={mailbox.number}]"
            raise _Refused(graph_error(410, "SyncStateNotFound", text))
        if link != request.url:
            self.violations.append("a delta link that was changed")
        self._need_folder(mailbox, sync.folder)
        if sync.rest is not None:
            return sync
        changed = {one.message: one for one in mailbox.changes if one.number > sync.since and one.folder == sync.folder}
        rest = [id for id, change in changed.items() if self._reported(change.kind, id, mailbox, sync)]
        return _Sync(**{**vars(sync), "rest": rest, "upto": mailbox.number})

    def _reported(self, last: str, id: str, mailbox: Mailbox, sync: _Sync) -> bool:
        message = mailbox.messages.get(id)
        here = message is not None and message.folder == sync.folder
        came = any(
            one.message == id and one.kind == "created" and one.folder == sync.folder and one.number > sync.since
            for one in mailbox.changes
        )
        kind = "deleted" if not here else "created" if came else last
        return kind in sync.types and (message is None or not here or self._passes(message, sync))

    def _round(self, request: Request, mailbox: Mailbox, sync: _Sync, size: int) -> Reply:
        rest = sync.rest or []
        items = [self._changed(id, mailbox, sync, request) for id in rest[:size]]
        body: dict[str, Any] = {"@odata.context": f"{self.base}/$metadata#x", "value": [one for one in items if one]}
        path = f"{self._rooted(mailbox)}/mailFolders('{quote(sync.folder, safe='')}')/messages/delta"
        if len(rest) > size:
            body["@odata.nextLink"] = self._link(path, "$skiptoken", _Sync(**{**vars(sync), "rest": rest[size:]}))
        else:
            after = _Sync(**{**vars(sync), "rest": None, "since": sync.upto})
            body["@odata.deltaLink"] = self._link(path, "$deltatoken", after)
        return as_json(body)

    def _changed(self, id: str, mailbox: Mailbox, sync: _Sync, request: Request) -> dict[str, Any] | None:
        message = mailbox.messages.get(id)
        if message is None or message.folder != sync.folder:
            return {"@removed": {"reason": "deleted"}, "id": id} if "deleted" in sync.types else None
        return self._listed(message, sync.select, False, request)

    def _passes(self, message: Message, sync: _Sync) -> bool:
        if sync.floor is None:
            return True
        return message.received > sync.floor or (message.received == sync.floor and not sync.strictly)

    def _link(self, path: str, name: str, sync: _Sync) -> str:
        token = secrets.token_urlsafe(330)  # about as long as Microsoft's
        link = f"{path}?{name}={token}"
        self._links[token] = (link, sync)
        return self._absolute(link)

    def _rooted(self, mailbox: Mailbox) -> str:
        return f"/v1.0/users/{quote(mailbox.address, safe='@')}"

    def _absolute(self, link: str) -> str:
        return self.base.removesuffix("/v1.0") + link

    # ── one mail ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _message(self, request: Request, mailbox: Mailbox) -> Reply:
        query = self._options(request, {"$select", "$expand"})
        message = self._need_message(request, mailbox)
        return as_json(self._listed(message, self._selected(query), self._with_size(query), request))

    def _value(self, request: Request, mailbox: Mailbox) -> Reply:
        self._options(request, set())
        raw = self._need_message(request, mailbox).raw
        return Reply(200, raw, {"Content-Type": "text/plain"}, chunked=True)

    def _nested_value(self, request: Request, mailbox: Mailbox) -> Reply:
        self.violations.append("$value below mailFolders")
        return graph_error(405, "ErrorInvalidRequest", "The OData request is not supported.")

    def _patch(self, request: Request, mailbox: Mailbox) -> Reply:
        body = self._json(request)
        message = self._need_message(request, mailbox)
        if set(body) - _CHANGEABLE:
            return graph_error(400, "ErrorInvalidPropertySet", "Only drafts can be changed so.")
        if "isRead" in body:
            mailbox.mark(message.id, body["isRead"])
        return as_json(message.item({"id", "isRead"}, True))

    def _move(self, request: Request, mailbox: Mailbox) -> Reply:
        body = self._json(request)
        message = self._need_message(request, mailbox)
        folder = mailbox.folder(str(body.get("destinationId", "")))
        if folder is None:
            return graph_error(404, "ErrorFolderNotFound", "The specified folder could not be found in the store.")
        if message.folder != folder.id:
            mailbox.move(message.id, folder.id)
        return as_json(message.item({"id"}, True), 201)

    def _delete(self, request: Request, mailbox: Mailbox) -> Reply:
        mailbox.delete(self._need_message(request, mailbox).id)
        return Reply(204)

    def _need_message(self, request: Request, mailbox: Mailbox) -> Message:
        id = request.parts[4]
        if not re.fullmatch(r"AA[A-Za-z0-9_-]{100,}=", id):
            raise _Refused(graph_error(400, "ErrorInvalidIdMalformed", "Id is malformed."))
        message = mailbox.messages.get(id)
        if message is None and any(id in other.messages for other in self.mailboxes.values()):
            text = f"Item '{id}' doesn't belong to the targeted mailbox '{mailbox.address}'."
            raise _Refused(graph_error(404, "ErrorInvalidMailboxItemId", text))
        if message is None:
            raise _Refused(graph_error(404, "ErrorItemNotFound", "The specified object was not found in the store."))
        return message

    # ── options ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _options(self, request: Request, allowed: set[str]) -> dict[str, str]:
        unknown = set(request.query) - allowed
        if unknown:
            self.violations.append(f"query options {sorted(unknown)} on {request.method} {request.parts[3:4]}")
            raise _Refused(graph_error(400, "BadRequest", f"Query option '{min(unknown)}' is not allowed."))
        return request.query

    def _selected(self, query: dict[str, str]) -> set[str]:
        wanted = set(query["$select"].split(",")) if "$select" in query else set(_PROPERTIES)
        if unknown := wanted - _PROPERTIES:
            raise _Refused(
                graph_error(400, "RequestBroker--ParseUri", f"Could not find a property named '{min(unknown)}'")
            )
        return wanted

    def _top(self, query: dict[str, str]) -> int:
        top = int(query.get("$top", str(DEFAULT_PAGE)))
        if not 1 <= top <= MAX_PAGE:
            raise _Refused(graph_error(400, "ErrorInvalidParameter", f"The value '{top}' of $top is not in 1-1000."))
        return top

    def _json(self, request: Request) -> dict[str, Any]:
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            raise _Refused(graph_error(415, "RequestBroker--ParseUri", "Unsupported media type."))
        body = json.loads(request.body)
        assert isinstance(body, dict)
        return body


def kind_of(request: Request) -> str:
    """Which endpoint a request is for; empty: there is none."""
    method, parts = request.method, request.parts
    if parts[1:2] == ["me"]:
        return "me" if method == "GET" and len(parts) == 2 else ""
    if parts[1:] == ["users"]:
        return "users" if method == "GET" else ""
    if parts[1:2] and parts[1].startswith("applications("):
        return "application" if method == "GET" and len(parts) == 2 else ""
    if parts[1:2] != ["users"] or len(parts) < 4:
        return ""
    tail = tuple("folder id" if part.startswith("mailFolders('") else part for part in parts[3:])
    match (method, *tail):
        case ("GET", "mailFolders"):
            return "folders"
        case ("GET", "mailFolders", _):
            return "folder"
        case ("GET", "mailFolders", _, "childFolders"):
            return "folders"
        case ("GET", "mailFolders", _, "messages"):
            return "list"
        case ("GET", "mailFolders", _, "messages", "delta") | ("GET", "folder id", "messages", "delta"):
            return "delta"
        case ("GET", "mailFolders", _, "messages", _, "$value"):
            return "nested value"
        case ("GET", "messages", _):
            return "message"
        case ("GET", "messages", _, "$value"):
            return "value"
        case ("PATCH", "messages", _):
            return "patch"
        case ("POST", "messages", _, "move"):
            return "move"
        case ("DELETE", "messages", _):
            return "delete"
        case ("POST", "sendMail"):
            return "send"
    return ""
