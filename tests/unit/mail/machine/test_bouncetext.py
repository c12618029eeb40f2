import pytest

from shared.mail.machine.bouncetext import failed_recipients


def _found(
    text: str, named: tuple[str, ...] = (), known: tuple[str, ...] = (), ours: tuple[str, ...] = ()
) -> list[str]:
    return list(failed_recipients(text.split("\n"), named, known, ours))


@pytest.mark.parametrize(
    "text",
    [
        "<anna@kunde.example>: User unknown",
        "  anna@kunde.example",
        " * anna@kunde.example",
        "anna@kunde.example on Fri, 4 Oct 2002",
        "Recipient: [SMTP:anna@kunde.example]",
        "Recipient address: anna@kunde.example",
        "Unknown user: anna@kunde.example",
        "Failed Recipient: <anna@kunde.example>",
        "Empfänger: anna@kunde.example",
        "Anna<mailto:anna@kunde.example>",
        "'anna@kunde.example' on 5.3.2024",
        "c=DE;a= ;p=K;dda:SMTP=anna@kunde.example; on Fri",
        "Your message to anna@kunde.example could not be delivered.",
        "550 5.1.1 <anna@kunde.example>... User unknown",
        "to which you wrote, anna@kunde.example, is none of ours",
    ],
)
def test_the_address_is_found_where_servers_write_it(text: str) -> None:
    contact = "If in doubt ask helpdesk@kunde.example or postmaster@kunde.example.\n"
    assert _found(f"Sorry.\n\n{text}\n\n{contact}") == ["anna@kunde.example"]


def test_the_address_we_wrote_to_counts_and_not_what_it_became() -> None:
    assert _found("<a1@intern.example>\n  (expanded from: <anna@kunde.example>)\n\n550 a1@intern.example no") == [
        "anna@kunde.example"
    ]


def test_our_own_addresses_have_not_failed() -> None:
    assert _found("<support@desk.example>\n<anna@kunde.example>", ours=("support@desk.example",)) == [
        "anna@kunde.example"
    ]


def test_addresses_a_header_names_are_all_there_are() -> None:
    assert _found("<bert@kunde.example>: no", named=("anna@kunde.example",)) == ["anna@kunde.example"]


def test_where_the_text_names_nobody_the_only_recipient_of_the_original_failed() -> None:
    assert _found("Sorry.", known=("anna@kunde.example",)) == ["anna@kunde.example"]
    assert _found("Sorry.", known=("anna@kunde.example", "bert@kunde.example")) == []


def test_a_doubtful_mention_counts_only_for_a_recipient_of_the_original() -> None:
    text = "see anna@kunde.example and carl@kunde.example"
    assert _found(text, known=("carl@kunde.example",)) == ["carl@kunde.example"]


def test_each_address_has_its_own_words() -> None:
    text = "<a@b.example>:\n550 5.1.1 no user\n\n<c@d.example>:\n452 full\n"
    assert failed_recipients(text.split("\n"), (), (), ()) == {
        "a@b.example": "550 5.1.1 no user",
        "c@d.example": "452 full",
    }


def test_the_words_are_bounded() -> None:
    assert len(failed_recipients(["<a@b.example>: " + "x" * 5000], (), (), ())["a@b.example"]) == 500
