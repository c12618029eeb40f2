"""The digests in storage were made by the code of their day: what they are made of never changes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.html.htmldigest import html_for_digest
from shared.mail.message import content_digest, parse

CORPUS = Path(__file__).parents[3] / "corpus"

# Made before winmail.dat, S/MIME, PGP, yEnc and invitations were unpacked, and before HTML became better text.
STORED = {
    "100-winmail-html-hidden-in-rich-text": "0aede321d6e1e512083f91b3bf9a739b7df5005c230adb51c872044af1a9f75f",
    "102-winmail-with-an-attached-message": "e99a76f9eed11fb9d1d1c3fcd9bc271670f08bd9c98a14c35ef554ba7057061b",
    "110-calendar-invitation-alone": "7dc8216b5f06cb6ca6915a27333565a5269810479a4b529830d814c3c63a3f82",
    "111-calendar-invitation-beside-text": "991d8de6f5f13356c229c87537d39c4029f069710a55770e0a6caf636c3dde07",
    "116-smime-opaque-signed-in-ber": "11e19e82a5fbcbe5a4ab5a4ab5d1509ed93337881e7a6fa4ed5bae78e622a3ab",
    "118-smime-signed-twice-below-a-list-footer": "e597c49e137ba01ef6d6389a06c9154a877d532e4a15f713a94aea4c09af596d",
    "119-smime-encrypted": "c1a267746786003b6c7f7e99d82996959649410798ce0109aa5918e94547e9c1",
    "125-pgp-mime-signed": "9d7631445496bbfe23463864bb0d61b8f1d5cad2281dadf4b683c09c1a776e9b",
    "127-pgp-inline-encrypted-below-text": "de122b92c43b27b7cae529072b063a9201aa4e2e26f564f175720bca771dda4c",
    "129-yenc-file-in-the-text": "125d904fded0d02f9ff544cdbc12e047b03f8a71cf0637e72c44960f0137c73a",
    "132-html-quotes": "b7f0765c4f2a311fd5258462d719dcefea2e8878da5c33a5babd4e08f7b3c060",
    "133-html-hidden-preheader": "f5f9d40cb72708dbf89577c598c034eafdba10d7b99f602d3f176ab6549f9b6b",
    "134-html-table-with-lines": "510502c75f5f71a3a37f01f1a5a341d42a17bc4f7d2010fb3fea06dc6903c377",
    "135-html-lists-in-lists": "a8cd85e80003d5e8ad7565e1edf994224c7bf3faf122ef602f22f9e1748d97b1",
    "136-html-links-and-images": "c5d3915824e9cf5607b70a95714021fa7692432f389e9b66c0bb73ec018ceec7",
    "59-apple-text-image-text": "c5332df40a37a260eee792f29a24afa8d8f5230b36271027a979909e72b1b1f2",
    "61-image-in-the-html": "b9c6f6014ebf0894e07e3af682a9e639bccaa2a6ac608233ba0e89f10ba26caa",
    "64-calendar-and-csv-are-files": "d6f7649f77e44fd6e33ca7c41b07bb530284b28325f51bbf68bfa3bb3a6b4685",
    "67-signed-mail": "4381b036ec5f410004c00ce6659aaa3833c579213caa1c2ef6a63e7ac1d4f7c2",
    "90-uuencoded-file-in-the-text": "4881a63634529e836ac8fdce29a0717c6c080e08e8e8c315bcd2d607d39bd210",
    "94-winmail-with-a-file": "3d78bc3b75f8c90f708191d65b3f501c4d6fa2787ccbea2b598cd0f1361f4c88",
    "98-winmail-body-as-html": "3ed9c82c6727130f3b364d174be9534bbc9f95943e33ca1eed1dc395c6e5de7c",
    "99-winmail-body-as-rich-text": "71d6ad3bc3004c1b6a87cd33fac1ee63121cf65f082cb4be20ea2f8efbc8acbe",
}


@pytest.mark.parametrize("name", STORED)
def test_a_mail_that_is_delivered_again_after_an_update_is_known(name: str) -> None:
    assert content_digest(parse((CORPUS / f"{name}.eml").read_bytes())) == STORED[name]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>a</p><blockquote>b</blockquote>c", "a\n\nb\nc"),
        ("<ul><li>a<ul><li>b</ul></ul><ol><li>c</ol>", "- a\n- b\n1. c"),
        ("<table border=1><tr><th>a<th>b</table>", "a b"),
        ('<div style="display:none">a</div>b', "a\nb"),
        ('<img alt="Logo"><img alt="😀">a', "😀a"),
        ('<a href="https://x.example/a">here</a> <a href="https://x.example">x.example</a>', "here <https://x.example/a> x.example"),
        ('<a href="javascript:x">a</a><a href=mailto:a@x.example>b</a>', "ab <mailto:a@x.example>"),
        ("a<hr>b<br>c<pre> d\n e</pre>", "a\n\n---\n\nb\nc\n\n d\n e"),
        ("a&nbsp;&amp;&#99999999999;<style>b</style><!-- c --><script>d", "a &\ufffdd"),
        ("a < b <", "a < b <"),
        ("  a  &nbsp;&nbsp;<br>b", "a\nb"),
    ],
)  # fmt: skip
def test_html_is_flattened_as_it_always_was(source: str, text: str) -> None:
    assert html_for_digest(source) == text


@given(st.text("<>/!-'\"= abp&#;x\n", max_size=80))
def test_any_text_is_some_html(source: str) -> None:
    assert isinstance(html_for_digest(source), str)
