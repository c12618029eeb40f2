import pytest

from shared.mail.machine.fingerprint import subject_fingerprint


@pytest.mark.parametrize(
    "subject",
    [
        "Printer jams",
        "Re: Printer jams",
        "AW: WG: Re[3]: Printer jams",
        "Automated Response: Re: Automated Response: Re: Printer jams",
        "Automatic reply: [INC-000042] Printer jams",
        "[Ticket#2024030510000018] RE: Printer jams",
        "Re: [Acme Helpdesk #4711] Printer  jams",
        "(Case 12345) printer jams!!",
        "Out of Office: Re: Printer jams",
        "Printer jams (ref:00D20abc.5002:ref)",
        "Réponse automatique : Printer jams",
        "Request #99: Re: Printer jams",
        "【自動返信】Re: Printer jams",
    ],
)
def test_what_machines_change_in_a_subject_does_not_count(subject: str) -> None:
    assert subject_fingerprint(subject) == "printerjams"


def test_numbers_do_not_count_wherever_they_stand() -> None:
    assert subject_fingerprint("Order 12 of 2024-03-05") == subject_fingerprint("Order 13 of 2024-03-06")


def test_other_words_make_another_fingerprint() -> None:
    assert subject_fingerprint("Printer jams") != subject_fingerprint("Printer burns")


def test_a_subject_of_prefixes_and_numbers_is_empty() -> None:
    assert subject_fingerprint("Re: Re: [#12] 4711") == ""
    assert subject_fingerprint("") == ""


def test_a_long_chain_of_prefixes_ends() -> None:
    assert len(subject_fingerprint("Automatic reply: Re: " * 5000 + "x")) < 20
    assert subject_fingerprint("Automatic reply: Re: " * 40 + "Printer") == "printer"
