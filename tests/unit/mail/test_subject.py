import pytest

from shared.mail.subject import incident_numbers, plain_subject


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        ("Re: [INC-000123] Drucker", [123]),
        ("[inc-7]", [7]),
        ("AW: [INC 000123] und [INC-000124] und [INC-123]", [123, 124]),
        ("回复：【INC-000123】打印机", [123]),
        ("［ＩＮＣ－０００１２３］", [123]),
        ("[ INC-000123 ]", [123]),
        ("[INC#12]", [12]),
        ("INC-000123 without brackets", []),
        ("[REQ-000123]", []),
        ("[Acme Helpdesk #4711]", []),
        ("Order #12", []),
        ("[INC-1234567890]", []),
        ("[INC-000000]", []),
        ("[INC-]", []),
        ("[XINC-12]", []),
        ("", []),
    ],
)
def test_numbers_are_read_only_from_our_tag_in_brackets(subject: str, numbers: list[int]) -> None:
    assert list(incident_numbers(subject)) == numbers


def test_the_prefix_is_the_tenants_own_and_never_a_pattern() -> None:
    assert incident_numbers("[HELP.DESK-5]", "help.desk") == (5,)
    assert incident_numbers("[HELPXDESK-5]", "help.desk") == ()


def test_the_count_of_numbers_is_bounded() -> None:
    assert len(incident_numbers("".join(f"[INC-{number}]" for number in range(1, 50)))) == 10


@pytest.mark.parametrize(
    ("subject", "plain"),
    [
        ("Drucker", "Drucker"),
        ("Re: Drucker", "Drucker"),
        ("RE: re: Fwd: Drucker", "Drucker"),
        ("AW: WG: Antwort: Drucker", "Drucker"),
        ("Re[2]: Re(3): Re^4: Re*5: Drucker", "Drucker"),
        ("RE : TR : Imprimante", "Imprimante"),
        ("SV: VS: VL: Skrivare", "Skrivare"),
        ("R: I: Stampante", "Stampante"),
        ("Odp: PD: Drukarka", "Drukarka"),
        ("Ynt: İlt: Yazıcı", "Yazıcı"),
        ("回复：转发：打印机", "打印机"),
        ("返信: 転送: プリンター", "プリンター"),
        ("Отв: Пересл: Принтер", "Принтер"),
        ("Re: [INC-000123] Re: Drucker", "Drucker"),
        ("Drucker [INC-000123]", "Drucker"),
        ("Report: all fine", "Report: all fine"),
        ("Drucker: Re: kaputt", "Drucker: Re: kaputt"),
        ("Rev: 3", "Rev: 3"),
        ("「Drucker」", "「Drucker」"),
        ("Re:", ""),
    ],
)
def test_prefixes_of_many_languages_and_our_tag_are_left_out(subject: str, plain: str) -> None:
    assert plain_subject(subject) == plain
