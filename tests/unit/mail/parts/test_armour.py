import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.parts.armour import Opened, open_armour

SIGNATURE = "-----BEGIN PGP SIGNATURE-----\nVersion: GnuPG v2\n\niQEz\n=abcd\n-----END PGP SIGNATURE-----"
SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{}\n" + SIGNATURE
MESSAGE = "-----BEGIN PGP MESSAGE-----\nVersion: GnuPG v2\n\nhQEMA\n=abcd\n-----END PGP MESSAGE-----"


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("Hello", "Hello"),
        (SIGNED.format("Hello"), "Hello"),
        (SIGNED.format("- -----BEGIN\n- - a\n-b\n- c"), "-----BEGIN\n- a\n-b\nc"),
        ("above\n" + SIGNED.format("Hello") + "\nbelow", "above\nHello\nbelow"),
        (SIGNED.format("one") + "\n" + SIGNED.format("two"), "one\ntwo"),
        ("-----BEGIN PGP SIGNED MESSAGE-----\n\nno hash\n" + SIGNATURE, "no hash"),
        ("-----BEGIN PGP SIGNED MESSAGE-----  \nHash: SHA1\n  \nspaces\n" + SIGNATURE, "spaces"),
    ],
)
def test_signed_text_becomes_what_was_signed(text: str, opened: str) -> None:
    assert open_armour(text) == Opened(opened, ())


@pytest.mark.parametrize(
    ("text", "opened"),
    [(MESSAGE, ""), (f"Hello\n{MESSAGE}\nBye", "Hello\nBye"), (MESSAGE.replace("Version: GnuPG v2\n", ""), "")],
)
def test_an_encrypted_message_is_taken_out(text: str, opened: str) -> None:
    found = open_armour(text)
    assert found.text == opened
    assert [message.split("\n")[0] for message in found.encrypted] == ["-----BEGIN PGP MESSAGE-----"]
    assert found.encrypted[0].endswith("-----END PGP MESSAGE-----\n")


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PGP SIGNED MESSAGE-----\n\nnever ends",
        "-----BEGIN PGP MESSAGE-----\n\nnever ends",
        "-----BEGIN PGP MESSAGE-----\n\nwords of a person\n-----END PGP MESSAGE-----",
        "-----BEGIN PGP MESSAGE-----\n-----END PGP MESSAGE-----",
        "> " + MESSAGE.replace("\n", "\n> "),
        "the line -----BEGIN PGP MESSAGE----- begins it",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabcd\n-----END PGP PUBLIC KEY BLOCK-----",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert open_armour(text) == Opened(text, ())


_LINES = st.sampled_from([*MESSAGE.split("\n"), "-----BEGIN PGP SIGNED MESSAGE-----", "Hash: SHA256", "", "words"])


@given(st.lists(_LINES, max_size=40).map("\n".join))
def test_no_word_is_lost(text: str) -> None:
    found = open_armour(text)
    assert text.count("words") == "".join([found.text, *found.encrypted]).count("words")
