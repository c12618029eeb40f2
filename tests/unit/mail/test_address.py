import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail import limits
from shared.mail.address import Address, addr_spec, parse_address, parse_addresses, parse_sender, read_addresses

# From value → (name, address) as every reader must read it.
READABLE = [
    ("a@b.example", "", "a@b.example"),
    ("<a@b.example>", "", "a@b.example"),
    ("Anna <a@b.example>", "Anna", "a@b.example"),
    ("Anna<a@b.example>", "Anna", "a@b.example"),
    ('"Anna" <a@b.example>', "Anna", "a@b.example"),
    ('"Beispiel, Anna" <a@b.example>', "Beispiel, Anna", "a@b.example"),
    (r'"Anna \"A\" B" <a@b.example>', 'Anna "A" B', "a@b.example"),
    ("'Anna' <a@b.example>", "Anna", "a@b.example"),
    ("Beispiel, Anna <a@b.example>", "Beispiel, Anna", "a@b.example"),
    ("Beispiel, Anna, Dr. <a@b.example>", "Beispiel, Anna, Dr.", "a@b.example"),
    ("a@b.example (Anna)", "Anna", "a@b.example"),
    ("(Anna) a@b.example", "Anna", "a@b.example"),
    ("a@b.example (Anna (Desk))", "Anna (Desk)", "a@b.example"),
    ("Anna (Desk) <a@b.example>", "Anna (Desk)", "a@b.example"),
    ("(Anna) <a@b.example>", "Anna", "a@b.example"),
    ("Anna <a@b.example> (Desk)", "Anna", "a@b.example"),
    ("Anna < a@b.example >", "Anna", "a@b.example"),
    ('"boss@bank.example" <a@b.example>', "boss@bank.example", "a@b.example"),
    ('"a@b.example" <a@b.example>', "a@b.example", "a@b.example"),
    ("a@b.example <a@b.example>", "a@b.example", "a@b.example"),
    ("Help @ Desk <a@b.example>", "Help @ Desk", "a@b.example"),
    ("=?utf-8?Q?J=C3=BCrgen?= <a@b.example>", "Jürgen", "a@b.example"),
    ('"=?utf-8?Q?J=C3=BCrgen?=" <a@b.example>', "Jürgen", "a@b.example"),
    ("=?utf-8?Q?a=40b.example_<x?= <a@b.example>", "a@b.example <x", "a@b.example"),
    ("=?utf-8?Q?Gro=C3=9F, J.?= <a@b.example>", "Groß, J.", "a@b.example"),
    ("Jürgen Groß <a@b.example>", "Jürgen Groß", "a@b.example"),
    ("J. R. Groß <a@b.example>", "J. R. Groß", "a@b.example"),
    ("Ticket: new <a@b.example>", "Ticket: new", "a@b.example"),
    ("A@B.EXAMPLE", "", "A@b.example"),
    ("a.b+c_d-e@b.example", "", "a.b+c_d-e@b.example"),
    ("o'hara@b.example", "", "o'hara@b.example"),
    ("!#$%&'*+-/=^?_`{|}~@b.example", "", "!#$%&'*+-/=^?_`{|}~@b.example"),
    ("a..b.@docomo.example", "", "a..b.@docomo.example"),
    ('"a b"@b.example', "", '"a b"@b.example'),
    ('"a@b"@c.example', "", '"a@b"@c.example'),
    (r'"a\"b"@c.example', "", r'"a\"b"@c.example'),
    ("root@localhost", "", "root@localhost"),
    ("a@[192.0.2.1]", "", "a@[192.0.2.1]"),
    ("a@[IPv6:2001:db8::1]", "", "a@[ipv6:2001:db8::1]"),
    ("a@my_host.example", "", "a@my_host.example"),
    ("a@müller.example", "", "a@xn--mller-kva.example"),
    ("a@MÜLLER.example", "", "a@xn--mller-kva.example"),
    ("a@xn--mller-kva.example", "", "a@xn--mller-kva.example"),
    ("jürgen@b.example", "", "jürgen@b.example"),
    ("用户@例子.example", "", "用户@xn--fsqu00a.example"),
    ("Anna\u202e <a@b.example>", "Anna", "a@b.example"),
    ("  a@b.example  ", "", "a@b.example"),
    ('"" <a@b.example>', "", "a@b.example"),
]

# From values that can be read in two ways, or not at all.
REFUSED = [
    "",
    " ",
    "Anna",
    '"Anna <a@bank.example>',
    "(Anna <a@bank.example>",
    "a=?b@bank.example",
    "<>",
    "<a>",
    "a@",
    "@b.example",
    "a@b@c.example",
    "a@evil.example@bank.example",
    "<a@evil.example@bank.example>",
    "<a@evil.example> <b@bank.example>",
    "a@evil.example <b@bank.example>",
    "a@evil.example b@bank.example",
    "a@evil.example,b@bank.example",
    "a@evil.example;b@bank.example",
    "a@evil.example, Anna <b@bank.example>",
    "Anna <a@evil.example>, Bea <b@bank.example>",
    "Anna <a@evil.example",
    "a@evil.example>",
    "<<a@evil.example>>",
    "<a@evil.example>b@bank.example",
    "<a@evil.example> Anna",
    "a(comment)@bank.example",
    "a@(comment)bank.example",
    "a@bank(comment).example",
    "<a@bank.example(comment)>",
    "<(comment)a@bank.example>",
    "a @bank.example",
    "a@ bank.example",
    "a@bank .example",
    "a b@bank.example",
    "<a b@bank.example>",
    "=?utf-8?Q?boss=40bank.example?=",
    "=?utf-8?Q?boss=40bank.example?= ",
    "=?utf-8?Q?boss?=@bank.example",
    "<=?utf-8?Q?boss=40bank.example?=>",
    "<=?utf-8?Q?boss=40bank.example=3E?= @evil.example>",
    "a@=?utf-8?Q?bank.example?=",
    "=?utf-8?Q?boss=40bank.example=3E?=@evil.example",
    "Group: a@bank.example;",
    "Group: a@bank.example, b@evil.example;",
    "undisclosed-recipients:;",
    "Group:;",
    "<@relay.example:a@bank.example>",
    "<mailto:a@bank.example>",
    "mailto:a@bank.example",
    "a@bank.example.",
    "a@.bank.example",
    "a@bank..example",
    "a@-bank.example",
    "a@bank-.example",
    "a@bank.example-",
    "a@bank!example",
    "a@ba nk.example",
    "a@bank.example\x00",
    "a\x00@bank.example",
    "a\x01b@bank.example",
    "a@bank.example\\",
    "a\\@evil.example@bank.example",
    '"a@evil.example',
    '"a"b"@bank.example',
    '"a"."b"@bank.example',
    '"a"@evil.example"@bank.example',
    '"a\x00b"@bank.example',
    "a@[192.0.2.1",
    "a@[bank.example]",
    "a@192.0.2.1]",
    "a@[]",
    "a@ｂａｎｋ.example",
    "a@bank。example",
    "a@bank\u200b.example",
    "a＠evil.example@bank.example",
    "a\uff20evil.example",
    "ａ@bank.example",
    "a\u200b@bank.example",
    "a\u202e@bank.example",
    "a@☃.example",
    "a@" + "b" * 64 + ".example",
    "a@" + "b." * 130 + "example",
    "a" * 330 + "@bank.example",
    "a,b,c,d <a@bank.example>",
    "Anna, <a@bank.example>",
    ", ".join(["a"] * 1000) + " <a@bank.example>",
    "," * 1000,
    '"' * 999,
    "(" * 1000 + "a@bank.example",
    "a@bank.example\r\nFrom: b@evil.example",
]


@pytest.mark.parametrize(("value", "name", "address"), READABLE)
def test_a_sender_everyone_reads_alike_is_read(value: str, name: str, address: str) -> None:
    assert parse_sender([value]) == Address(name, address)


@pytest.mark.parametrize("value", REFUSED)
def test_a_sender_that_could_be_read_otherwise_is_none(value: str) -> None:
    assert parse_sender([value]) is None


@pytest.mark.parametrize("values", [[], ["a@b.example"] * 2, ["a@b.example", ""]])
def test_a_sender_needs_exactly_one_from_field(values: list[str]) -> None:
    assert parse_sender(values) is None


def test_a_sender_field_cut_by_the_limit_is_none() -> None:
    assert parse_sender(["a@b.example" + " " * limits.FIELD_BYTES]) is None


def test_bytes_of_an_unknown_charset_are_good_for_a_name_but_not_for_an_address() -> None:
    assert parse_sender(["Jürgen <a@b.example>".encode("latin-1")]) == Address("Jürgen", "a@b.example")
    assert parse_sender(["<jürgen@b.example>".encode("latin-1")]) is None
    assert parse_sender(["<jürgen@b.example>".encode()]) == Address("", "jürgen@b.example")


# Not the deeply nested comments: the standard library recurses (CVE-2023-36632).
_COMPARABLE = [value for value in [*(value for value, _, _ in READABLE), *REFUSED] if value.count("(") < 100]


@pytest.mark.parametrize("value", _COMPARABLE)
def test_where_the_standard_library_reads_another_address_ours_is_none(value: str) -> None:
    ours = parse_sender([value])
    theirs = email.utils.getaddresses([value])
    if ours and len(theirs) == 1 and "@" in theirs[0][1] and theirs[0][1].isascii():
        assert theirs[0][1].lower() == ours.key


@given(st.text('ab@.,;:<>()"\\ =?[]\u00fc\uff20', max_size=40))
def test_a_strict_address_has_one_at_outside_quotes_and_an_ascii_domain(value: str) -> None:
    address = parse_sender([value])
    if address:
        assert address.domain.isascii()
        assert address.domain == address.domain.lower()
        assert "@" not in address.domain
        assert addr_spec(address.address) == address.address
        local = address.address.rpartition("@")[0]
        assert "@" not in local or local.startswith('"')


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("a@x.example, b@x.example", ["a@x.example", "b@x.example"]),
        ("a@x.example; b@x.example", ["a@x.example", "b@x.example"]),
        ("a@x.example b@x.example", ["a@x.example", "b@x.example"]),
        ("<a@x.example> <b@x.example>", ["a@x.example", "b@x.example"]),
        ("Team: a@x.example, B <b@x.example>;", ["a@x.example", "b@x.example"]),
        ("Team: a@x.example;, b@x.example", ["a@x.example", "b@x.example"]),
        ("undisclosed-recipients:;", []),
        ("unlisted-recipients:; (no To-header on input)", []),
        ("nobody", []),
        ("nobody, a@x.example", ["a@x.example"]),
        ("a@x.example, <broken@>, b@x.example", ["a@x.example", "b@x.example"]),
        ("Anna <a@x.example", ["a@x.example"]),
        ("Anna <a@x.example, b@x.example", ["a@x.example", "b@x.example"]),
        ("<<a@x.example>>", ["a@x.example"]),
        ("<'a@x.example'>", ["a@x.example"]),
        ("'a@x.example'", ["a@x.example"]),
        ("mailto:a@x.example", ["a@x.example"]),
        ("<mailto:a@x.example>", ["a@x.example"]),
        ("<@relay.example,@two.example:a@x.example>", ["a@x.example"]),
        ("a (work) @x.example", ["a@x.example"]),
        ("a@x.example.", ["a@x.example"]),
        ("Anna a@x.example", ["a@x.example"]),
        ("boss@bank.example <a@x.example>", ["a@x.example"]),
        ("a@x.example, A@X.EXAMPLE", ["a@x.example"]),
        ('"a@x.example" <a@x.example>', ["a@x.example"]),
        ("a@x.example,,,;;, ,", ["a@x.example"]),
        ('"unclosed <a@x.example>, b@x.example', ["a@x.example", "b@x.example"]),
        ("(unclosed <a@x.example>, b@x.example", ["a@x.example", "b@x.example"]),
    ],
)
def test_recipients_are_read_as_far_as_possible(value: str, addresses: list[str]) -> None:
    assert [address.address for address in parse_addresses([value])] == addresses


def test_a_recipient_named_only_the_second_time_keeps_the_name() -> None:
    assert parse_addresses(["a@x.example", "Anna <a@x.example>"]) == (Address("Anna", "a@x.example"),)


def test_a_name_that_only_repeats_the_address_is_no_name() -> None:
    assert parse_addresses(["'a@x.example' <a@x.example>"]) == (Address("", "a@x.example"),)


@pytest.mark.parametrize("count", [499, 500, 501])
def test_recipients_beyond_the_limit_are_left_out_and_said_so(count: int) -> None:
    found, more = read_addresses([", ".join(f"u{number}@x.example" for number in range(count))])
    assert (len(found), more) == (min(count, limits.ADDRESSES), count > limits.ADDRESSES)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Support@Desk.Example ", "Support@desk.example"),
        ("Support <s@desk.example>", "s@desk.example"),
        ("s@müller.example", "s@xn--mller-kva.example"),
        ("s@desk.example, t@desk.example", None),
        ("desk.example", None),
        ("s@desk.example\r\nBcc: x@y.example", None),
        ("x" * 3000, None),
    ],
)
def test_an_address_typed_by_a_person_is_exactly_one(text: str, address: str | None) -> None:
    found = parse_address(text)
    assert (found.address if found else None) == address


def test_domain_and_key_are_lower_case() -> None:
    address = parse_address("Anna.B@Desk.EXAMPLE")
    assert address
    assert (address.domain, address.key) == ("desk.example", "anna.b@desk.example")
