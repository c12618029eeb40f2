"""Can an app read more than its own mailbox? Proved on a stand-in that limits apps as Exchange Online does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.errors import AccessDenied
from shared.ports import NOBODY, Finding, Scoped, Watch
from shared.servers.transcript import Recorder
from tests.support.mails import mail
from tests.support.microsoft import Microsoft, Reply
from tests.support.microsoft.exchange import Mailbox
from tests.support.microsoft.mailbox import GraphMailbox
from tests.support.microsoft.wire import graph_error

NOBODY_MEANT: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Microsoft]:
    with Microsoft(Path(tmp_path_factory.mktemp("microsoft"))) as microsoft:
        yield microsoft


@pytest.fixture
def microsoft(running: Microsoft) -> Iterator[Microsoft]:
    running.forget_requests()
    running.faults.clear()
    running.skew = timedelta()
    yield running
    assert running.violations == []


@pytest.fixture
def box(microsoft: Microsoft) -> GraphMailbox:
    return GraphMailbox(microsoft)


def _colleague(box: GraphMailbox, name: str = "ann") -> Mailbox:
    """Another mailbox of the tenant."""
    return box.microsoft.graph.add_mailbox(f"{name}@{box.tenant.domain}", box.tenant.id)


def _prove(
    box: GraphMailbox, other: str = "", meant: frozenset[str] = NOBODY_MEANT, watch: Watch = NOBODY, **more: Any
) -> Finding:
    """As Test Settings does: after the list was read."""
    with box.source(watch, **more) as source:
        list(source.new(""))
        assert isinstance(source, Scoped)
        box.microsoft.forget_requests()
        found = source.scope(other, meant)
        source.may_act()
        return found


def _asked(box: GraphMailbox) -> list[str]:
    """Whose mailboxes were opened, the own one left out."""
    asked = [request.parts[2] for kind, request in box.microsoft.requests if kind in ("folder", "message", "list")]
    return [address for address in dict.fromkeys(asked) if address != box.address]


# ── an address that the caller names ──────────────────────────────────────────────────────────────────────────────


def test_an_app_that_opens_another_mailbox_is_over_privileged_and_it_is_named(box: GraphMailbox) -> None:
    other = _colleague(box)
    found = _prove(box, other.address)
    assert found.code == "over_privileged"
    assert found.is_known
    assert "over-privileged" in found.detail
    assert other.address in found.detail
    assert found.cause.endswith(".")


def test_the_commands_that_limit_it_are_filled_in_with_app_mailbox_and_what_is_granted(box: GraphMailbox) -> None:
    found = _prove(box, _colleague(box).address)
    assert f"New-ServicePrincipal -AppId {box.app.client_id} -ObjectId {box.app.object_id}" in found.fix
    assert f"PrimarySmtpAddress -eq '{box.address}'" in found.fix
    assert "-Role 'Application Mail.Read'" in found.fix
    assert "remove the application permission Mail.Read, Mail.ReadWrite in Entra" in found.fix


def test_the_role_to_assign_is_the_one_that_the_settings_need(box: GraphMailbox) -> None:
    assert "-Role 'Application Mail.ReadWrite'" in _prove(box, _colleague(box).address, after_import="delete").fix


def test_an_app_limited_by_a_policy_is_proved_limited_by_that_address(box: GraphMailbox) -> None:
    other = _colleague(box)
    box.app.only = {box.address}
    found = _prove(box, other.address)
    assert (found.code, found.is_known) == ("", True)
    assert "may not read" in found.detail
    assert other.address in found.detail
    assert "over-privileged" not in found.detail.lower()


def test_an_app_limited_by_rbac_for_applications_alone_is_proved_limited(box: GraphMailbox) -> None:
    """Nothing of that is in its token."""
    other = _colleague(box)
    box.app.roles.clear()
    box.app.assigned = {box.address}
    found = _prove(box, other.address)
    assert (found.code, found.is_known) == ("", True)
    assert "may not read" in found.detail


def test_a_role_in_exchange_that_reaches_too_far_is_to_be_narrowed(box: GraphMailbox) -> None:
    other = _colleague(box)
    box.app.roles.clear()
    box.app.assigned = {box.address, other.address}
    found = _prove(box, other.address)
    assert found.code == "over_privileged"
    assert "Set-ManagementScope" in found.fix
    assert f"-RoleAssignee {box.app.object_id}" in found.fix
    assert "New-ManagementScope" not in found.fix


def test_an_address_that_nobody_has_proves_nothing(box: GraphMailbox) -> None:
    found = _prove(box, "nobody@elsewhere.example")
    assert not found.is_known
    assert not found.code
    assert "nobody@elsewhere.example" in found.detail
    assert "other_address" in found.detail


def test_a_second_address_of_the_same_mailbox_proves_nothing(box: GraphMailbox) -> None:
    alias = f"help@{box.tenant.domain}"
    box.microsoft.graph.add_alias(box.box, alias)
    assert not _prove(box, alias).is_known
    box.deliver(mail())
    assert not _prove(box, alias).is_known


def test_a_mailbox_of_another_tenant_proves_nothing(box: GraphMailbox) -> None:
    stranger = GraphMailbox(box.microsoft)
    assert not _prove(box, stranger.address).is_known


@pytest.mark.parametrize("reply", [Reply(403, b"<html>proxy</html>"), graph_error(400, "BadRequest", "No.")])
def test_an_answer_that_is_not_graphs_verdict_proves_nothing(box: GraphMailbox, reply: Reply) -> None:
    other = _colleague(box)
    box.microsoft.fail("folder", reply=reply, when=lambda request: other.address in request.url)
    assert not _prove(box, other.address).is_known


@pytest.mark.parametrize("reply", [Reply(503, b""), Reply(429, b"", {"Retry-After": "60"}), Reply(500, b"{}")])
def test_graph_that_is_busy_fails_no_test_and_its_words_are_told(box: GraphMailbox, reply: Reply) -> None:
    other = _colleague(box)
    box.microsoft.fail("folder", reply=reply, when=lambda request: other.address in request.url)
    found = _prove(box, other.address)
    assert not found.is_known
    assert "Microsoft 365" in found.detail


# ── addresses that are at hand ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sender", "to", "cc"),
    [
        ("ann@{0}", "x@other.example", ""),
        ("x@other.example", "Ann <ann@{0}>", ""),
        ("x@o.example", "y@o.example", "ann@{0}"),
    ],
)
def test_addresses_of_the_domain_in_the_newest_mails_are_tried(
    box: GraphMailbox, sender: str, to: str, cc: str
) -> None:
    other = _colleague(box)
    domain = box.tenant.domain
    box.deliver(mail(sender=sender.format(domain), to=to.format(domain), cc=cc.format(domain)))
    found = _prove(box)
    assert found.code == "over_privileged"
    assert other.address in found.detail


def test_the_mailbox_itself_and_other_domains_are_never_tried(box: GraphMailbox) -> None:
    box.deliver(mail(sender="ann@elsewhere.example", to=box.address.upper(), cc=f"x@sub.{box.tenant.domain}"))
    assert not _prove(box).is_known
    assert _asked(box) == []


def test_mailboxes_that_the_app_is_meant_to_read_are_not_held_against_it(box: GraphMailbox) -> None:
    meant = _colleague(box, "sales")
    box.deliver(mail(sender=meant.address))
    assert not _prove(box, meant=frozenset({meant.address})).is_known
    assert _asked(box) == []
    # Who names it wants to know.
    assert _prove(box, meant.address, frozenset({meant.address})).code == "over_privileged"


def test_whoever_is_no_mailbox_is_passed_over_for_the_next(box: GraphMailbox) -> None:
    other = _colleague(box)
    box.deliver(mail(sender=f"list@{box.tenant.domain}", to=box.address, cc=other.address))
    assert _prove(box).code == "over_privileged"
    assert _asked(box) == [f"list@{box.tenant.domain}", other.address]


def test_at_most_three_addresses_of_mails_are_tried(box: GraphMailbox) -> None:
    cc = ", ".join(f"gone{number}@{box.tenant.domain}" for number in range(20))
    box.deliver(mail(sender="x@elsewhere.example", to=box.address, cc=cc))
    found = _prove(box)
    assert not found.is_known
    assert "gone0@" in found.detail
    assert _asked(box) == [f"gone{number}@{box.tenant.domain}" for number in range(3)]
    assert box.microsoft.count() == 4


def test_an_address_that_would_lead_elsewhere_is_not_followed_and_spoils_nothing(box: GraphMailbox) -> None:
    """A stranger chooses who is in Cc."""
    other = _colleague(box)
    box.deliver(mail(sender="x@elsewhere.example", cc=f"../../beta/x@{box.tenant.domain}, {other.address}"))
    assert _prove(box).code == "over_privileged"
    assert _asked(box) == [other.address]


def test_the_proof_takes_two_requests_where_the_app_is_limited_and_changes_nothing(box: GraphMailbox) -> None:
    box.deliver(mail(sender=_colleague(box).address))
    box.app.only = {box.address}
    before = (len(box.box.changes), box.box.number)
    assert _prove(box).is_known
    assert [kind for kind, _ in box.microsoft.requests] == ["list", "folder"]
    assert {request.method for _, request in box.microsoft.requests} == {"GET"}
    assert (len(box.box.changes), box.box.number) == before


def test_no_mail_of_another_mailbox_is_read(box: GraphMailbox) -> None:
    other = _colleague(box)
    other.deliver(mail(subject="for her eyes only"), datetime.now(UTC))
    recorder = Recorder()
    assert _prove(box, other.address, watch=recorder).code == "over_privileged"
    urls = [request.url for _, request in box.microsoft.requests if other.address in request.url]
    assert urls
    assert all(url.endswith("?$select=id") for url in urls)
    assert other.address not in "\n".join(recorder.lines)


# ── the directory ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("role", ["User.Read.All", "User.ReadBasic.All", "Directory.Read.All"])
def test_an_app_that_may_list_users_tries_them(box: GraphMailbox, role: str) -> None:
    other = _colleague(box)
    box.app.roles.add(role)
    found = _prove(box)
    assert found.code == "over_privileged"
    assert other.address in found.detail


def test_an_app_that_may_not_list_users_does_not_ask(box: GraphMailbox) -> None:
    _colleague(box)
    found = _prove(box)
    assert not found.is_known
    assert "other_address" in found.detail
    assert box.microsoft.count("users") == 0


def test_the_mailboxs_own_user_is_not_tried_whatever_its_name(box: GraphMailbox) -> None:
    """The settings may name it by its user's name, which is not its address."""
    principal = f"shared-0815@{box.tenant.domain}"
    box.box.principal = principal
    box.microsoft.graph.add_alias(box.box, principal)
    box.app.roles.add("User.Read.All")
    for name in (box.address, principal):
        box.address = name
        assert not _prove(box).is_known
        assert _asked(box) == []


def test_users_are_asked_for_only_when_mails_name_nobody_who_decides_it(box: GraphMailbox) -> None:
    box.app.roles.add("User.Read.All")
    box.deliver(mail(sender=_colleague(box).address))
    assert _prove(box).code == "over_privileged"
    assert box.microsoft.count("users") == 0


def test_a_list_of_users_that_is_refused_or_makes_no_sense_proves_nothing(box: GraphMailbox) -> None:
    box.app.roles.add("User.Read.All")
    for reply in (
        graph_error(403, "Authorization_RequestDenied", "Insufficient privileges."),
        Reply(200, b'{"value": [null, 3, {"mail": null, "userPrincipalName": 5}, {"mail": "../x"}]}'),
        Reply(200, b'{"value": "x"}'),
        Reply(200, b"[]"),
    ):
        box.microsoft.fail("users", reply=reply)
        assert not _prove(box).is_known


@pytest.mark.parametrize(
    "value",
    [
        [None, 3, "x"],
        [{"from": None, "toRecipients": None, "ccRecipients": "x"}],
        [{"from": {"emailAddress": None}, "toRecipients": [None, {"emailAddress": {"address": 5}}]}],
        {"x": 1},
    ],
)
def test_a_list_of_mails_that_makes_no_sense_names_nobody(box: GraphMailbox, value: Any) -> None:
    is_newest = "ccRecipients"
    box.microsoft.fail("list", change=lambda body: {"value": value}, when=lambda request: is_newest in request.url)
    assert not _prove(box).is_known


# ── what the token says ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("limited", "other", "hinted"), [(True, True, False), (False, True, False), (False, False, True)]
)
def test_what_the_token_says_is_a_hint_only_where_nothing_was_proved(
    box: GraphMailbox, limited: bool, other: bool, hinted: bool
) -> None:
    colleague = _colleague(box)
    box.app.only = {box.address} if limited else None
    recorder = Recorder()
    _prove(box, colleague.address if other else "", watch=recorder)
    assert ("by its token" in "\n".join(recorder.lines)) == hinted


def test_of_a_person_who_signed_in_nothing_is_asked(box: GraphMailbox) -> None:
    found = _prove(box, _colleague(box).address, signed_in=lambda: True)
    assert not found.is_known
    assert "A person signed in" in found.detail
    assert box.microsoft.count() == 0


def test_a_policy_that_shuts_out_the_mailbox_itself_fails_before(box: GraphMailbox) -> None:
    box.app.only = {"else@example.com"}
    with pytest.raises(AccessDenied):
        _prove(box)


def test_the_folder_is_looked_up_where_the_list_was_never_read(box: GraphMailbox) -> None:
    other = _colleague(box)
    with box.source() as source:
        assert source.scope(other.address, NOBODY_MEANT).code == "over_privileged"


def test_a_token_that_dies_in_the_middle_is_replaced(box: GraphMailbox) -> None:
    other = _colleague(box)
    box.microsoft.fail("folder", before=box.microsoft.entra.revoke_tokens, when=lambda one: other.address in one.url)
    recorder = Recorder()
    assert _prove(box, other.address, watch=recorder).code == "over_privileged"
    assert box.microsoft.count("token") == 1
    steps = [line.partition("step: ")[2] for line in recorder.lines if "step: " in line]
    assert steps[-4:] == ["scope", "token", "scope", "permissions"]
