"""What a server's words mean where it gives no enhanced status code.

The codes are RFC 3463's (section 3) and its registry's; the words those of Postfix, Exim, Sendmail, qmail, Exchange,
Domino, Courier, Gmail, Yahoo, AOL, GMX, Orange, Mail.ru and others.
"""

from shared.mail.machine.notice import phrases

MEANINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "5.2.2",
        phrases(
            """
            mailbox full | mailbox is full | mailbox was full | mailfolder is full | inbox is full | inbox full |
            over quota | overquota | over the quota | over disk quota | over its quota | over the allowed quota |
            quota exceed | quota is exceeded | quota limit | exceeded quota | exceeded his quota |
            exceeded its quota | exceeded the quota | exceeded storage | exceeds storage | exceeding quota |
            exceed the quota | exceed mailbox quota | exceeded email quota | exceeded allowed storage |
            exhausted allowed storage | storage quota | storage limit | out of storage | mailbox size limit |
            mailbox exceeds | mailbox has exceeded | not enough storage space | no space left on device |
            insufficient disk space | postfach voll | postfach ist voll | postfach des empfängers ist voll |
            speicherplatz | boîte aux lettres est pleine | boîte aux lettres pleine | buzón está lleno | buzón lleno |
            casella piena | casella di posta piena | caixa postal cheia | 容量 | 空间已满 | переполнен
            """
        ),
    ),
    (
        "5.2.1",
        phrases(
            """
            account has been disabled | account is disabled | account disabled |
            account that you tried to reach is disabled | mailbox disabled | mailbox is disabled |
            mailbox is inactive | mailbox inactive | inactive user | account inactive | account is inactive |
            account is not active | not an active address | account has been suspended | account suspended |
            account is suspended | mailbox temporarily disabled | user is inactive | account is locked |
            account expired | disabled or discontinued | deaktiviert | заблокирован
            """
        ),
    ),
    (
        "5.1.2",
        phrases(
            """
            host unknown | unknown host | host not found | unknown domain | domain not found | no such domain |
            no such host | domain does not exist | domain name not found | name service error |
            name or service not known | unrouteable mail domain | unrouteable address | unroutable address |
            unroutable domain | couldn't find any host | can't find any host | could not find a gateway |
            non-existent hosts | nonexistent domain | no mx or a records | lookup failed: nxdomain |
            couldn't be found or is misspelled | invalid domain | does not appear to be registered
            """
        ),
    ),
    (
        "5.1.1",
        phrases(
            """
            user unknown | unknown user | no such user | user not found | user does not exist | user doesn't exist |
            user doesn't have a | not a known user | not our customer | unknown recipient | recipient unknown |
            recipient not found | recipientnotfound | recipnotfound | no such recipient | invalid recipient |
            recipient does not exist | recipient name is not recognized | recipient address rejected |
            not a valid recipient | no valid recipient | unknown address | address unknown | address not found |
            address couldn't be found | address you entered couldn't be found | address does not exist |
            address doesn't exist | address was not found | no such address | no such mailbox | no such account |
            no such person | no mailbox here | no mailbox by that name | mailbox not found | mailbox does not exist |
            mailbox doesn't exist | mailbox unavailable | mailbox unknown | mailbox not available | unknown mailbox |
            not a valid mailbox | unknown local part | unknown local-part | unknown or illegal | invalid mailbox |
            invalid user | invalid address | account does not exist | account doesn't exist |
            account that you tried to reach does not exist | account not found | addressee unknown | delivery userid |
            not listed in domino directory | not listed in public name & address book | not listed in |
            does not exist here | user account is unavailable | unable to find the recipient | wasn't found at |
            user is unknown | username doesn't exist | does not exist | doesn't exist | mailbox name |
            empfänger unbekannt | unbekannter empfänger | empfänger existiert nicht | adresse existiert nicht |
            konnte nicht gefunden werden | wurde nicht gefunden | utilisateur inconnu | destinataire inconnu |
            adresse inconnue | n'existe pas | introuvable | no existe | usuario desconocido | no se encuentra |
            no se ha encontrado | no se encontró | utente sconosciuto | destinatario sconosciuto |
            indirizzo inesistente | non esiste | usuário desconhecido | não existe | não foi encontrado |
            niet gevonden | bestaat niet | nie istnieje | не существует | не найден | user terminated |
            見つかりません | 存在しません | 不存在 | 존재하지
            """
        ),
    ),
    (
        "5.4.6",
        phrases(
            """
            too many hops | mail loop | loops back to myself | too many received | hop count exceeded | routing loop |
            forwarding loop | loop detected
            """
        ),
    ),
    (
        "5.3.4",
        phrases(
            """
            message size exceeds | message too large | message too big | message is too large | message is too big |
            message file too big | maximum message size | exceeds size limit | exceeded the maximum size |
            exceeds the maximum size | larger than the current system limit | nachricht ist zu groß
            """
        ),
    ),
    (
        "5.7.1",
        phrases(
            """
            relaying denied | relay access denied | relay denied | relaying not allowed | relay not permitted |
            not permitted to relay | unable to relay | blacklist | blocklist | blocked using | block list |
            rejected for policy | policy reasons | policy violation | access denied | access restricted |
            not authorized | not authorised | permission to post | permission to send | does not have permission |
            prohibited attachment | content rejected | rejected by content | abgelehnt | as spam | considered spam |
            spam message | spam content | spam detected | spam score | is spam | spam filter | looks like spam |
            be spam | spam or | a virus | virus found | virus detected | infected
            """
        ),
    ),
    (
        "4.4.7",
        phrases(
            """
            queue too long | queue period | retry timeout exceeded | retry time not reached | delivery time expired |
            message expired | message timed out | delivery timed out | maximum time in queue | too long in the queue |
            retention time
            """
        ),
    ),
    (
        "4.4.1",
        phrases(
            """
            connection timed out | connection refused | connection was refused | connection dropped |
            connection reset | no answer from host | could not connect | couldn't connect | unable to connect |
            wasn't able to establish an smtp connection | network is unreachable | no route to host | not responding |
            did not respond | operation timed out | connect timeout
            """
        ),
    ),
)
"""Enhanced status codes and the words that mean them, the first that is found. In the form of ``notice.folded``."""
