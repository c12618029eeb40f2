import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.html.htmlscan import Scanner, read_attributes, unescape


class _Pieces:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def data(self, source: str) -> None:
        self.seen.append(source)

    def open(self, name: str, attributes: str) -> None:
        self.seen.append(f"<{name}{attributes}>")

    def close(self, name: str) -> None:
        self.seen.append(f"</{name}>")


def _scanned(source: str) -> list[str]:
    pieces = _Pieces()
    Scanner(source, pieces).run()
    return pieces.seen


@pytest.mark.parametrize(
    ("source", "pieces"),
    [
        ("a<B>c</B >", ["a", "<b>", "c", "</b>"]),
        ("<a title='>'>x", ["<a title='>'>", "x"]),
        ("a<!-- <b> -->c<!x><?y?>d", ["a", "c", "d"]),
        ("<style>a</style><script>b</script><svg><a></svg><title>c</title>d", ["d"]),
        ("<style>a", ["a"]),
        ("<a", ["<", "a"]),
        ("1<2", ["1", "<", "2"]),
    ],
)
def test_html_is_cut_into_text_and_tags(source: str, pieces: list[str]) -> None:
    assert _scanned(source) == pieces


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        (" a=b C='d' e=\"f\"", {"a": "b", "c": "d", "e": "f"}),
        (" hidden a = b", {"hidden": "", "a": "b"}),
        (" a=1 A=2", {"a": "1"}),
        (" a='&lt;&#65;'", {"a": "<A"}),
        (" title=\"href='x'\" x1=\"href='y'\"", {"title": "href='x'", "x1": "href='y'"}),
        ("/src=x/", {"src": "x/"}),
        (" a='b", {"a": "", "b": ""}),
        ("", {}),
    ],
)
def test_attributes_are_read_in_order_the_first_of_each_name(attributes: str, found: dict[str, str]) -> None:
    assert read_attributes(attributes) == found


def test_of_many_attributes_the_first_are_read() -> None:
    assert len(read_attributes("".join(f" a{number}=b" for number in range(200)))) == 100


def test_a_reference_of_any_length_is_one_letter() -> None:
    assert unescape("&#" + "9" * 100_000 + ";&#x" + "f" * 100_000 + ";&amp;") == "\ufffd\ufffd&"


@given(st.text("<>/!-'\"= ab&#;\n", max_size=80))
def test_no_letter_outside_of_tags_is_lost(source: str) -> None:
    plain = source.replace("<", "")
    assert "".join(_scanned(plain)) == plain
    assert isinstance(_scanned(source), list)
