"""May this app read only this mailbox? Proved by trying other mailboxes of the tenant, not by what its token says.

A token says what was granted in Entra ID. Exchange Online may limit that (an access policy, RBAC for Applications) or
grant more by itself, and neither is in the token. So another mailbox's inbox is asked for, and of it nothing but its
id: 200 proves that the app can read more than it should, 403 proves that it is limited. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from shared.errors import ServerError
from shared.mail.address import parse_address
from shared.ports import Finding
from shared.servers.graph_folders import query, segment
from shared.servers.graph_http import Answer, GraphHttp
from shared.servers.words import in_command

SEEN_MAILS = 25
"""The newest mails whose addresses are looked at: one small request."""

TRIED_MOST = 3
"""Addresses of mails that are tried, one request each: some are lists or colleagues who left."""

LISTED_USERS = 5

LISTS_USERS = frozenset({"User.Read.All", "User.ReadBasic.All", "Directory.Read.All"})
"""Application permissions with which users can be listed."""

TOO_MUCH = frozenset({"Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic.All"})
"""Application permissions that open every mailbox of the tenant when they are granted in Entra ID."""

AS_GRANTED = "Over-privileged: by its token this app may read every mailbox of the tenant."

_LIMIT = (
    "Limit it to named mailboxes by RBAC for Applications, in Exchange Online PowerShell: "
    "New-ServicePrincipal -AppId {app} -ObjectId {object}; "
    "New-ManagementScope -Name Inbound -RecipientRestrictionFilter \"PrimarySmtpAddress -eq '{address}'\"; "
    "New-ManagementRoleAssignment -App {app} -Role 'Application {role}' -CustomResourceScope Inbound; "
    "then remove the application permission {granted} in Entra, because the two add up."
)
_NARROW = (
    "Entra grants it nothing, so its role in Exchange Online reaches too far: look at it by "
    "Get-ManagementRoleAssignment -RoleAssignee {object} in Exchange Online PowerShell, and narrow its scope: "
    "Set-ManagementScope <name of the scope> -RecipientRestrictionFilter \"PrimarySmtpAddress -eq '{address}'\"."
)
_HOW = (
    "To prove it, test again with other_address: the address of any other mailbox of your tenant, also a colleague's. "
    "No mail in it is read."
)


def limiting(claims: Any, address: str, role: str) -> str:
    """How an administrator limits the app of these claims to this mailbox. ``role``: what it needs, such as
    Mail.Read."""
    granted = TOO_MUCH & roles_of(claims)
    # A token that cannot be read says nothing about what was granted.
    return (_LIMIT if granted or not claims else _NARROW).format(
        app=in_command(str(claims.get("appid", "")), "<client ID>"),
        # In an app's own token oid is the enterprise application, which is what Exchange wants here.
        object=in_command(str(claims.get("oid", "")), "<object ID of the enterprise application>"),
        address=in_command(address, "<address>"),
        role=role,
        granted=", ".join(sorted(granted)) or role,
    )


def roles_of(claims: Any) -> set[str]:
    """The application permissions that a token names."""
    roles = claims.get("roles")
    return {str(one) for one in roles} if isinstance(roles, list) else set()


class Reach:
    """How far an app's token reaches beyond one mailbox. ``address``: the mailbox's; ``folder``: an id in it."""

    def __init__(self, http: GraphHttp, address: str, folder: str, role: str) -> None:
        self._http = http
        self._address = address
        self._folder = folder
        self._role = role
        self._seen: list[dict[str, Any]] | None = None

    def prove(self, other: str, meant: frozenset[str]) -> Finding:
        """See ``ports.Scoped.scope``."""
        self._http.step("scope")
        tried: list[str] = []
        try:
            for candidate in [other] if other else self._candidates(meant):
                tried.append(candidate)
                if found := self._try(candidate):
                    return found
        except ServerError as error:
            return _unknown(f"{error.message} {_HOW}")
        if other:
            return _unknown(f"{other} is no other mailbox that Microsoft 365 knows in this tenant. {_HOW}")
        if tried:
            return _unknown(f"The addresses that were tried ({', '.join(tried)}) are no other mailboxes. {_HOW}")
        return _unknown(f"No other mailbox's address was at hand. {_HOW}")

    def _try(self, candidate: str) -> Finding | None:
        """What this address proves; None for nothing."""
        answer = self._get(candidate, f"mailFolders/inbox?{query(select='id')}")
        # A 403 without a code of Graph's is a proxy's, and proves nothing.
        if answer is None or not (answer.ok or (answer.status == 403 and answer.code)):
            return None
        if not answer.ok:
            return Finding(f"Proved limited: this app may not read {candidate}{answer.reference}.")
        if self._is_this_mailbox(candidate):
            return None
        return Finding(
            f"Proved over-privileged: this app can also read {candidate}.",
            "over_privileged",
            f"The app is not limited to this mailbox: its token opened the inbox of {candidate} too.",
            limiting(self._http.claims, self._address, self._role),
        )

    def _is_this_mailbox(self, candidate: str) -> bool:
        """Whether it is a second address of this very mailbox: an id is known only in the mailbox that it is of
        (``ErrorInvalidMailboxItemId``)."""
        seen = self._messages()
        ours = f"messages/{segment(str(seen[0].get('id')))}" if seen else f"mailFolders/{segment(self._folder)}"
        answer = self._get(candidate, f"{ours}?{query(select='id')}")
        return answer is not None and answer.ok

    # ── candidates ────────────────────────────────────────────────────────────────────────────────────────────────

    def _candidates(self, meant: frozenset[str]) -> Iterator[str]:
        """Addresses that may be other mailboxes. What is not needed is not asked for."""
        known = {self._address.lower(), *meant}
        return chain(
            islice(_new(self._correspondents(), known), TRIED_MOST),
            _new(self._users(known), known),
        )

    def _correspondents(self) -> Iterator[str]:
        """Whoever wrote or was written to, of the same domain."""
        own = parse_address(self._address)
        for message in self._messages():
            for one in [message.get("from"), *_list(message, "toRecipients"), *_list(message, "ccRecipients")]:
                found = parse_address(_address(one))
                if found and own and found.domain == own.domain:
                    yield found.address

    def _users(self, known: set[str]) -> Iterator[str]:
        if not LISTS_USERS & roles_of(self._http.claims):
            return
        options = query(top=str(LISTED_USERS), select="mail,userPrincipalName")
        answer = self._http.get(f"{self._http.base}/users?{options}")
        for user in _list(answer.json(), "value") if answer.ok else []:
            names = [str(user.get(name) or "") for name in ("mail", "userPrincipalName")] if _is_dict(user) else []
            # Whoever has one of our addresses is this mailbox, whatever the other one is.
            if not known & {name.lower() for name in names}:
                yield from [name for name in names if name][:1]

    def _messages(self) -> list[dict[str, Any]]:
        """The newest mails, as far as it takes to know who is in them."""
        if self._seen is None:
            options = query(
                top=str(SEEN_MAILS), orderby="receivedDateTime desc", select="from,toRecipients,ccRecipients"
            )
            answer = self._get(self._address, f"mailFolders/{segment(self._folder)}/messages?{options}")
            found = _list(answer.json(), "value") if answer is not None and answer.ok else []
            self._seen = [one for one in found if _is_dict(one)]
        return self._seen

    def _get(self, address: str, rest: str) -> Answer | None:
        """None for an address that would lead elsewhere: it comes from a stranger's mail, and may hold ``../``."""
        url = f"{self._http.base}/users/{segment(address)}/{rest}"
        return self._http.get(url) if self._http.is_own(url) else None


def _unknown(why: str) -> Finding:
    return Finding(f"Not proved. {why}", is_known=False)


def _new(addresses: Iterable[str], known: set[str]) -> Iterator[str]:
    """Each address once."""
    for address in addresses:
        if address.lower() not in known:
            known.add(address.lower())
            yield address


def _address(one: object) -> str:
    inner = one.get("emailAddress") if isinstance(one, dict) else None
    return str(inner.get("address") or "") if isinstance(inner, dict) else ""


def _list(of: dict[str, Any], name: str) -> list[Any]:
    found = of.get(name)
    return found if isinstance(found, list) else []


def _is_dict(one: object) -> bool:
    return isinstance(one, dict)
