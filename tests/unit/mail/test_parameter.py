import pytest

from shared.mail.parameter import Parameters


@pytest.mark.parametrize(
    ("value", "main", "name", "text"),
    [
        (b"text/plain", "text/plain", "charset", ""),
        (b"Text/Plain; Charset=UTF-8", "text/plain", "charset", "UTF-8"),
        (b'text/plain; charset="utf-8"', "text/plain", "charset", "utf-8"),
        (b"text/plain (plain text); charset=utf-8 (note)", "text/plain", "charset", "utf-8"),
        (b"(a (b) c) text/plain", "text/plain", "charset", ""),
        (b"text/plain;;;; charset = utf-8 ;", "text/plain", "charset", "utf-8"),
        (b"text/plain; charset=a; charset=b", "text/plain", "charset", "a"),
        (b'a/b; name="x;y.pdf"', "a/b", "name", "x;y.pdf"),
        (b'a/b; name="say \\"hi\\".pdf"', "a/b", "name", 'say "hi".pdf'),
        (b'a/b; name="C:\\temp\\new.pdf"', "a/b", "name", "C:\\temp\\new.pdf"),
        (b'a/b; name="never closed.pdf', "a/b", "name", '"never closed.pdf'),
        (b"a/b; name=a (1).pdf", "a/b", "name", "a (1).pdf"),
        (b"a/b; name=a(1)(2).pdf; x=y", "a/b", "name", "a(1)(2).pdf"),
        (b"a/b; name=a=b.pdf", "a/b", "name", "a=b.pdf"),
        (b'a/b; name="=?utf-8?Q?=C3=BC.pdf?="', "a/b", "name", "ü.pdf"),
        (b"a/b; name==?utf-8?Q?=C3=BC.pdf?=", "a/b", "name", "ü.pdf"),
        (b'a/b; name="=?utf-8?Q?=C3=BC?=\r\n =?utf-8?Q?.pdf?="', "a/b", "name", "ü.pdf"),
        ("a/b; name=ü.pdf".encode(), "a/b", "name", "ü.pdf"),
        ("a/b; name=ü.pdf".encode("latin-1"), "a/b", "name", "ü.pdf"),
        (b"a/b; name*=utf-8''%C3%BC.pdf", "a/b", "name", "ü.pdf"),
        (b"a/b; name*=utf-8'de'%C3%BC%27.pdf", "a/b", "name", "ü'.pdf"),
        (b"a/b; name*=''%C3%BC.pdf", "a/b", "name", "ü.pdf"),
        (b"a/b; name*=%C3%BC.pdf", "a/b", "name", "ü.pdf"),
        (b"a/b; name*=\"utf-8''%C3%BC.pdf\"", "a/b", "name", "ü.pdf"),
        (b"a/b; name=old.pdf; name*=utf-8''new.pdf", "a/b", "name", "new.pdf"),
        (b"a/b; name*1=b.pdf; name*0=a", "a/b", "name", "ab.pdf"),
        (b"a/b; name*0*=utf-8''%C3%BC; name*1=\" b\"; name*2*=%C3%BC", "a/b", "name", "ü bü"),
        (b"a/b; name*0*=utf-8''%C3; name*1*=%BC", "a/b", "name", "ü"),
        (b"a/b; name=x; name*0=a; name*1=b", "a/b", "name", "ab"),
        (b"a/b; name*1=only.pdf", "a/b", "name", "only.pdf"),
        (b"a/b; name*x=a.pdf", "a/b", "name", ""),
        (b"a/b; name", "a/b", "name", ""),
        (b"", "", "name", ""),
        (b";", "", "name", ""),
        (b"a/b; name*=iso-2022-jp''%1B%24B%FF", "a/b", "name", "$Bÿ"),
        (b"a/b; name*=punycode''a-b", "a/b", "name", "a-b"),
        (b'a/b; name="a\x00\x07b"', "a/b", "name", "ab"),
    ],
)
def test_parameters_are_read_in_all_their_spellings(value: bytes, main: str, name: str, text: str) -> None:
    parameters = Parameters(value)
    assert (parameters.value, parameters.text(name)) == (main, text)


def test_a_raw_parameter_is_the_bytes_that_were_sent() -> None:
    assert Parameters(b'multipart/mixed; boundary="=?x?q?\xfc?="').raw("boundary") == "=?x?q?\xfc?="


def test_the_hint_says_the_charset_of_raw_names() -> None:
    assert Parameters("a/b; name=发票.pdf".encode("gbk"), "gb2312").text("name") == "发票.pdf"
