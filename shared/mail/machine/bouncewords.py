"""The words of reports: who sends them, what their subjects and texts say. All in the form ``notice.folded`` gives.

Postfix, Exim, Sendmail, qmail, Courier, Exchange, Domino, GroupWise, MailEnable, MDaemon, IMail, Gmail, Yahoo, AOL,
GMX, WEB.DE, T-Online, Orange, Mail.ru, Yandex, NetEase, Mimecast, Proofpoint, Barracuda and others, and the
languages Exchange speaks.
"""

from shared.mail.machine.notice import phrases

DAEMON_LOCALS = frozenset(
    [
        "mailer-daemon",
        "mailerdaemon",
        "mailer_daemon",
        "mailer.daemon",
        "mail-daemon",
        "maildaemon",
        "mail_daemon",
        "mdaemon",
        "postmaster",
        "post-master",
        "mail.delivery.system",
        "mail-delivery-system",
        "mail-delivery-subsystem",
        "maildelivery",
        "mail-delivery",
        "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e",
        "microsoftexchange",
        "mailsystem",
        "bounce",
        "bounces",
        "mailbounce",
        "delivery-failure",
        "undeliverable",
        "smtpdaemon",
        "smtp-daemon",
        "mail_delivery_subsystem",
    ]
)
"""Local parts of the senders of reports, in lower case."""

DAEMON_NAMES = phrases(
    """
    mailer-daemon | mailer daemon | mail delivery sub | mail delivery system | mail delivery service |
    mail delivery daemon | mail delivery agent | maildelivery | mail administrator | mail system admin |
    email administrator | system administrator | systemadministrator | administrateur système |
    administrador del sistema | amministratore di sistema | internet mail delivery | email delivery system |
    mailsystem | postmaster | microsoft exchange | microsoft outlook | mail-daemon | zustellsystem | mail router |
    smtp server
    """
)
"""Display names of such senders."""

FAILED_SUBJECTS = phrases(
    """
    undeliver | undelivrable | non-deliver | nondeliver | nondelivery | not deliverable | not delivered |
    couldn't be delivered | could not be delivered | cannot be delivered | can't be delivered | unable to deliver |
    delivery failed | delivery fail | delivery has failed | delivery unsuccessful | delivery problem |
    delivery error | delivery report | delivery status notification | delivery notification | delivery status |
    failed delivery | failed mail | failed message | failure notice | failure notification | failure delivery |
    mail failure | mail failed | mail error | mail system error | mail delivery problem |
    message status - undeliverable | mail not delivered | error sending | error delivering | error de entrega |
    returned mail | returned message | return mail | returned to sender | returned email |
    returning message to sender | bounced mail | bounced message | mail bounce | email bounce | email rejected |
    mail rejected | message rejected | rejected message | user unknown | invalid address | rejected mail | dsn: |
    ndn: | unzustellbar | nicht zustellbar | nicht zugestellt | zustellung fehlgeschlagen |
    fehler bei der zustellung | zustellfehler | unzustellbarkeit | rücksendung | non remis | non-remis |
    non distribu | non délivr | échec de la remise | échec de remise | échec de la distribution |
    no se puede entregar | no se pudo entregar | no entregado | no entregable | correo devuelto | mensaje devuelto |
    impossibile recapitare | mancato recapito | recapito non riuscito | non recapitabile | mancata consegna |
    não entregue | não é possível entregar | não foi possível entregar | falha na entrega | falha no envio |
    niet te bezorgen | onbestelbaar | niet afgeleverd | niet bezorgd | kan inte levereras | kunde inte levereras |
    ikke leveres | olevererbar | levering mislykkedes | kan ikke leveres | ei voida toimittaa | toimitus epäonnistui |
    nie można dostarczyć | niedostarczon | nie dostarczono | zwrot wiadomości | nelze doručit | nedoručitelná |
    nedoručené | kézbesíthetetlen | kézbesítés sikertelen | teslim edilemedi | teslim edilemiyor | iletilemedi |
    не доставлено | недоставлен | невозможно доставить | не удалось доставить | недоставка | не вдалося доставити |
    αδύνατη η παράδοση | 配信不能 | 配信できません | 配信に失敗 | 送信できません | メールエラー | 不达 | 未送达 |
    無法傳遞 | 无法送达 | 无法投递 | 未传递 | 未傳遞 | 退信 | 系统退信 | 投递失败 | 배달되지 않음 | 배달되지 않 |
    전송 실패 | 반송 | לא ניתן למסור | تعذر التسليم | gửi không thành công
    """
)

FAILED_TEXTS = phrases(
    """
    could not be delivered | couldn't be delivered | cannot be delivered | can not be delivered | can't be delivered |
    was not delivered | wasn't delivered | were not delivered | has not been delivered to | not be delivered |
    undeliverable | undelivered | did not reach the following recipient | did not reach its destination |
    didn't reach | delivery has failed | delivery failed | delivery to the following recipient |
    delivery to the following address | delivery to these recipients | delivery failure | failed to deliver |
    failure to deliver | failed permanently | following address(es) failed | following addresses failed |
    following recipients failed | following recipient(s) could not | following recipients could not |
    following destination addresses were unknown | permanent fatal errors | permanent error | permanent failure |
    fatal errors | unable to deliver | wasn't able to deliver | was unable to deliver | not able to deliver |
    not able to be delivered | could not deliver | couldn't deliver | cannot deliver | error delivering |
    error while delivering | error occurred while trying to deliver | problem delivering | problems delivering |
    returned to you | returned to sender | returned below | has been returned | being returned | this is a bounce |
    bounced | did not accept | was rejected by | has been rejected | rejected for the following reason |
    rejected your message | message rejected | user unknown | unknown user | unknown recipient | no such user |
    recipient does not exist | mailbox is full | mailbox full | over quota | transcript of session follows |
    remote host said | recipient address rejected | reason for failure | failed recipients | failed addresses |
    message expired | undeliverable to the following | may not exist, or you may not have permission |
    won't be able to deliver | konnte nicht zugestellt werden | konnten nicht zugestellt werden |
    nicht zugestellt werden | nicht zustellbar | unzustellbar | wurde nicht zugestellt |
    fehler bei der nachrichtenzustellung | fehler bei der zustellung | zustellung an folgende empfänger |
    ist fehlgeschlagen | empfänger nicht erreicht | hat folgende empfänger nicht erreicht | nicht übermittelt werden |
    n'a pas pu être remis | n'a pas pu être délivré | n'a pas pu être distribué | n'a pas pu être transmis |
    n'a pas pu être livré | n'a pas été remis | n'a pas été délivré | n'a pas atteint | échec de la remise |
    impossible de remettre | impossible de délivrer | impossible de distribuer | no se pudo entregar |
    no se puede entregar | no se ha podido entregar | no pudo ser entregado | no ha podido ser entregado |
    error de entrega | error en la entrega | no llegó a | impossibile recapitare | impossibile consegnare |
    non è stato possibile recapitare | non è stato possibile consegnare | non è stato recapitato |
    recapito non riuscito | non recapitato | não foi possível entregar | não pôde ser entregue |
    não pode ser entregue | falha na entrega | kan niet worden bezorgd | kon niet worden bezorgd |
    kan niet worden afgeleverd | kon niet worden afgeleverd | bezorging is mislukt | bezorgen is mislukt |
    kunde inte levereras | kan inte levereras | kunne ikke leveres | kan ikke leveres | leveringen mislykkedes |
    ei voitu toimittaa | toimitus epäonnistui | nie można dostarczyć | nie mogła zostać dostarczona |
    nie została dostarczona | nie powiodło się dostarczenie | nelze doručit | nebylo možné doručit |
    se nepodařilo doručit | nem sikerült kézbesíteni | nem kézbesíthető | teslim edilemedi | iletilemedi |
    не удалось доставить | не может быть доставлено | не было доставлено | не доставлено | невозможно доставить |
    сбой доставки | 配信できませんでした | 配信に失敗 | 配信不能 | 送信できませんでした | 届けることができません |
    お届けできません | 传递失败 | 无法传递 | 无法送达 | 无法投递 | 未能送达 | 投递失败 | 退信 | 無法傳遞 | 無法遞送 |
    배달하지 못했습니다 | 배달되지 못했습니다 | 배달할 수 없 | 전달되지 못했습니다 | 전송에 실패 | לא ניתן היה למסור |
    تعذر تسليم
    """
)

FINAL = phrases(
    """
    permanent error | permanent failure | permanent fatal | failed permanently | giving up | given up | gave up |
    could not be delivered to | returned to sender | returned to you
    """
)
"""Words that make a failure final although the text tells of delays, too."""

DELAYED = phrases(
    """
    delivery status notification (delay | has not yet been delivered | not yet been delivered |
    not been delivered yet | still undelivered | delivery is delayed | delivery has been delayed | delivery delayed |
    delayed mail | delivery delay | has been delayed | is delayed | message delayed | delayed: |
    warning: could not send message for past | warning: message still undelivered | this is a warning message only |
    transient non-fatal errors | will be retried | will keep trying | will continue to try |
    will continue to attempt | continue to be attempted | delivery attempts will continue |
    trying to deliver your message | temporary problem delivering | temporarily undeliverable | will retry for |
    gmail will retry | no action is required on your part | you do not need to resend your message | verzögert |
    zustellung wird weiter | noch nicht zugestellt | a été retardé | est retardé | retardé: | se ha retrasado |
    retrasado: | in ritardo | ritardato: | atrasado: | vertraagd | försenad | forsinket | opóźnion | zpožděn |
    задержан | отложено | 遅延 | 延迟 | 延遲 | 지연
    """
)

DELIVERED = phrases(
    """
    delivery status notification (success | delivery status notification (relay | successful mail delivery report |
    successfully delivered | was successfully relayed | successfully relayed | has been delivered to the following |
    has been successfully delivered | have been successfully delivered | has been delivered successfully |
    was delivered to the following | was delivered to the recipient | delivered: | relayed: | zugestellt: |
    erfolgreich zugestellt | weitergeleitet: | remis : | entregado: | retransmitido: | recapitato: | bezorgd: |
    配信済み | 已送达
    """
)

READ_SUBJECTS = phrases(
    """
    read: | return receipt | read receipt | disposition notification | message disposition | gelesen: |
    lesebestätigung | empfangsbestätigung (angezeigt) | lu : | lu: | accusé de lecture | confirmation de lecture |
    leído: | confirmación de lectura | letto: | conferma di lettura | lida: | lido: | confirmação de leitura |
    gelezen: | leesbevestiging | läst: | läskvitto | læst: | lest: | luettu: | przeczytano: | odczytano: | přečteno: |
    прочтено: | прочитано: | 開封済み | 开封 | 已读 | 讀取 | 읽음:
    """
)
READ_TEXTS = phrases(
    """
    was read on | was displayed on | has been displayed on | has been read | was displayed on the recipient |
    return receipt for the mail that you sent | this is a return receipt | message has been displayed |
    wurde gelesen | gelesen am | wurde auf dem bildschirm | a été lu | lu le | affiché sur l'ordinateur | se leyó el |
    ha sido leído | è stato letto | stato visualizzato | foi lida em | is gelezen op | lästes | blev læst |
    została przeczytana | 開封されました | 已于 | 읽었습니다
    """
)

YOUR_MESSAGE = phrases(
    """
    your message | return receipt | mail that you sent | ihre nachricht | ihre mail | votre message | su mensaje |
    il messaggio | il tuo messaggio | sua mensagem | uw bericht | je bericht | ditt meddelande | din meddelelse |
    viestisi | twoja wiadomość | vaše zpráva | ваше сообщение | メッセージ | 您的邮件 | 메시지
    """
)
"""What a read receipt is about; without it, a subject such as "Read: …" is somebody's request."""
