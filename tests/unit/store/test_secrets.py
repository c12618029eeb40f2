from __future__ import annotations

import base64
import itertools
import stat
from pathlib import Path

import pytest

from shared.config import ConfigError
from shared.errors import InboundError
from shared.store.secrets import KeyFile, TableSecrets
from tests.support.memory import MemoryTables

PLACES = [("acme.1", "support", "password"), ("other.1", "sales", "client_secret")]


@pytest.fixture
def secrets(tmp_path: Path) -> TableSecrets:
    return TableSecrets(MemoryTables(), KeyFile(tmp_path / "key"))


@pytest.mark.parametrize("text", ["", "x", "pass word", "pässwörd😀", "x" * 5000, "\x00\n"])
def test_a_sealed_text_opens_in_its_place(secrets: TableSecrets, text: str) -> None:
    sealed = secrets.seal("acme.1", "support", "password", text)
    assert secrets.open("acme.1", "support", "password", sealed) == text
    assert len(text) < 8 or text not in sealed


def test_the_same_text_is_sealed_differently_each_time(secrets: TableSecrets) -> None:
    assert len({secrets.seal("acme.1", "support", "password", "x") for _ in range(50)}) == 50


@pytest.mark.parametrize(
    "place", [place for place in itertools.product(*zip(*PLACES, strict=True)) if place != PLACES[0]], ids=str
)
def test_a_sealed_text_opens_for_no_other_tenant_mailbox_or_field(
    secrets: TableSecrets, place: tuple[str, str, str]
) -> None:
    sealed = secrets.seal(*PLACES[0], "the secret")
    with pytest.raises(InboundError):
        secrets.open(*place, sealed)


def test_a_sealed_text_that_was_altered_anywhere_does_not_open(secrets: TableSecrets) -> None:
    raw = base64.b64decode(secrets.seal("acme.1", "support", "password", "the secret"))
    for at in range(len(raw)):
        altered = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(InboundError):
            secrets.open("acme.1", "support", "password", base64.b64encode(altered).decode())


def test_two_processes_with_one_key_file_and_storage_read_each_other(tmp_path: Path) -> None:
    tables = MemoryTables()
    one, other = (TableSecrets(tables, KeyFile(tmp_path / "key")) for _ in range(2))
    assert other.open("t.1", "m", "f", one.seal("t.1", "m", "f", "x")) == "x"
    assert one.open("t.1", "m", "f", other.seal("t.1", "m", "f", "y")) == "y"
    assert one.app_key("sessions") == other.app_key("sessions")


def test_a_key_of_the_app_is_the_same_for_ever_and_another_for_each_purpose(secrets: TableSecrets) -> None:
    assert secrets.app_key("sessions") == secrets.app_key("sessions") != secrets.app_key("tokens")
    assert len(secrets.app_key("sessions")) == 32


def test_tenants_do_not_share_a_data_key(tmp_path: Path) -> None:
    tables = MemoryTables()
    secrets = TableSecrets(tables, KeyFile(tmp_path / "key"))
    for tenant in ("acme.1", "acme.2", "other.1"):
        secrets.seal(tenant, "m", "f", "x")
    secrets.app_key("sessions")
    assert {key for _, partition, key in tables.rows if partition == "data-key"} == {
        "acme.1",
        "acme.2",
        "other.1",
        "app",
    }
    assert len({value for value, _ in tables.rows.values()}) == 4


def test_without_its_data_key_a_secret_is_lost_for_good(tmp_path: Path) -> None:
    tables = MemoryTables()
    sealed = TableSecrets(tables, KeyFile(tmp_path / "key")).seal("t.1", "m", "f", "x")
    tables.rows.clear()
    with pytest.raises(InboundError):
        TableSecrets(tables, KeyFile(tmp_path / "key")).open("t.1", "m", "f", sealed)


def test_the_key_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "key"
    KeyFile(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(base64.b64decode(path.read_text())) == 32
    before = path.read_bytes()
    KeyFile(path)
    assert path.read_bytes() == before


def test_another_key_file_says_so(tmp_path: Path) -> None:
    tables = MemoryTables()
    TableSecrets(tables, KeyFile(tmp_path / "key")).seal("t.1", "m", "f", "x")
    with pytest.raises(ConfigError, match="KEY_FILE"):
        TableSecrets(tables, KeyFile(tmp_path / "other")).seal("t.1", "m", "f", "x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"abc",
        b"abcde",
        b"not base64!",
        b"\xff\xfe",
        base64.b64encode(b"x" * 31),
        base64.b64encode(b"x" * 33),
    ],
)
def test_a_key_file_with_something_else_in_it_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="KEY_FILE"):
        KeyFile(path)
    assert path.read_bytes() == content
