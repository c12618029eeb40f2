import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.sender.organization import aligned, ascii_domain, organizational_domain


@pytest.mark.parametrize(
    ("domain", "organization"),
    [
        ("a.example", "a.example"),
        ("x.y.a.example", "a.example"),
        ("mail.shop.co.uk", "shop.co.uk"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("mail.bob.github.io", "bob.github.io"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("192.0.2.1", "192.0.2.1"),
        ("", ""),
    ],
)
def test_the_part_that_somebody_registered_is_found(domain: str, organization: str) -> None:
    assert organizational_domain(domain) == organization


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("A.Example", "a.example"),
        ("ann@a.example", "a.example"),
        ("@a.example", "a.example"),
        ("<ann@a.example>", "a.example"),
        ("a.example.", "a.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("ann@evil.example@a.example", "a.example"),
        ("", ""),
        ("<>", ""),
        ("a b.example", ""),
        ("a..example", ""),
        ("a.example..", ""),
        ("x" * 1000, ""),
    ],
)
def test_a_domain_is_read_in_all_its_forms(text: str, domain: str) -> None:
    assert ascii_domain(text) == domain


def test_nothing_is_aligned_with_nothing() -> None:
    assert not aligned("", "")
    assert not aligned("", "a.example")


_LABELS = st.lists(
    st.sampled_from(["a", "b", "co", "uk", "github", "io", "ck", "www", "example"]), min_size=1, max_size=5
)


@given(_LABELS.map(".".join), _LABELS.map(".".join))
def test_alignment_goes_both_ways_and_only_within_one_registration(one: str, two: str) -> None:
    assert aligned(one, one)
    assert aligned(one, two) == aligned(two, one)
    assert one.endswith(organizational_domain(one))
    if aligned(one, two) and one != two:
        assert "." in organizational_domain(one)
