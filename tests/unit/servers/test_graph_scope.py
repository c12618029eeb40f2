"""Words for an administrator, filled in from what a token says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from shared.servers.graph_scope import limiting, roles_of

CLAIMS = {"appid": "11111111-2222", "oid": "33333333-4444", "roles": ["Mail.Read", "User.Read.All"]}


def test_only_what_opens_mailboxes_is_to_be_removed() -> None:
    words = limiting(CLAIMS, "support@acme.example", "Mail.Read")
    assert "remove the application permission Mail.Read in Entra" in words
    assert "-ObjectId 33333333-4444" in words


def test_a_token_that_cannot_be_read_leaves_places_to_fill_in() -> None:
    words = limiting({}, "support@acme.example", "Mail.Read")
    assert "-AppId <client ID> -ObjectId <object ID of the enterprise application>" in words
    assert "remove the application permission Mail.Read" in words


@pytest.mark.parametrize("text", ["x'; Remove-Mailbox *; '", 'a" b', "$(x)", "`x`", "a\nb", "ü (x)"])
def test_nothing_that_a_shell_could_read_anything_into_gets_into_a_command(text: str) -> None:
    words = limiting({**CLAIMS, "appid": text, "oid": text}, text, "Mail.Read")
    assert text not in words
    assert "'<address>'" in words


@pytest.mark.parametrize("roles", [None, "Mail.Read", 3, {}, {"Mail.Read": 1}])
def test_roles_that_are_no_list_are_none(roles: Any) -> None:
    assert roles_of({"roles": roles}) == set()
    assert roles_of({}) == set()


def test_roles_are_texts_whatever_is_in_the_list() -> None:
    assert roles_of({"roles": ["Mail.Read", 3, None]}) == {"Mail.Read", "3", "None"}
