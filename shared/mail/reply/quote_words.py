"""The words around quotes in forty languages, as mail programs write them."""

from shared.mail.machine.notice import phrases

VERBS = phrases(
    """
    wrote | writes | has written | schrieb | schreibt | geschrieben | a écrit | écrit | écrivait | ha scritto |
    scrive | scrisse | napisał | napisała | napisano | pisze | skrev | skriver | skrevet | kirjoitti | kirjoittaa |
    schreef | schrijft | heeft geschreven | geschreven | escribió | escribio | escribe | ha escrito | escreveu |
    escreve | napsal | napsala | napsal(a) | píše | napísal | napísala | írta | ezt írta | yazdı | yazmış |
    şunu yazdı | şunları yazdı | писал | писала | писал(а) | написал | написала | написал(а) | пишет | пише |
    написав | написав(ла) | писав | написа | писа | написао | је написао | napisao | napisala | je napisao | piše |
    đã viết | viết | έγραψε | έγραφε | כתב | כתבה | כתב/ה | כתב.ה | كتب | كتبت | تمت كتابة ما يلي بواسطة | نوشت |
    نوشته است | a scris | scrie | va escriure | ha escrit | menulis | เขียนว่า | เขียน | rašė | parašė | rakstīja |
    kirjutas | ने लिखा | skrifaði | idatzi du | escribiu | shkroi | said
    """
)
""""wrote": between or behind name and date in an attribution. Whole words."""
JOINED_VERBS = phrases(
    """
    写道 | 寫道 | 写到 | 写了 | 寫了 | のメール | のメッセージ | 書きました | さんは書 | が書 | 작성 | 썼습니다 |
    님이 쓴 | 님이 보낸 | 님께서 | 쓰셨습니다 | เขียน
    """
)
"""The same in scripts without spaces between words."""
OPENERS = phrases(
    """
    on | at | am | le | el | il | il giorno | em | às | op | den | på | dne | dňa | dnia | w dniu | στις | την | на |
    в | у | vào | vào lúc | pada | pada tanggal | pada hari | בתאריך | ב | في | بتاريخ | در | در تاریخ | în |
    în data de | la | pe | v | dana | ngày | ในวันที่ | เมื่อ | mon | tue | wed | thu | fri | sat | sun | mo | di |
    mi | do | fr | sa | so | pon | wt | śr | czw | pt | sob | niedz | пн | вт | ср | чт | пт | сб | вс | нд | man |
    tir | ons | tor | fre | lør | søn
    """
)
"""Words an attribution with a date begins with."""
QUOTING = phrases(
    """
    quoting | zitat von | zitiere | citando | citando a | cytat z | cytowanie | citat från | citerar |
    mensaje citado por | selon | quotando | citerer | citaat van | citeren | цитирую | цитата | citace | missatge de |
    kasutaja | idézet | alıntı | 引用
    """
)
"""Words an attribution with a name begins with: Horde, Gmail in Catalan and Estonian."""
ORIGINAL = phrases(
    """
    original message | originalmessage | original email | original e-mail | reply message | replied message |
    ursprüngliche nachricht | originalnachricht | original-nachricht | ursprüngliche mail | ursprüngliche e-mail |
    message d'origine | message d’origine | message original | courriel original | mensaje original |
    mensagem original | messaggio originale | messaggio originario | oorspronkelijk bericht | origineel bericht |
    originalmeddelande | ursprungligt meddelande | ursprungligt mail | oprindelig meddelelse | original meddelelse |
    oprindelig besked | opprinnelig melding | original melding | alkuperäinen viesti | wiadomość oryginalna |
    oryginalna wiadomość | pierwotna wiadomość | původní zpráva | původní e-mail | pôvodná správa | eredeti üzenet |
    eredeti levél | orijinal ileti | orijinal mesaj | orjinal mesaj | özgün ileti | özgün mesaj | исходное сообщение |
    оригинальное сообщение | первоначальное сообщение | оригінальне повідомлення | вихідне повідомлення |
    початкове повідомлення | αρχικό μήνυμα | αρχικο μηνυμα | mesaj original | mesajul original | mesaj inițial |
    оригинално съобщение | първоначално съобщение | הודעה מקורית | ההודעה המקורית | الرسالة الأصلية | رسالة أصلية |
    پیام اصلی | 原始邮件 | 原始郵件 | 邮件原件 | 郵件原件 | 原邮件 | 原始信件 | 元のメッセージ |
    オリジナルメッセージ | 元のメール | 원본 메시지 | 원본 메일 | 원본메일 | 원본 메세지 | tin nhắn gốc | thư gốc |
    pesan asli | ข้อความต้นฉบับ | ข้อความเดิม | missatge original | izvorna poruka | originalna poruka |
    izvirno sporočilo | algne kiri | algne sõnum | originalus laiškas | sākotnējais ziņojums | sākotnējā vēstule |
    upprunaleg skilaboð
    """
)
"""Between dashes above an older mail."""
FORWARDED = phrases(
    """
    forwarded message | forwarded mail | forwarded by | forwarded email | weitergeleitete nachricht |
    weitergeleitete mail | message transféré | message réexpédié | courriel transféré | mensaje reenviado |
    mensagem encaminhada | mensagem reencaminhada | messaggio inoltrato | doorgestuurd bericht |
    vidarebefordrat meddelande | vidarebefordrat mail | videresendt meddelelse | videresendt melding |
    videresendt besked | videresendt mail | välitetty viesti | edelleenlähetetty viesti | przekazana wiadomość |
    wiadomość przekazana | treść przekazanej wiadomości | přeposlaná zpráva | preposlaná správa | továbbított üzenet |
    továbbított levél | yönlendirilmiş ileti | iletilen mesaj | iletilmiş mesaj | iletilen ileti |
    пересылаемое сообщение | пересланное сообщение | переадресованное сообщение | перенаправленное сообщение |
    переслане повідомлення | переслане сповіщення | προωθημένο μήνυμα | προωθούμενο μήνυμα | mesaj redirecționat |
    mesaj transmis | mesaj forwardat | препратено съобщение | הודעה שהועברה | رسالة مُعاد توجيهها |
    رسالة معاد توجيهها | الرسالة المعاد توجيهها | پیام هدایت شده | 转发的邮件 | 转发邮件 | 转发邮件信息 | 已转发邮件 |
    轉寄郵件 | 轉寄信件 | 轉寄的郵件 | 轉發郵件 | 転送されたメッセージ | 転送メッセージ | 転送メール | 전달된 메시지 |
    전달된 메일 | tin nhắn được chuyển tiếp | thư đã chuyển tiếp | thư được chuyển tiếp | pesan terusan |
    pesan yang diteruskan | ข้อความที่ส่งต่อ | missatge reenviat | proslijeđena poruka | posredovano sporočilo |
    edastatud kiri | persiųstas laiškas | pārsūtītā vēstule | pārsūtīts ziņojums
    """
)
"""Between dashes above a forwarded mail."""
APPLE_FORWARDED = phrases(
    """
    begin forwarded message | anfang der weitergeleiteten nachricht | anfang der weitergeleiteten e-mail |
    début du message réexpédié | début du message transféré | inizio messaggio inoltrato |
    inicio del mensaje reenviado | início da mensagem encaminhada | início da mensagem reencaminhada |
    begin doorgestuurd bericht | vidarebefordrat brev | start på videresendt besked | videresendt melding |
    start på videresendt melding | välitetty viesti alkaa | początek przekazywanej wiadomości |
    początek przesyłanej wiadomości | začátek přeposílané zprávy | začiatok preposlanej správy |
    továbbított levél kezdete | iletilmiş mesajın başlangıcı | начало переадресованного сообщения |
    початок листа, що пересилається | початок переадресованого повідомлення | αρχή προωθημένου μηνύματος |
    începutul mesajului redirecționat | 下面是被转发的邮件 | 開始轉寄郵件 | 以下是轉寄的郵件 | 転送されたメッセージ |
    전달된 메시지 | bắt đầu thư được chuyển tiếp | תחילת ההודעה שהועברה | بدء الرسالة المعاد توجيهها |
    inici del missatge reenviat | početak proslijeđene poruke | mulai pesan terusan
    """
)
"""Above a forwarded mail, with a colon and without dashes."""
