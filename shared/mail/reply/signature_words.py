"""What mail programs, phones and virus scanners write below a mail, and how people end theirs; lower case."""

from shared.mail.machine.notice import phrases

SENT_FIRST = phrases(
    """
    sent from | sent via | sent with | sent using | sent by | gesendet von | gesendet mit | gesendet aus |
    gesendet über | diese nachricht wurde von | diese e-mail wurde von | envoyé de | envoyé depuis | envoyé à partir |
    envoyé avec | envoyé par | envoyée de | envoyée depuis | enviado desde | enviado do | enviado de |
    enviado a partir | enviado pelo | enviado com | enviado con | enviado via | enviada do | enviada de | inviato da |
    inviato dal | inviato con | inviata da | verzonden vanaf | verzonden vanuit | verzonden via | verzonden met |
    verzonden van | verstuurd vanaf | verstuurd via | verstuurd met | skickat från | skickad från | skickat med |
    sendt fra | sendt via | sendt med | wysłane z | wysłano z | wysłane za | odesláno z | odesláno ze | odeslané z |
    odoslané z | odoslané zo | lähetetty | elküldve | отправлено с | отправлено из | отправлено от | послано с |
    надіслано з | надіслано із | відправлено з | στάλθηκε από | trimis de pe | trimis de la | trimis din | trimis cu |
    изпратено от | נשלח מ | أرسل من | أرسلت من | أُرسلت من | مرسل من | تم الإرسال من | ارسال شده از | 发自 | 發自 |
    发送自 | 從我的 | 从我的 | 来自我的 | 傳送自 | 寄自 | gửi từ | đã gửi từ | được gửi từ | dikirim dari | ส่งจาก |
    enviat des | enviat amb | poslano s | poslano sa | poslano z | poslano iz | послато са | saadetud | nosūtīts no |
    išsiųsta iš
    """
)
SENT_LAST = phrases(
    """
    から送信 | より送信 | から送信されました | 에서 보냄 | 에서 전송함 | 에서 보낸 메일 | 에서 보냈습니다 |
    gönderildi | küldve | 傳送 | 发送 | 發送 | 寄出
    """
)
GERMAN_LAST = ("gesendet", "geschickt", "verschickt", "geschrieben")
"""Behind "von meinem iPhone"."""
DEVICES = phrases(
    """
    iphon | ipad | ipod | apple watch | android | blackberry | galaxy | samsung | huawei | honor | xiaomi | redmi |
    oneplus | pixel | nokia | motorola | sony | xperia | htc | oppo | vivo | realme | windows | outlook | yahoo |
    aol | proton | gmail | gmx | web.de | k-9 | bluemail | mailbird | spark | airmail | thunderbird | tutanota |
    fairemail | smartphone | mail for | mail app | mail-app | mail.ru | mobile | handy | mobiltelefon | mobiel |
    mobil | móvil | celular | cellulare | telefoon | telefon | téléphone | telefono | teléfono | telemóvel | телефон |
    айфон | смартфон | мобильн | яндекс | устройств | почт | 携帯 | 手机 | 手機 | 小米 | 华为 | 邮箱 | 휴대폰 |
    네이버 | điện thoại | tablet
    """
)
"""Anywhere in a line that begins or ends as above."""
FOOTERS = phrases(
    """
    this email has been checked for viruses by | this e-mail has been checked for viruses by |
    this email has been scanned by | this message has been scanned | diese e-mail wurde von avast | virus-free. |
    virenfrei. | l'absence de virus dans ce | garantie sans virus. | libre de virus. | virusvrij. |
    you received this message because you are subscribed to | unsubscribe from this group
    """
)
SIGN_OFFS = phrases(
    """
    mit freundlich | freundliche grüße | freundliche grüsse | freundlichen gruß | mit besten | beste grüße |
    beste grüsse | viele grüße | viele grüsse | liebe grüße | liebe grüsse | herzliche grüße | schöne grüße | mfg |
    hochachtungsvoll | regards | best regards | kind regards | kindest regards | warm regards | many regards |
    with kind regards | with best regards | sincerely | yours sincerely | yours truly | yours faithfully | cheers |
    best wishes | cordialement | bien cordialement | bien à vous | cdlt | salutations | sincères salutations |
    meilleures salutations | saludos | un saludo | atentamente | cordiali saluti | distinti saluti | saluti |
    atenciosamente | cumprimentos | com os melhores cumprimentos | met vriendelijke groet | vriendelijke groet |
    groeten | med vänlig hälsning | med vänliga hälsningar | vänliga hälsningar | mvh | med venlig hilsen |
    venlig hilsen | med vennlig hilsen | vennlig hilsen | ystävällisin terveisin | terveisin | pozdrawiam |
    z poważaniem | s pozdravem | s pozdravom | üdvözlettel | saygılarımla | iyi çalışmalar | с уважением | з повагою |
    με εκτίμηση | cu stimă | с уважение | בברכה | مع تحيات | مع أطيب التحيات | 祝好 | 此致 | 敬具 | よろしくお願い |
    감사합니다 | trân trọng | hormat saya
    """
)
