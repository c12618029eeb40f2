"""Short mails with what is new in them: shapes seen in many programs and years, and what must not be cut."""

import pytest

from shared.mail.reply.quoting import split_reply

CASES = [
    (
        "I get proper rendering.\n\nSent from a magnificent torch of pixels\n\nOn Dec 16, 2011, at 12:47 PM, Corey Donohoe\n<reply@reply.github.com>\nwrote:\n\n> Was this caching?\n",
        "I get proper rendering.",
    ),
    ("Test reply\n\n2013/1/15 Foo Bar <foo@example.com>\n\n> quote\n> more", "Test reply"),
    ("Test reply\n\n2013/1/15 <foo@example.com>\n\n> quote\n> more", "Test reply"),
    ("Reply\n\nOn 11-Apr-2011, at 6:54 PM, Bob <bob@example.com> wrote:\n\n> Hi", "Reply"),
    ("Reply\n\nOn Wed, Sep 25, 2013 at 8:57 AM, richard_5_tester\n<richard@example.com>wrote:\n\n> x", "Reply"),
    (
        "Outlook reply\n\n\n------------------------------\n*From:* GitHub [mailto:noreply@github.com]\n*Sent:* Thursday, November 2, 2011 1:01 PM\n*To:* x@y.example\n*Subject:* Re: y\n\nbody",
        "Outlook reply",
    ),
    (
        "Reply\n\nFrom: Foo <foo@x.example>\nReply-To: Bar <b@x.example>\nDate: Friday, 3 May 2021 at 10:11\nTo: a@b.example\nSubject: hi\n\nbody",
        "Reply",
    ),
    (
        "Reply\n\nFrom: Foo <foo@x.example>\n\nSent: Friday, 3 May 2021 10:11\n\nTo: a@b.example\n\nSubject: hi\n\nbody",
        "Reply",
    ),
    ("Reply\n\n> From: foo@x.example\n> Date: Mon, 3 May 2021 10:11\n> Subject: s\n> To: t\n>\n> body", "Reply"),
    (
        "Reply\n\nDate: Mon, 3 May 2021 10:11:12 +0200\nSubject: Re: foo\nFrom: foo@x.example\nTo: bar@x.example\n\nbody",
        "Reply",
    ),
    ("Reply\n\nLe 3 mai 2021 à 10:11, Jean Dupont via Discourse\n<forum@x.example> a\nécrit :\n\n> body", "Reply"),
    ("Reply\n\nEl 3 de mayo de 2021, 10:11, Anna <a@b.example> escribió:\n\nbody", "Reply"),
    (
        "Reply\n\nOp 17-feb.-2015, om 13:18 heeft Julius Caesar <pantheon@rome.example> het volgende geschreven:\n\nbody",
        "Reply",
    ),
    ("Reply\n\nDen fre. 14. feb. 2014 kl. 14.02 skrev Foo <a@b.example>:\n\nbody", "Reply"),
    ("Reply\n\nW dniu 2014-01-28 19:23, Foo Bar pisze:\n> body", "Reply"),
    ("Reply\n\nW dniu 28 stycznia 2014 19:23 użytkownik Foo <a@b.example>\nnapisał:\n\n> body", "Reply"),
    ("Reply\n\nAm 28. Januar 2014 um 19:23 schrieb Foo <a@b.example>:\n\nbody", "Reply"),
    ("Reply\n\nFoo Bar schrieb am 28.01.2014 um 19:23:\n> body", "Reply"),
    ("Reply\n\nFoo Bar schrieb am Mo., 28. Jan. 2014 um 19:23 Uhr:\n\nbody", "Reply"),
    ("Reply\n\nFoo <a@b.example> schrieb am Mo., 28. Jan. 2014, 19:23:\n\nbody", "Reply"),
    ("Reply\n\nFoo (a@b.example) wrote on 28 Jan 2014 19:23:\n\nbody", "Reply"),
    ("Reply\n\n28.01.2014 19:23, Foo Bar написал:\n> body", "Reply"),
    ("Reply\n\n2014년 1월 28일 오후 7:23, Foo <a@b.example>님의 말:\n\n> body", "Reply"),
    ("Reply\n\n2014-01-28 19:23 GMT+09:00 Foo <a@b.example>:\n\nbody", "Reply"),
    ("Reply\n\n2014-01-28 19:23 GMT+09:00 Foo <a@b.example>:\n\n> body", "Reply"),
    ("Reply\n\nOn Tuesday, January 28, 2014, Foo Bar <a@b.example> wrote:\n\n> body", "Reply"),
    ("Reply\n\nOn Tuesday, January 28, 2014, Foo Bar <a@b.example> wrote:\n\nbody", "Reply"),
    (
        "Reply\n\n-------- Original Message --------\nSubject: Re: foo\nFrom: Foo <a@b.example>\nDate: Tue, January 28, 2014 7:23 pm\nTo: bar@x.example\n\nbody",
        "Reply",
    ),
    (
        "Reply\n\n-------- Original Message --------\nSubject: \tRe: foo\nDate: \tTue, 28 Jan 2014\nFrom: \tFoo <a@b.example>\nTo: \tbar@x.example\n\n\n\n> body\n> b",
        "Reply",
    ),
    ("Reply\n\n-------- Original-Nachricht --------\n> Datum: Tue, 28 Jan 2014\n> Von: x\n> An: y\n\n> body", "Reply"),
    ("Reply\n\n---- Foo wrote ----\n\nbody", "Reply"),
    (
        'Reply\n\n----- Reply message -----\nFrom: "Foo" <a@b.example>\nTo: <x@y>\nSubject: s\nDate: Tue, Jan 28, 2014 7:23 pm\n\nbody',
        "Reply",
    ),
    ("Reply\n\n=============\nFrom: Foo\nSent: 28 Jan 2014 10:10\nTo: x\nSubject: y\n\nbody", "Reply"),
    ("Reply\n\n__________\n\nFrom: Foo\nSent: 28 Jan 2014 10:10\nTo: x\n\nbody", "Reply"),
    ("Reply\n\n-- \nSig\n\nOn 5/3/21 9:02 AM, X wrote:\n> body", "Reply"),
    ("Reply\n-- \nSig\nOn 5/3/21 9:02 AM, X wrote:\n> body", "Reply"),
    ("Reply\n\nSent from my iPhone\n\n> On 3 May 2021, at 9:02, X <a@b.example> wrote:\n> \n> body", "Reply"),
    ("Reply\n\nSent from my iPhone\n\nBegin forwarded message:\n\n> From: X\n> To: y\n\n> body", "Reply"),
    ("Reply\n\nvon meinem iPad\n\nAm 03.05.2021 um 9:02 schrieb X <a@b.example>:\n\n> body", "Reply"),
    (
        "Reply\n\nGet Outlook for Android<https://aka.ms/ghei36>\n\n________________________________\nFrom: X <a@b.example>\nSent: Monday, May 3, 2021 9:02:12 AM\nTo: y\nSubject: s\n\nbody",
        "Reply",
    ),
    (
        "Reply\n\n[cid:image001.png@01D7]\nFrom: X <a@b.example>\nSent: Monday, May 3, 2021 9:02\nTo: y\nSubject: s\n\nbody",
        "Reply\n\n[cid:image001.png@01D7]",
    ),
    (
        "Reply\n\n**From:** X <a@b.example>\n**Sent:** Monday, May 3, 2021 9:02\n**To:** y\n**Subject:** s\n\nbody",
        "Reply",
    ),
    (
        "Reply\n\nFrom: X <a@b.example> \nSent: Monday, May 3, 2021 9:02\nTo: y\nCc: z\nSubject: s\nbody goes on: here\n",
        "Reply",
    ),
    (
        "Reply\n\n-----Message d'origine-----\nDe : X [mailto:a@b.example]\nEnvoyé : lundi 3 mai 2021 09:02\nÀ : y\nObjet : s\n\nbody",
        "Reply",
    ),
    ("Reply\n\nDe: X <a@b.example>\nEnviado: lunes, 3 de mayo de 2021 9:02\nPara: y\nAsunto: s\n\nbody", "Reply"),
    ("Reply\n\nVon: X <a@b.example>\nDatum: Montag, 3. Mai 2021 um 09:02\nAn: y\nBetreff: s\n\nbody", "Reply"),
    ("> Is it on?\n\nYes.\n\n> Paper?\n\nNo.", "> Is it on?\n\nYes.\n\n> Paper?\n\nNo."),
    (
        "Hi,\n\nOn 5/3/21 9:02 AM, X wrote:\n> Is it on?\nYes.\n> Paper?\nNo.\n\nAnna",
        "Hi,\n\nOn 5/3/21 9:02 AM, X wrote:\n> Is it on?\nYes.\n> Paper?\nNo.\n\nAnna",
    ),
    ("X wrote:\n\n> Is it on?\n\nYes.", "Yes."),
    ("On 5/3/21 9:02 AM, X wrote:\n> Is it on?\n\nYes.\n\n> Thanks", "> Is it on?\n\nYes."),
    (
        "Please check the mail from\nOn 5/3/21 9:02 AM he sent it, but anna@x.example wrote:\nno.\nthanks",
        "Please check the mail from\nOn 5/3/21 9:02 AM he sent it, but anna@x.example wrote:\nno.\nthanks",
    ),
    ("Reply\n\n--\nAnna", "Reply"),
    ("Reply\n\n—\nAnna", "Reply"),
    ("Reply\n\n***\n\nmore", "Reply\n\n***\n\nmore"),
    (
        "Reply\n\nCiao\n\nInviato da iPhone\n\n> Il giorno 03 mag 2021, alle ore 09:02, X <a@b.example> ha scritto:\n> \n> body",
        "Reply\n\nCiao",
    ),
    (
        "Reply\n\nTrimis de pe telefonul meu Huawei\n\n-------- Mesaj original --------\nDe la: X\nData: 03.05.2021\nCătre: y\nSubiect: s\n\nbody",
        "Reply",
    ),
    (
        "Reply\n\nSendt fra min Samsung-enhed\n\n-------- Oprindelig besked --------\nFra: X\nDato: 03.05.2021\nTil: y\nEmne: s\n\nbody",
        "Reply",
    ),
    ("Reply\n\nSkickat från min Samsung Mobil.", "Reply"),
    ("Reply\n\nSkickat från Outlook för Android", "Reply"),
    ("Reply\n\nVerstuurd vanaf mijn Galaxy", "Reply"),
    ("Reply\n\nEnviado desde Correo para Windows", "Reply"),
    ("Reply\n\nEnvoyé à partir de Outlook pour Android", "Reply"),
    ("Reply\n\nEnvoyé de mon Galaxy de Orange", "Reply"),
    ("Reply\n\nWysłano z telefonu Samsung", "Reply"),
    ("Reply\n\nОтправлено из мобильной Почты Mail.ru", "Reply"),
    ("Reply\n\nОтправлено из мобильной Яндекс Почты", "Reply"),
    ("Reply\n\n-- \nОтправлено из Mail.ru для Android", "Reply"),
    ("Reply\n\n发自我的小米手机", "Reply"),
    ("Reply\n\n发送自 Windows 版邮件", "Reply"),
    ("Reply\n\nWindows 版の メールから送信", "Reply"),
    (
        "Reply\n\nSent from Mail for Windows 10\n\nFrom: X<mailto:a@b.example>\nSent: Monday, May 3, 2021 9:02\nTo: Y<mailto:y@b.example>\nSubject: s\n\nbody",
        "Reply",
    ),
    (
        "Reply\n\nSent from Yahoo Mail for iPhone\n\n\nOn Monday, May 3, 2021, 9:02 AM, X <a@b.example> wrote:\n\nbody",
        "Reply",
    ),
    ("Reply\n\nSent via the Samsung Galaxy S10, an AT&T 5G smartphone", "Reply"),
    ("Reply\n\nGesendet mit der GMX Mail App", "Reply"),
    ("Reply\n\nGesendet mit der WEB.DE Mail App", "Reply"),
    ("Reply\n\nGesendet mit ProtonMail Secure Email.", "Reply"),
    ("Reply\n\nDiese E-Mail wurde von Avast-Antivirussoftware auf Viren geprüft.\nwww.avast.com", "Reply"),
    (
        "Reply\n\nAm Mo., 3. Mai 2021 um 09:02 Uhr schrieb Eine Sehr Lange Namensangabe <\na.b@kunde.example>:\n\nbody",
        "Reply",
    ),
    ("Reply\n\nAm 03.05.2021 um 09:02 schrieb Support Team\n<support@desk.example>:\n\nbody", "Reply"),
    ("Reply\n\nsupport@desk.example schrieb am 03.05.2021 09:02:\n\nbody", "Reply"),
    (
        "Reply\n\nFrom:   X/Y\nTo:     Z\nDate:   03.05.2021\nSubject:        Re: z\nSent by:        W\n\n\nbody",
        "Reply",
    ),
    (
        "Hello,\n\nmy data:\nFrom: Berlin\nTo: Hamburg\nDate: 3.5.2021\n\nPlease book.",
        "Hello,\n\nmy data:\nFrom: Berlin\nTo: Hamburg\nDate: 3.5.2021\n\nPlease book.",
    ),
    (
        "Travel\n\nVon: Berlin\nNach: Hamburg\nAm: 3.5.2021\n\nBitte buchen",
        "Travel\n\nVon: Berlin\nNach: Hamburg\nAm: 3.5.2021\n\nBitte buchen",
    ),
    ("Reply\n\n| a | b |\n|---|---|\n| 1 | 2 |", "Reply\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
    ("Reply\n\nX wrote:\n| quoted\n| more", "Reply"),
    ("> a", "> a"),
    ("Hi\n\n>From the start it was broken\nreally", "Hi\n\n>From the start it was broken\nreally"),
    (
        "Thanks!\n\n*Anna*\n\n*Kunde GmbH*\n\nOn Mon, 3 May 2021 at 09:02, X <a@b.example> wrote:\n\n> body",
        "Thanks!\n\n*Anna*\n\n*Kunde GmbH*",
    ),
    ("Thanks\n\nOn Mon, May 3, 2021 at 9:02 AM X <a@b.example> wrote:\n> body\n\n\n\n-- \nAnna\nKunde", "Thanks"),
    ("ok\n\n在 2021年5月3日星期一，X <a@b.example> 写道：\n\nbody", "ok"),
    ("ok\n\n在 2021/5/3 9:02, X 写道:\n> body", "ok"),
    ("ok\n\n发件人: X <a@b.example>\n发送时间: 2021年5月3日 9:02\n收件人: y\n抄送: z\n主题: s\n\nbody", "ok"),
    ("ok\n\n> 2021/05/03 9:02、X <a@b.example>のメール:\n> \n> body", "ok"),
    ("ok\n\n2021年5月3日(月) 9:02 X <a@b.example>:\n>\n> body", "ok"),
    ("ok\n\n差出人: X <a@b.example>\n日付: 2021年5月3日 月曜日 9:02\n宛先: y\n件名: s\n\nbody", "ok"),
    (
        'ok\n\n-----Original Message-----\nFrom: "X"<a@b.example>\nTo: y\nCc:\nSent: 2021-05-03 (월) 09:02:12 (GMT+09:00)\nSubject: s\n\nbody',
        "ok",
    ),
    ("ok\n\nΣτις 3/5/21 9:02 π.μ., ο X έγραψε:\n> body", "ok"),
    ("ok\n\nNa 3.5.2021 u 9:02 X <a@b.example> je napisao/la:\n\nbody", "ok"),
    ("ok\n\nÞann mán., 3. maí 2021 kl. 09:02 skrifaði X <a@b.example>:\n\nbody", "ok"),
    ("ok\n\nIl lun 3 mag 2021, 09:02 X <a@b.example> ha scritto:\n\nbody", "ok"),
    ("ok\n\nEm seg, 3 de mai de 2021 09:02, X <a@b.example> escreveu:\n\nbody", "ok"),
    ("ok\n\nX <a@b.example> escreveu no dia segunda, 3/05/2021 à(s) 09:02:\n\nbody", "ok"),
    ("ok\n\nX <a@b.example>, 3 May 2021 Pzt, 09:02 tarihinde şunu yazdı:\n\nbody", "ok"),
    ("ok\n\n3 Mayıs 2021 Pazartesi 09:02 tarihinde X <a@b.example> yazdı:\n\nbody", "ok"),
    ("ok\n\npirmd., 2021. g. 3. maijs, plkst. 09:02 — lietotājs X (<a@b.example>) rakstīja:\n\nbody", "ok"),
    ("ok\n\nпон, 3. мај 2021. у 09:02 X <a@b.example> је написао/ла:\n\nbody", "ok"),
    ("ok\n\nसोम, 3 मई 2021 को 9:02 am बजे को X <a@b.example> ने लिखा:\n\nbody", "ok"),
    ("ok\n\nOn Mon, 3 May 2021, 09:02 X, <a@b.example> wrote:\n\nbody", "ok"),
    ('ok\n\nOn 3 May 2021 09:02, "X (Y)" <a@b.example> wrote:\n\nbody', "ok"),
    ("ok\n\nBegin forwarded message:\n\nFrom: X\nSubject: s\nDate: 3 May 2021 at 09:02:12 BST\nTo: y\n\nbody", "ok"),
    ("ok\n\n---------- Forwarded message ----------\nFrom: X\n\nbody", "ok"),
    ("ok\n\n---------- Weitergeleitete Nachricht ----------\nVon: X\n\nbody", "ok"),
    (
        "Can you help with this?\n\n---------- Original Message ----------\nFrom: X <a@b.example>\nDate: 3 May 2021\n\nbody",
        "Can you help with this?",
    ),
]


@pytest.mark.parametrize(("text", "new"), CASES)
def test_the_new_words_are_found(text: str, new: str) -> None:
    assert split_reply(text).new == new


def test_an_answer_between_quotes_keeps_the_quote_above_it_and_loses_the_attribution() -> None:
    reply = split_reply("On 5/3/21 9:02 AM, X wrote:\n> Is it on?\n\nYes.\n\n> Thanks")
    assert reply.new == "> Is it on?\n\nYes."
    assert reply.quoted == "On 5/3/21 9:02 AM, X wrote:\n> Thanks"


def test_a_long_quote_at_the_beginning_is_old_even_without_attribution() -> None:
    assert split_reply("> a line\n" * 12 + "\nYes.").new == "Yes."
    assert split_reply("> a line\n" * 11 + "\nYes.").new.startswith("> a line")


def test_only_a_subject_makes_a_sign_off_above_a_header_block_a_forward() -> None:
    text = (
        "Kind regards\nAnna\n\nFrom: B <b@kunde.example>\nSent: 3 May 2021 9:02\nTo: Anna\nSubject: Printer\n\nBroken."
    )
    assert split_reply(text, subject="FW: Printer").new == text
    assert split_reply(text, subject="RE: Printer").new == "Kind regards\nAnna"


def test_a_greeting_above_the_quote_keeps_the_quote() -> None:
    text = "Hi,\n\nOn 5/3/21 9:02 AM, X wrote:\n> Is it on?\n\nYes."
    assert split_reply(text).new == text
