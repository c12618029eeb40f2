"""The words of automatic replies: "Automatic reply:", "Out of office", "We have received your request".

Subjects as Exchange, Outlook, Domino, GroupWise, Gmail, Zimbra, GMX and vacation programs write them, in the languages
they speak; texts as people write them for their absence. All in the form ``notice.folded`` gives.
"""

import re

from shared.mail import limits
from shared.mail.machine.notice import folded, phrases
from shared.mail.subject import plain_subject

_REPLY_WORDS = phrases(
    """
    automatic reply | automatic response | automated reply | automated response | auto reply | auto-reply |
    autoreply | auto response | auto-response | autoresponse | auto responder | auto-responder | autoresponder |
    automatic answer | auto answer | out of office autoreply | out of office auto-reply | automatische antwort |
    automatische rückantwort | automatische abwesenheitsnotiz | abwesenheitsnotiz | abwesenheitsmeldung |
    abwesenheitsbenachrichtigung | abwesenheitsnachricht | automatische beantwortung | abwesenheitsassistent |
    autoantwort | réponse automatique | message d'absence | réponse d'absence | notification d'absence |
    réponse automatisée | répondeur automatique | respuesta automática | respuesta automatica |
    contestación automática | autorespuesta | risposta automatica | risponditore | avviso di assenza |
    messaggio di assenza | resposta automática | resposta automatica | automatisch antwoord | automatische reactie |
    automatisch bericht | automatische beantwoording | afwezigheidsbericht | afwezigheidsmelding | autosvar |
    auto svar | automatiskt svar | frånvaromeddelande | automatisk svar | automatiskt meddelande | fraværsbesked |
    fraværsmelding | automaattinen vastaus | automaattivastaus | poissaoloilmoitus | poissaoloviesti | lomavastaus |
    sjálfvirkt svar | automatyczna odpowiedź | odpowiedź automatyczna | autoodpowiedź | automatická odpověď |
    autoodpověď | automatická odpoveď | automatikus válasz | automatikus üzenet | răspuns automat | raspuns automat |
    автоматичен отговор | автоматический ответ | автоответ | автоответчик | автоматична відповідь | автовідповідь |
    аутоматски одговор | automatski odgovor | samodejni odgovor | avtomatski odgovor | automatinis atsakymas |
    automātiska atbilde | automātiskā atbilde | automaatvastus | automaatne vastus | αυτόματη απάντηση |
    otomatik yanıt | otomatik cevap | מענה אוטומטי | תשובה אוטומטית | מענה אוטומאטי | رد تلقائي | الرد التلقائي |
    رد آلي | پاسخ خودکار | 自動応答 | 自動返信 | 不在通知 | 不在連絡 | 自动答复 | 自动回复 | 自動回覆 | 自動回復 |
    自動答覆 | 自動回應 | 자동 회신 | 자동회신 | 자동 응답 | 부재중 회신 | 부재 중 회신 | trả lời tự động |
    thư trả lời tự động | balasan otomatis | jawaban otomatis | balasan automatik | ตอบกลับอัตโนมัติ |
    การตอบกลับอัตโนมัติ | स्वचालित प्रत्युत्तर | स्वचालित उत्तर | resposta automàtica | erantzun automatikoa
    """
)
"""No person begins a subject with these and a colon."""

_AWAY_WORDS = phrases(
    """
    out of office | out of the office | out-of-office | out of office notification | ooo | on vacation | vacation |
    vacation reply | vacation message | away from my mail | away from the office | away notice | on leave |
    annual leave | on holiday | currently away | i am out of the office | i'm out of the office | absence | absent |
    abwesend | abwesenheit | nicht im büro | außer haus | ausser haus | im urlaub | urlaub | urlaubsmeldung |
    absent du bureau | absente du bureau | absent(e) du bureau | en congés | en congé | absence du bureau |
    absence de | hors du bureau | fuera de la oficina | fuera de oficina | ausente | ausencia | de vacaciones |
    fuori ufficio | fuori sede | assente | assenza | in ferie | ausência | ausência temporária | fora do escritório |
    ausente do escritório | de férias | afwezig | afwezigheid | niet aanwezig | niet op kantoor | op vakantie |
    frånvarande | frånvaro | ej på kontoret | inte på kontoret | på semester | ikke til stede | fravær | fraværende |
    ikke på kontoret | poissa toimistosta | poissa | lomalla | poissaolo | poza biurem | nieobecność | nieobecna |
    nieobecny | urlop | mimo kancelář | nepřítomnost | mimo kancelárie | neprítomnosť | házon kívül | távollét |
    szabadság | în afara biroului | нет на рабочем месте | отсутствую | в отпуске | вне офиса | отпуск | відсутність |
    у відпустці | извън офиса | εκτός γραφείου | ofis dışında | ofis dışındayım | izindeyim | מחוץ למשרד |
    خارج المكتب | 不在 | 休暇 | 外出 | 外出中 | 不在办公室 | 休假 | 不在辦公室 | 부재중 | 부재 중 | 휴가 | vắng mặt |
    tidak di kantor | ไม่อยู่ที่สำนักงาน | izvan ureda | auto
    """
)
"""A person may begin a subject with these: they count together with another sign."""

_RECEIVED_WORDS = phrases(
    """
    request received | ticket received | ticket created | case created | new ticket created |
    your request has been received | your ticket has been | your case has been | we received your |
    we have received your | we've received your | we got your | thank you for contacting | thanks for contacting |
    thank you for your inquiry | thank you for your enquiry | thank you for your request |
    acknowledgement of receipt | acknowledgment of receipt | your support request | your request with |
    has been received | has been created | has been opened | eingangsbestätigung | empfangsbestätigung |
    ihre anfrage | ihr ticket wurde | ihre nachricht ist | wir haben ihre | accusé de réception |
    votre demande a été | votre ticket a été | nous avons bien reçu | acuse de recibo | hemos recibido su |
    su solicitud ha sido | conferma di ricezione | abbiamo ricevuto la | recebemos sua | recebemos o seu |
    ontvangstbevestiging | wij hebben uw | vi har modtaget | vi har mottagit | vi har mottatt |
    potwierdzenie otrzymania | potvrzení přijetí | ваше обращение | ваша заявка | ваш запрос |
    お問い合わせありがとうございます | お問い合わせを受け付け | 受付完了 | 您的请求已 | 已收到您的
    """
)
"""How a ticket system's acknowledgement begins its subject (after its tag), or ends it."""

_AWAY_TEXTS = phrases(
    """
    out of the office | out of office | away from the office | away from my desk | away from my email |
    away from my e-mail | on annual leave | on vacation | on holiday | on parental leave | on maternity leave |
    on sick leave | on leave until | currently on leave | i am on leave | not in the office | not be in the office |
    i am away | i'm away | i will be away | i am currently away | no longer with the company | no longer work |
    no longer working | has left the company | limited access to e | travelling and have | traveling and have |
    limited access to my e | no access to e |
    traveling and will | i'm currently out | i am currently out | i will be out of | i am currently unavailable |
    nicht im büro | nicht im hause | außer haus | ausser haus | im urlaub | nicht am arbeitsplatz | nicht erreichbar |
    bin ich abwesend | ich bin abwesend | bin derzeit abwesend | nicht persönlich erreichbar | nicht anwesend |
    in elternzeit | nicht mehr im unternehmen | nicht mehr für | nicht persönlich beantworten | absent du bureau |
    absente du bureau | absent(e) du bureau | je suis absent | je suis actuellement absent | je serai absent |
    suis en congé | en congés | hors du bureau | absent jusqu | absente jusqu | en vacances | fuera de la oficina |
    fuera de oficina | estoy de vacaciones | estaré de vacaciones | de vacaciones hasta | me encuentro fuera |
    estoy ausente | estaré ausente | me encuentro ausente | no estaré disponible | fuori ufficio | fuori sede |
    sono in ferie | sarò in ferie | sono assente | sarò assente | assente dall'uf | fora do escritório |
    ausente do escritório | estou de férias | estarei de férias | estou ausente | estarei ausente | em férias |
    niet op kantoor | ben ik afwezig | ik ben afwezig | op vakantie | niet aanwezig | met vakantie | met verlof |
    inte på kontoret | på semester | är frånvarande | semester till | har semester | ikke på kontoret | på ferie |
    har ferie | ikke til stede | holder ferie | ute av kontoret | poissa toimistosta | olen lomalla | olen poissa |
    en ole toimistolla | vuosilomalla | poza biurem | na urlopie | jestem nieobecn | nieobecna w biurze |
    nieobecny w biurze | przebywam na urlopie | mimo kancelář | na dovolené | čerpám dovolenou | nejsem v kanceláři |
    mimo kancelárie | na dovolenke | szabadságon | házon kívül | nem vagyok az irodában | în concediu |
    nu sunt la birou | în afara biroului | нахожусь в отпуске | в отпуске | нет на рабочем месте | отсутствую |
    вне офиса | в командировке | у відпустці | відсутній | відсутня | в отпуск | извън офиса | εκτός γραφείου |
    απουσιάζω | σε άδεια | ofis dışında | izindeyim | izinde olacağım | yıllık izin | ofiste değilim | מחוץ למשרד |
    בחופשה | خارج المكتب | في إجازة | 不在にして | 不在にいた | 不在のため | 休暇をいただ | 休暇中 | 出張中 |
    席を外して | 外出中 | 不在办公室 | 休假 | 正在度假 | 出差 | 不在辦公室 | 休年假 | 부재중 | 부재 중 | 휴가 중 |
    출장 중 | đi vắng | nghỉ phép | không có mặt tại văn phòng | sedang cuti | di luar kantor |
    tidak berada di kantor | na godišnjem odmoru | na godišnjem | na dopustu | izvan ureda | puhkusel |
    kontorist ära | atostogauju | atostogose | atvaļinājumā | fora de l'oficina | de vacances | ไม่อยู่ที่สำนักงาน |
    ลาพักร้อน
    """
)

_RETURN_TEXTS = phrases(
    """
    will return | i'll be back | will be back | be back on | back in the office | returning on | returning to |
    return to the office | upon my return | when i return | on my return | when i get back | as soon as i |
    in urgent | for urgent | if urgent | if it is urgent | if this is urgent | if your matter is urgent |
    in my absence | during my absence | during this time | during this period | until | please contact |
    for immediate | need immediate | in case of emergency | not be forwarded | not forwarded | be checking |
    in dringenden | dringenden fällen | dringenden angelegenheiten | wieder erreichbar | wieder für sie da |
    wieder im büro | wieder im haus | ab dem | wenden sie sich | nicht weitergeleitet | nach meiner rückkehr |
    meine vertretung | vertretung | bis zum | bis einschließlich | en cas d'urgence | à mon retour | de retour |
    merci de contacter | veuillez contacter | jusqu'au | en mon absence | pendant mon absence | pour toute urgence |
    en caso de urgencia | para asuntos urgentes | a mi regreso | mi regreso | hasta el | durante mi ausencia |
    contactar con | contacte con | póngase en contacto | favor de contactar | per urgenze | in caso di urgenza |
    al mio rientro | fino al | rientrerò | rientro | si prega di contattare | contattare | em caso de urg |
    até o dia | até dia | ao meu retorno | meu regresso | retornarei | regresso | favor contatar | contacte |
    voor dringende | bij dringende | in dringende gevallen | tot en met | weer aanwezig | weer bereikbaar |
    weer op kantoor | neem contact op | contact opnemen | vid brådskande | brådskande | tillbaka | kontakta |
    till och med | til og med | ved hastende | haster det | tilbage | tilbake | kontakt venligst | kontakte | palaan |
    kiireellisissä | saakka | asti | ota yhteyttä | w pilnych sprawach | w sprawach pilnych | proszę o kontakt |
    wracam | powrotu | powrocie | do dnia | v naléhavých | v urgentních | kontaktujte | vrátím | návratu | v súrnych |
    vrátim | sürgős esetben | visszatér | keresse | urgențe | revin | reveni | по срочным | в срочных |
    срочным вопросам | обращайтесь | обращаться | вернусь | до возвращения | терміново | термінових | звертайтесь |
    повернусь | спешни случаи | επείγον | επιστρέψω | επιστροφή | acil durum | döndüğümde | dönüş | tarihine kadar |
    iletişime geç | במקרה דחוף | אחזור | אשוב | עד לתאריך | للأمور العاجلة | عند عودتي | سأعود | お急ぎ | 緊急 |
    戻り次第 | まで | 連絡 | ご返信 | 紧急 | 如有急事 | 尽快 | 請聯 | 请联系 | 聯絡 | 回来 | 回復您 | 回复您 | 급한 |
    긴급 | 복귀 | 연락 | 까지 | khẩn cấp | trở lại | liên hệ | mendesak | kembali | hubungi | hitnim slučajevima |
    vraćam | nujnih | vrnem | tagasi | grįšiu | atgriezīšos | en cas d'urgència | กรณีเร่งด่วน | ติดต่อ
    """
)

_MACHINE_TEXTS = phrases(
    """
    this is an automatic | this is an automated | this is an auto-generated | this is an auto generated |
    this message was automatically | this message has been automatically | this email was automatically |
    this e-mail was automatically | this mail was automatically | this message is automatically |
    this email was sent automatically | was generated automatically | was automatically generated |
    is an automatically generated | automatically generated message | automatically generated email |
    automatically generated e-mail | automatically generated notification | sent from an unattended |
    sent from an unmonitored | sent from a notification-only | unmonitored mailbox | mailbox is not monitored |
    replies to this email are not monitored | do not reply to this automatic | do not reply to this auto |
    please do not reply to this message | please do not reply to this email | please do not reply to this e-mail |
    please do not reply to this mail | please do not respond to this e | please do not reply directly |
    this mailbox does not accept | cannot receive replies | dies ist eine automatisch | dies ist eine automatische |
    diese e-mail wurde automatisch | diese nachricht wurde automatisch | diese mail wurde automatisch |
    automatisch generierte nachricht | automatisch generierte e-mail | automatisch erzeugte | automatisch erstellte |
    bitte antworten sie nicht auf diese | bitte nicht auf diese | auf diese e-mail kann nicht geantwortet |
    ceci est un message automatique | ceci est une réponse automatique | message généré automatiquement |
    e-mail automatique | merci de ne pas répondre à ce | veuillez ne pas répondre à ce | ne pas répondre à cet |
    este es un mensaje automático | este es un correo automático | mensaje generado automáticamente |
    generado de forma automática | no responda a este | por favor no responda | no conteste a este |
    questo è un messaggio automatico | messaggio generato automaticamente | si prega di non rispondere |
    non rispondere a questa | esta é uma mensagem automática | este é um e-mail automático | mensagem automática |
    favor não responder | não responda a este | dit is een automatisch | automatisch gegenereerd |
    automatisch verzonden | gelieve niet te antwoorden | niet op deze e-mail te | detta är ett automatiskt |
    detta meddelande har skickats automatiskt | dette er en automatisk | dette er en autogenereret |
    tämä on automaattinen | wiadomość wygenerowana automatycznie | wiadomość została wygenerowana automatycznie |
    prosimy nie odpowiadać | toto je automatick | vygenerován automaticky | neodpovídejte | ez egy automatikus |
    acesta este un mesaj automat | это автоматическое | сообщение создано автоматически | сформировано автоматически |
    отправлено автоматически | не отвечайте на это | это письмо отправлено автоматически | це автоматичне |
    αυτό είναι ένα αυτοματοποιημένο | bu otomatik | lütfen bu e-postayı yanıtlamayın | הודעה אוטומטית |
    هذه رسالة آلية | هذه رسالة تلقائية | 自動送信 | 自動的に送信 | 自動配信 | 自動返信 | このメールは自動 |
    このメールに返信 | 返信できません | 系统自动 | 自动发送 | 请勿回复 | 請勿回覆 | 自動發送 | 자동으로 발송 |
    자동 발송 | 발신전용 | 발신 전용 | 회신하지 | thư tự động | pesan otomatis
    """
)

_SEPARATOR = r"\s{0,3}(?:[:：;\-–—(（<\[|!]|$|\bto\b|\bfrom\b|\bfor\b|\bon\b|\bre\b|\bvon\b|\bde\b|\bder\b)"
_BRACKETS = re.compile(r"[\[(【［（〔<*][^\[\]()【】［］（）〔〕<>*]{1,60}[\])】］）〕>*]")
_TAG = re.compile(
    r"^(?:\s*(?:[\[(【{][^\]）)】}\[({]{1,60}[\])】}]|ticket\s{0,2}#?\s{0,2}\w{1,20}|#\w{1,20})\s*[:\-–]?)+",
    re.IGNORECASE,
)
_SUBJECT = 300
"""Characters of a subject in which it says what it is."""


def _starts(words: tuple[str, ...], behind: str = _SEPARATOR) -> re.Pattern[str]:
    longest_first = sorted(set(words), key=len, reverse=True)
    return re.compile(rf"\W{{0,4}}(?:{'|'.join(map(re.escape, longest_first))}){behind}")


_REPLY_START = _starts(_REPLY_WORDS)
_AWAY_START = _starts(_AWAY_WORDS)
_COLON = r"\s{0,3}(?:[:：]|$)"
_REPLY_COLON = _starts(_REPLY_WORDS, _COLON)
_AWAY_COLON = _starts(_AWAY_WORDS, _COLON)
_REPLY_SET = frozenset(_REPLY_WORDS) | {"out of office", "out of the office"}


def is_auto_reply_subject(subject: str) -> bool:
    """Whether a subject says of itself to be an automatic reply: at its start, or anywhere in brackets."""
    words = folded(subject[:_SUBJECT]).strip()
    if _REPLY_START.match(words):
        return True
    return any(match[0][1:-1].strip() in _REPLY_SET for match in _BRACKETS.finditer(words))


def without_reply_words(words: str) -> str:
    """A folded subject without "automatic reply:", "[auto-reply]" or words of absence and their colon at its start."""
    bracket = _BRACKETS.match(words)
    if bracket and bracket[0][1:-1].strip() in _REPLY_SET:
        return words[bracket.end() :].strip()
    for pattern in (_REPLY_COLON, _AWAY_COLON):
        match = pattern.match(words)
        if match:
            return words[match.end() :].strip()
    return words


def is_away_subject(subject: str) -> bool:
    """Whether a subject begins with words of absence, set off from what follows. A person's may."""
    return _AWAY_START.match(folded(subject[:_SUBJECT]).strip()) is not None


def answers_while_away(subject: str) -> bool:
    """Words of absence, a colon, and the subject of an answer: "Out of Office: Re: Quote"."""
    rest = without_reply_words(folded(subject[:_SUBJECT]).strip())
    return is_away_subject(subject) and plain_subject(rest, "\0") != rest


def is_vacation_subject(subject: str) -> bool:
    """One of the two above."""
    return is_auto_reply_subject(subject) or is_away_subject(subject)


def is_received_subject(subject: str) -> bool:
    """Whether a subject reads as a ticket system's acknowledgement: ``[Ticket#12] received: …``."""
    whole = folded(subject[:_SUBJECT]).strip()
    words = _TAG.sub("", whole).strip(" :-–")
    if words.startswith(_RECEIVED_WORDS):
        return True
    if len(words) < len(whole) and words.startswith(("received", "created", "opened", "registered", "has been")):
        return True
    return words.endswith(("has been received", "has been created", "has been opened", "was received", "received"))


def away_in(text: str) -> str | None:
    """The words of absence a text (``notice.folded``) begins with, if it also tells of return or of a deputy."""
    found = next((phrase for phrase in _AWAY_TEXTS if phrase in text[:600]), None)
    return found if found and any(phrase in text[:2000] for phrase in _RETURN_TEXTS) else None


def absence_in(text: str) -> bool:
    """Whether a text speaks of absence near its start."""
    return any(phrase in text[:1500] for phrase in _AWAY_TEXTS)


def machine_in(text: str) -> str | None:
    """The words with which a text says that a machine wrote it."""
    text = text[: limits.FIELD_BYTES]
    for phrase in _MACHINE_TEXTS:
        at = text.find(phrase)
        # "Please do not reply to this e-mail address" is a person who moved.
        if at >= 0 and not text[at + len(phrase) : at + len(phrase) + 10].startswith(
            (" address", " adress", "-adress")
        ):
            return phrase
    return None
