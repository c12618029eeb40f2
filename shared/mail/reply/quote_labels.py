"""The names of header fields in forty languages, as Outlook and others write them above an older mail."""

from shared.mail.machine.notice import phrases

NAMES = {
    "from": phrases(
        """
        from | sender | von | absender | de | expéditeur | expediteur | remitente | remetente | da | mittente | van |
        afzender | från | fra | avsändare | afsender | avsender | od | nadawca | odesílatel | odosielateľ |
        lähettäjä | feladó | kimden | gönderen | от | от кого | отправитель | від | від кого | από | αποστολέας |
        de la | expeditor | מאת | من | 发件人 | 發件人 | 寄件者 | 寄件人 | 差出人 | 送信者 | 送信元 | 보낸 사람 |
        보낸사람 | 발신 | 보낸이 | từ | người gửi | dari | pengirim | จาก | از | فرستنده | remitent | šalje |
        pošiljatelj | saatja | kellelt | no | sūtītājs | nuo | siuntėjas | frá | प्रेषक
        """
    ),
    "sent": phrases(
        """
        sent | date | sent on | received | gesendet | gesendet am | datum | envoyé | envoyé le | date d'envoi |
        date d’envoi | enviado | enviado el | enviado em | enviada | enviada em | enviada el | fecha | data |
        inviato | data invio | verzonden | verzonden op | skickat | sendt | dato | wysłano | wysłane | data wysłania |
        odesláno | odoslané | poslané | posláno | dátum | lähetetty | päivämäärä | päiväys | elküldve | küldve |
        gönderildi | gönderilme | gönderim | gönderilen | gönderme tarihi | tarih | отправлено | послано | дата |
        дата и время | надіслано | відправлено | στάλθηκε | ημερομηνία | εστάλη | trimis | dată | изпратено | נשלח |
        תאריך | تاريخ الإرسال | تم الإرسال | تاریخ | التاريخ | أرسلت | تاريخ | ارسال | ارسال شده | 发送时间 |
        發送時間 | 发送日期 | 日期 | 寄件日期 | 傳送時間 | 已发送 | 时间 | 時間 | 送信日時 | 日付 | 日時 | 送信日 |
        보낸 날짜 | 보낸날짜 | 날짜 | 일시 | 보낸 시간 | đã gửi | gửi | ngày | ngày gửi | thời gian | dikirim |
        tanggal | วันที่ | ส่ง | ส่งเมื่อ | enviat | poslano | poslato | saadetud | kuupäev | nosūtīts | datums |
        išsiųsta | दिनांक
        """
    ),
    "to": phrases(
        """
        to | an | à | a | pour | para | per a | aan | till | til | do | komu | vastaanottaja | címzett | kime |
        alıcı | кому | до | към | за | προς | către | catre | אל | إلى | الى | 收件人 | 收件者 | 宛先 | 받는 사람 |
        받는사람 | 수신 | 받는이 | đến | tới | người nhận | kepada | untuk | ถึง | به | گیرنده | prima | kam |
        kellele | saaja | adresātam | destinatario | destinataire | destinatário | empfänger | odbiorca | příjemce
        """
    ),
    "cc": phrases(
        """
        cc | kopie | kopie an | copie | copie à | copia | con copia | cópia | kopia | kopi | kopio | másolat |
        másolatot kap | bilgi | копия | копія | копие | κοιν | κοινοποίηση | kópia | kopija | dw | do wiadomości |
        抄送 | 副本 | 참조 | עותק | نسخة | đồng gửi | đồng kính gửi | tembusan | สำเนา | رونوشت | bcc | bk | koopia
        """
    ),
    "subject": phrases(
        """
        subject | betreff | betrifft | thema | objet | asunto | assunto | oggetto | onderwerp | ämne | emne | temat |
        předmět | predmet | aihe | tárgy | konu | тема | θέμα | subiect | относно | נושא | الموضوع | موضوع | 主题 |
        主題 | 主旨 | 件名 | 題名 | 제목 | chủ đề | tiêu đề | subjek | perihal | เรื่อง | assumpte | teema | temats |
        tēma | tema | zadeva | naslov | предмет | efni | sujet
        """
    ),
    "other": phrases(
        """
        reply-to | reply to | antwort an | répondre à | responder a | rispondi a | importance | wichtigkeit |
        importancia | importância | priorità | priority | priorität | priorité | prioridad | attachments |
        attachment | anlagen | anlage | anhänge | pièces jointes | archivos adjuntos | datos adjuntos | anexos |
        allegati | bijlagen | bilagor | vedhæftede filer | vedlegg | załączniki | přílohy | вложения | 附件 |
        添付ファイル | gesendet von | sent by | organization | organisation | message-id | user-agent | list-post |
        newsgroups | resent-from | mailed-by | signed-by
        """
    ),
}
ROLE_OF = {name: role for role, names in NAMES.items() for name in names}
"""The meaning of a field by its name in lower case: from, sent, to, cc, subject or other."""
