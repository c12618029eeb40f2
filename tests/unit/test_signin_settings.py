"""The app registration of the page's own sign-in, as the cloud admin sets it."""

from __future__ import annotations

import pytest

from shared.config import ConfigError, read

STORAGE = {"AzureWebJobsStorage": "x"}
GUID = "AAAAAAAA-2222-4222-8222-222222222222"


def test_without_an_id_people_sign_in_with_keys_only() -> None:
    found = read(STORAGE)
    assert (found.sign_in_client_id, found.sign_in_client_secret) == ("", "")


def test_id_and_secret_are_read_and_the_secret_is_not_shown() -> None:
    found = read({**STORAGE, "SIGN_IN_CLIENT_ID": f" {GUID} ", "SIGN_IN_CLIENT_SECRET": "the~secret's.value"})
    assert (found.sign_in_client_id, found.sign_in_client_secret) == (GUID.lower(), "the~secret's.value")
    assert "the~secret" not in repr(found)


def test_a_reference_to_a_secret_that_is_not_there_means_the_managed_identity() -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://x.vault.azure.net/secrets/sign-in-client-secret)"
    assert read({**STORAGE, "SIGN_IN_CLIENT_SECRET": reference}).sign_in_client_secret == ""


@pytest.mark.parametrize(
    "wrong", [{"SIGN_IN_CLIENT_ID": "Inbound"}, {"SIGN_IN_CLIENT_SECRET": GUID}, {"SIGN_IN_CLIENT_ID": f"{GUID}/x"}]
)
def test_what_cannot_be_names_the_setting(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        read({**STORAGE, **wrong})
