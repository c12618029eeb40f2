import pytest

from shared.mail.reply.signature import is_mobile_signature, is_sign_off, signature_start


@pytest.mark.parametrize(
    "line",
    [
        "Sent from my iPhone",
        "*Sent from my iPad*",
        "Sent from Outlook for Android<https://aka.ms/AAb9ysg>",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Get BlueMail for Android",
        "Sent with Proton Mail secure email.",
        "Sent via the Samsung Galaxy S10, an AT&T 5G smartphone",
        "Von meinem iPhone gesendet",
        "Von meinem/meiner Galaxy gesendet",
        "Gesendet von Mail für Windows",
        "Gesendet mit der GMX Mail App",
        "Holen Sie sich Outlook für iOS",
        "Diese Nachricht wurde von meinem Android-Mobiltelefon mit K-9 Mail gesendet.",
        "Envoyé de mon iPhone",
        "Envoyé à partir de Outlook pour Android",
        "Inviato da iPhone",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone",
        "Verstuurd vanaf mijn iPhone",
        "Skickat från min iPhone",
        "Sendt fra min iPhone",
        "Lähetetty iPhonesta",
        "Wysłane z iPhone'a",
        "Odesláno z iPhonu",
        "Odoslané z iPhonu",
        "Az iPhone-omról küldve",
        "iPhone'umdan gönderildi",
        "Отправлено с iPhone",
        "Отправлено из мобильной Яндекс Почты",
        "Надіслано з iPhone",
        "Στάλθηκε από το iPhone μου",
        "Trimis de pe iPhone-ul meu",
        "Изпратено от моя iPhone",
        "נשלח מה-iPhone שלי",
        "أُرسلت من الـ iPhone",
        "iPhoneから送信",
        "发自我的 iPhone",
        "從我的 iPhone 傳送",
        "나의 iPhone에서 보냄",
        "Đã gửi từ iPhone của tôi",
        "Dikirim dari iPhone saya",
        "Enviat des del meu iPhone",
        "Poslano s mojeg iPhonea",
    ],
)
def test_the_line_of_a_phone_or_a_program_is_known(line: str) -> None:
    assert is_mobile_signature(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Sent from my office in Berlin",
        "I have sent it from my iPhone",
        "Get Windows 11 to work, please",
        "Von meinem Handy ging es auch nicht",
        "Ich habe es per Handy geschickt",
        "Sent from my phone in the train, where I sat with Bernd and Carla and wrote all of this down",
        "iPhone",
        "x" * 5000,
    ],
)
def test_a_sentence_is_no_signature(line: str) -> None:
    assert not is_mobile_signature(line)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a\n-- \nAnna", 1),
        ("a\n--\nAnna", 1),
        ("a\n—\nAnna", 1),
        ("a\n-- \n" + "b\n" * 39 + "c", 1),
        ("a\n--\n" + "b\n" * 14 + "c", 1),
        ("a\n\nSent from my iPhone\n", 1),
        ("a\n-- \nAnna\n\nSent from my iPhone", 1),
        ("a\n\nSent from my iPhone\n\n-- \nAnna", 1),
        ("a\n\nSent from my beautiful typewriter", 1),
        ("a\nThis email has been checked for viruses by Avast.\nwww.avast.com", 1),
        ("a\n" + "_" * 47 + "\nlist mailing list\nhttps://lists.example/mailman/listinfo/list", 1),
        ("-- \n2.30.1", 0),
    ],
)
def test_the_signature_at_the_end_is_found(text: str, start: int) -> None:
    lines = text.split("\n")
    assert signature_start(lines, 0, len(lines)) == start


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "a\n--\n" + "b\n" * 16 + "c",
        "@@ -1,3 +1,2 @@\n a\n-- \n-b\n+c",
        "SELECT 1;\n--\n-- two\nSELECT 2;",
        "a\n-----\nb",
        "a\n" + "_" * 47 + "\nb",
        "Sent from my iPhone\nis what it said",
        "my parcel was\nSent from my office",
    ],
)
def test_lines_that_look_like_a_signature_stay(text: str) -> None:
    lines = text.split("\n")
    assert signature_start(lines, 0, len(lines)) == len(lines)


def test_a_patch_ends_with_a_signature() -> None:
    lines = ["@@ -1,3 +1,2 @@", " a", "-b", "+c", "-- ", "2.30.1"]
    assert signature_start(lines, 0, len(lines)) == 4


def test_a_sign_off_is_known_in_many_languages() -> None:
    assert is_sign_off("Mit freundlichen Grüßen")
    assert is_sign_off("Kind regards,")
    assert is_sign_off("С уважением,")
    assert not is_sign_off("Kindly help me")
