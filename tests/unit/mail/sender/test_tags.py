import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.sender.tags import read_tags


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", {}),
        ("v=1; a=rsa-sha256;", {"v": "1", "a": "rsa-sha256"}),
        (" v = 1 ;\r\n\tb=ab\r\n\tcd == ; ", {"v": "1", "b": "ab\r\n\tcd =="}),
        ("p=", {"p": ""}),
        ("A=1; a=2", {"A": "1", "a": "2"}),
        ("n=x=y", {"n": "x=y"}),
        (";;v=1;;", {"v": "1"}),
    ],
)
def test_a_tag_list_is_read(text: str, tags: dict[str, str]) -> None:
    assert read_tags(text) == tags


@pytest.mark.parametrize("text", ["v", "=1", "v=1; v=1", "1=2", "v w=1", "v=1; junk", "é=1"])
def test_what_is_no_tag_list_is_none(text: str) -> None:
    assert read_tags(text) is None


@given(st.text(max_size=100))
def test_any_text_is_read_without_an_error(text: str) -> None:
    tags = read_tags(text)
    assert tags is None or all(name in text and value in text for name, value in tags.items())
