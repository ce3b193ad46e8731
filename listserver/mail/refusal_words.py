"""The phrases by which mail systems refuse, by what they mean, in the languages they speak.

Collected from what the programs are documented to say and from what they say in the wild. A phrase here is matched
inside of case-folded text without addresses and URLs; those that are short or part of other words stand at word borders.
"""

from __future__ import annotations

import re


class Words:
    """Phrases of one meaning, compiled once into one alternation: looking them up is linear in the text."""

    def __init__(self, inside: str, whole: str = "") -> None:
        branches = [re.escape(each) for each in _split(inside)]
        if whole:
            branches.append(rf"(?<!\w)(?:{'|'.join(re.escape(each) for each in _split(whole))})(?!\w)")
        self._expression = re.compile("|".join(branches))

    def search(self, words: str) -> bool:
        """Whether any of the phrases stands in a text."""
        return self._expression.search(words) is not None

    def position(self, words: str) -> int:
        """Where the first of them stands, -1 for nowhere."""
        match = self._expression.search(words)
        return match.start() if match else -1


def _split(phrases: str) -> list[str]:
    return [each for each in (" ".join(piece.split()) for piece in phrases.replace("\n", "|").split("|")) if each]


FULL = Words(
    """
    full mailbox | mailbox full | mailbox is full | mailboxfull | mail box is full | mail box full | mbox full
    inbox is full | inbox full
    mailbox was full | mailbox almost full | mailfolder is full | mail folder is full | account is full | account full
    box is full | message store full | mail store full | user is full | folder is full | disk full | disk is full
    over quota | overquota | over its quota | over his quota | over their quota | above quota | quota exceed | exceeded quota
    quota violation | quota full | quota has been | quota is full | quota reached | disk quota | mailbox quota | exceeds quota
    exceed the quota | exceed quota | exceeded its quota | exceeded their quota | exceeded his quota | exceeded the quota
    exceeds the quota | exceeded their allocated | over the quota | over the allowed quota | out of quota | beyond quota
    exceeded storage | exceed storage | exceeded its storage | exceeded their storage | storage limit | storage quota
    exceeded its disk | exceeded their disk | disk space | insufficient storage | insufficient space
    insufficient system storage
    not enough storage | not enough space | not enough disk | no space left | out of disk | out of space | out of storage
    lack of space | lacks space | low on space | insufficient disk
    mailbox size limit | mailbox exceed | mailbox has exceed | mailbox is over | mailbox over | mailbox too large
    mailbox would exceed | exceeded maximum mailbox | maximum mailbox size | exceed mailbox | exceeded mailbox
    exceeding mailbox | size of mailbox | mailbox limit | storage space | storage allocation | storagelimit
    account is over | account over | user over | user is over | has too many messages | too many messages on
    too many messages in | too much mail data | exceeded allocated storage | no room in | mailbox capacity
    postfach ist voll | postfach voll | postfachs ist voll | speicherplatz | postfach überfüllt | postfach ist überfüllt
    zuviele mails | zu viele mails | zu viele nachrichten | kontingent | quote überschritten | quota überschritten
    postfachgröße | postfachspeicher
    boîte pleine | boite pleine | boîte aux lettres pleine | boite aux lettres pleine | boîte est pleine | boite est pleine
    est pleine | quota dépassé | quota depasse | quota atteint | dépassé son quota | espace disque | plus de place
    buzón lleno | buzon lleno | está lleno | esta lleno | está llena | cuota | sin espacio | espacio insuficiente
    caixa postal cheia | caixa cheia | está cheia | caixa de correio cheia | quota excedida | cota excedida
    casella piena | è piena | e' piena | casella è piena | spazio esaurito | casella postale piena | superato la quota
    mailbox vol | postvak vol | postvak is vol | is vol | mailbox is vol | skrzynka pełna | jest pełna
    przepełnion | przekroczon
    brevlådan är full | postlådan är full | postkassen er fuld | postkassen er full
    переполнен | ящик полон | квота | kota aşıldı | kutusu dolu
    邮箱已满 | 信箱已满 | 郵箱已滿 | 信箱已滿 | 邮箱空间不足 | 空间不足 | 空間不足 | 超出容量 | 容量已满
    超过配额 | 超出配额 | 配额
    いっぱい | 満杯 | 容量を超 | 容量超過 | 容量不足 | 容量オーバー | 용량 초과 | 편지함이 가득
    enough space | space has been used | used up | pleine | system full | mailbox data
    """,
    "over-quota|mailbox-full|quota",
)

UNKNOWN = Words(
    """
    user unknown | unknown user | unknown recipient | recipient unknown | unknown local | unknown address | address unknown
    unknown account | account unknown | addressee unknown | unknown mailbox | mailbox unknown
    unknown or illegal | unknown alias
    unknown virtual | unknown customer | unknown to address | unknown rcpt | unknown person | userunknown | unknownuser
    user not known | user is unknown | recipient is unknown | is unknown at | is unknown to | unknown in | name unknown
    no such user | no such recipient | no such mailbox | no such address | no such account | no such person | no such local
    no such mail | no such email | no such e-mail | no such name | no such id | no such alias | no such a user | nosuchuser
    no such member | no account by that name | no account | no user | no mailbox | no mail box | no valid recipient
    no valid address | no recipient | no matches to nameserver | no one by that name | no person by that name | no local mailbox
    not such user | not exist | doesn't exist | don't exist | does not have an account | does not have a final
    doesn't have a
    do not exist | nonexistent | non-existent | non existent | not existing | doesn´t exist | doesnt exist
    invalid recipient | invalid mailbox | invalid address | invalid user | invalid email | invalid e-mail | invalid final
    invalid account | invalid local | invalid-recipient | recipient invalid | recipient is invalid | address is invalid
    address invalid | invalid rcpt | illegal user | illegal alias | illegal recipient | user invalid | invalid alias
    bad destination | bad address | bad recipient | bad user | bad mailbox | badrcptto | bad-recipient | incorrect address
    recipient rejected | recipient address rejected | recipient refused | recipients rejected | rejected recipient
    recipient denied | mailbox unavailable | mailbox is unavailable | mailbox not available | mailbox not found
    mailbox could not be found | mailbox does not | unavailable mailbox | unavailable user | mailbox is not available
    mail-box not found | mailbox wasn't found | mailbox cannot be found | mailbox was not found | destination mailbox
    user not found | user was not found | user could not be found | user couldn't be found | recipient not found
    address not found | account not found | not found in directory | recipientnotfound | not found by smtp address lookup
    email address could not be found | address couldn't be found | address could not be found | address wasn't found
    recipient could not be found | recipient was not found | name was not found | cannot be found | was not found at
    address was not found | wasn't found at | couldn't be found at | could not be found at | cannot find the recipient
    not found on | account that you tried to reach | account does not
    not a valid | not a known | not valid user | not a local | not a recipient | not a user | not an active | not a registered
    not our customer | not our user | not known here | not known at | not known | not recognized | not recognised
    not listed in | isn't listed in | not listed | not registered | not active | not activated | not in our
    not on this system | not served here | not here | not handled here | not local | is not in the | not a mailbox
    not valid recipient | not accepted here | not an account | not unique in directory | not in directory
    no longer | nolonger | has moved | user has left | has left | moved to | address has changed | old address
    inactive | deactivated | de-activated | disabled | suspended | discontinued | account closed
    account is closed | been closed
    terminated | cancelled | canceled | account has expired | account expired | mailbox expired | user expired | been deleted
    been removed | locked out | account locked | is locked | frozen | on hold | unplugged | out of service | abandoned | dormant
    deliver to this user | unroutable address | unrouteable address | unrouteable mail | unroutable mail | undeliverable address
    address rejected | rejected address | does not like recipient | can't create user | unable to find | could not find
    couldn't find | cannot find | unable to relay recipient in non-accepted | unable to deliver to
    delivery to this address | user doesn't have | user does not | mailbox name not allowed
    is not a valid | malformed address | requested action not taken: mailbox | recipient verify | verification failed for
    syntax error in mailbox | ambiguous | misspelled | mistyped | name is not recognized | not an email
    unbekannt | existiert nicht | nicht bekannt | nicht gefunden | ungültige e | ungültige a | ungültiger | kein empfänger
    nicht vorhanden | keine mailbox | kein postfach | nicht mehr gültig | nicht zugestellt werden, da | gibt es nicht
    nicht erreichbar unter | wurde deaktiviert | ist gesperrt | adresse ist ungültig | ungueltig | kein benutzer
    inconnu | n'existe pas | n'existe plus | introuvable | adresse invalide | inexistant | non valide | n’existe pas
    pas été trouvé | pas été trouvée | désactivé | n'est pas valide | destinataire invalide | adresse erronée
    desconocid | no existe | no se encontró | no se encontro | no se ha encontrado | no se pudo encontrar | inexistente
    dirección incorrecta | dirección no válida | direccion no valida | no encontrad | no es válida | no válid
    não existe | nao existe | desconhecid | não encontrad | nao encontrad | inválid | não foi encontrad
    sconosciuto | sconosciuta | non esiste | inesistente | non trovat | non valido | non è stato trovato | disabilitat
    onbekend | bestaat niet | niet gevonden | niet bekend | ongeldig | kan niet worden gevonden
    nie istnieje | nieznan | nie znaleziono | brak takiego | nie ma takiego | niedostepne | niedostępne | nieprawidłow
    okänd | finns inte | finns ej | ogiltig | ukendt | findes ikke | ukjent | finnes ikke | tuntematon | ei löydy | neexistuje
    nem létezik | ismeretlen | nu există | άγνωστος | δεν υπάρχει
    не существует | не найден | неизвестн | нет такого | заблокирован | отключен | недействител | bulunamadı | mevcut değil
    不存在 | 未找到 | 无此用户 | 無此 | 没有找到 | 找不到 | 没有此 | 查無 | 无法找到 | 無法找到 | 地址错误
    地址有误 | 禁用 | 停用 | 用户被锁
    存在しません | 存在しない | 見つかりません | 見つかりませんでした | 不明です | 宛先不明 | 該当する | 無効
    有効ではありません
    존재하지 | 찾을 수 없 | 없는 사용자
    """,
    "unknown|nouser|nobody here|user not|recipient not",
)

NO_DOMAIN = Words(
    """
    host unknown | unknown host | host not found | hostnotfound | domain not found | no such domain | unknown domain
    domain unknown | no such host | name or service not known | could not be resolved | couldn't find any host
    couldn't find a mail exchanger | cannot resolve | can't resolve | unable to resolve | could not resolve | no mx | mx record
    name service error | dns error | dns lookup fail | dns failure | dns server | nxdomain | doesn't exist in dns | bad domain
    illegal host | malformed dns | nullmx | null mx | does not accept mail | domain does not | invalid domain | domain is not
    no mail server | no mail host | domain name system | domain lookup | non-existent hosts | does not resolve
    unrouteable domain | unroutable domain | host or domain name not found | domain unrouteable | no route found to domain
    domain name not found | unresolvable | domain not exist | no mail exchanger | lookup failed | host lookup did not
    bad host/domain | no relevant mx | unable to lookup | address family | domain couldn't be found | domain has expired
    domain expired | wrong domain
    域名不存在 | 无法解析 | 找不到域 | ドメインが
    """
)

SPAM = Words(
    """
    spam | junk mail | junk email | junk e-mail | unsolicited | bulk mail | bulk email | bulk e-mail | blacklist | black list
    blocklist | block list | block-list | blocked using | dnsbl | dns-bl | dnswl | rbldns | spamhaus | spamcop | sorbs
    barracuda | uribl | surbl | reputation | sender policy | senderid | sender id | domainkeys | dnsrbl
    senderbase | senderscore
    policy reasons | policy violation | policy restrict | policy rejection | local policy | security polic | content polic
    usage polic
    mail polic | email polic | email policies | site policy | server policy | spf check | dmarc polic | due to policy
    due to content | content reject | content filter | content restrict | message content | mail content | unacceptable content
    contains a virus | virus-infected | virus found | virus detected | infected with | malware | phishing
    malicious | suspicious
    attachment type | attachment not | attachment is not | attachment with | file type | filetype | executable | forbidden file
    banned | prohibited | prohibition | breaches | violates | violation | complaint | abuse | abusive
    is blocked | been blocked | blocked by | blocked for | was blocked | message blocked | mail blocked | ip blocked
    blocked your
    blocked due | are blocked | blocked because | currently blocked | sender blocked | blocked sender | host blocked
    blocked from
    blocked at | blocking mail | connection blocked | block mail | blocked mail
    mail from your | mail from this | mail from that | from your ip | your ip | your host | your mail server | your mta
    your email has been rejected | your network | your domain | your isp | ip address has been | ip address is | ip address was
    ip address you | sending ip | sender ip | bad ip | client host | helo | ehlo | reverse dns | reverse lookup
    reverse-dns | ptr record | rdns
    no ptr | does not match your ip | not allowed from your | refused mail | refused by | listed in | listed at | listed by
    listed on | currently listed | is listed | dynamic ip | dynamic address | dynamic/ | dialup | dial-up | residential ip
    not accepting mail | not accepting messages | requires confirmation | sender rejected | sender denied
    sender address rejected | sender refused | sender verify | sender verification
    sender is not | sender was rejected | invalid sender | sender domain | sender not | domain of sender | sender's domain
    sender email address | bad sender | rejected sender | from address is | forged | spoof | does not designate | not designate
    not authorized to send | not authorised to send | not permitted to send | not allowed to send | only accepts mail
    only accepts email | does not want | doesn't want | don't want | not wanted | unwanted | tmda | challenge | pre-approved
    whitelist | white list | not accepting mail from | not accepting messages from | won't accept mail from | deny message
    message rejected | message was rejected | message refused | mail rejected | mail refused | message has been rejected
    rejected by | rejected due | reject by | rejected because | rejected for | message filtered | filtered by | body filter
    administrator prohibits | filter reject | filter rule | filtering | delivery not authorized | not authorized | authorization
    authentication | authenticated | unauthenticated | not authenticated | fingerprint | header error | badly formatted
    consider yourself | poor reputation | low reputation | reputaion | trustworthy | not trusted | too many invalid
    too many unknown | greet | rate of unsolicited | unacceptable mail | unacceptable message | suspected
    als spam | unerwünscht | werbung | abgelehnt, weil | richtlinie | courrier indésirable | indésirable | politique de
    correo no deseado | política de | politica de | política | indesiderata | ongewenst | niechcian
    спам | запрещен | политик | 垃圾邮件 | 垃圾郵件 | 黑名单 | 反垃圾 | 拒收 | 拒绝接收 | 被拒绝 | 频率限制
    迷惑メール | 受信拒否 | 스팸
    """,
    "spf|dkim|dmarc|arf|rbl|rbls|dul|ptr|cbl|xbl|pbl|zen|virus|viruses|bl",
)

POLICY = Words(
    """
    relay denied | relaying denied | relay access | unable to relay | cannot relay | can't relay | relay not | relaying not
    not permitted to relay | no relaying | not relay | open relay | relaying is | relay is | relaying to | relaying mail
    not a relay | use me as a relay | not gateway | rcpthosts | relaying prohibited | do not relay | won't relay | relay for
    mail relay | relay from | trying to use me
    administratively | administrative prohib | access denied | access is denied | not allowed | not permitted
    permission denied
    permission | restricted | restriction | delivery restrict | requires that | not authorised | denied by | security
    subscribers only | members only | non-member | nonmember | moderat | members are allowed | not a member | approved
    policy | transaction failed | rejected by filter | filter | conversion | unsupported | syntax error | bare lf
    bare cr
    lone cr | line too long | 8bit | mime
    as a relay | not a gateway | configured to relay | handle mail for | rcpthost | illegal attachment | other attachments
    mailing list | not subscribed
    captcha | batv | backscatter | bogus mail | third-party | not owned by | organizational settings
    organisational settings | header are | improper
    base64 encoding | binary content | multiple addresses | emetteur | unroutable sender | from: domain | list of senders
    low priority | submit messages
    """
)

GREY = Words("greylist | graylist | grey list | gray list | grey-list | temporarily deferred due to user complaints")

SIZE = Words(
    """
    message too large | message too big | message is too large | message is too big | mail too large | mail too big | too large
    message size | maximum size | size limit | sizelimit | maximum message | maximum allowed size | exceeds limit
    exceeded limit | file size
    larger than | length of message | message length | exceeds size | exceeding size | message exceed | exceeds the maximum
    exceeds maximum | oversize | too big | fixed limit | size of the message | message file too big | exceeded the maximum
    maximum file size | max message size | over size | maximal size | msg too big | size exceed
    zu groß | zu gross | trop volumineux | trop gros | trop grand | demasiado grande | excede el tamaño | muito grande
    troppo grande
    te groot | för stor | zbyt duż | слишком большой | 邮件过大 | 郵件過大 | 邮件大小 | 超过大小 | サイズ | 大きすぎ
    taille limite | taille maximale | header size
    """
)

UNREACHED = Words(
    """
    timed out | timeout | time out | time-out | connection refused | could not connect | unable to connect | can't connect
    cannot connect
    couldn't connect | unable to contact | connection lost | lost connection
    connection dropped | connection closed | connection reset | connection failed
    connection died | connection terminated | network is unreachable | network unreachable | no route to host | host is down
    host unreachable | host is unreachable | not responding | no answer | no response | did not respond | didn't respond
    failed to connect
    temporar | try again | try later | please retry | retry time | delivery time expired | expired | too long
    queue too long | been in the queue | undelivered for | loop | too many hops | hop count | hops | resources
    too many connections
    too many concurrent | too many sessions | rate limit | ratelimit | rate exceed | throttl | too fast | too frequent
    local error
    i/o error | input/output | configuration | misconfig | server error | internal error | system error | internal server
    software error | error in processing | local problem | service unavailable | service not available
    service is unavailable | currently unavailable | not available
    shutting down | deferred | overload | busy | load average | unexpected | protocol error | broken pipe | tls | starttls | ssl
    certificate | stopped trying | not able to reach | could not be reached | couldn't be reached | unreachable
    unable to reach
    been failing | failing for a long time | not been collected | unreachable for too long | message delivery has been
    too many recipients | too many messages
     limit exceeded | can't open | cannot open | can't create
    cannot create | failed to open | lock file | read-only | stale | out of memory | no such file or directory
    child status | signal
    exit status | command died | command failed | pipe to | transport
    zeitüberschreitung | nicht erreichbar | vorübergehend | délai dépassé | délai d'attente | temporairement
    tiempo de espera | temporalmente
    tempo scaduto | temporaneamente | temporariamente | временно | 超时 | 暂时 | 连接失败 | 连接超时 | 重试
    タイムアウト | 一時的 | 接続できません
    name lookup failure | lookup failure | name server reply | not reachable | multiple retries | numerous attempts
    connection limit | per hour
    emails per | too many smtp | trop de connexions | system call | write error | config error | encountered an error
    delivered for more than | gateway for
    """
)

# The mail is still on its way: a warning only. What gives up says so, too, and is no warning.
LATE = Words(
    """
    will be retried | will keep trying | will retry | continue trying | continue to try | continuing to try | keep retrying
    still being retried | still trying | will continue | not yet been delivered | hasn't been delivered yet | has not yet been
    have not yet been | not been delivered yet | been delayed | is delayed | was delayed | delivery delayed | delayed:
    delay in delivering | do not need to resend | don't need to resend | not need to resend | need not resend
    no need to resend
    warning message only | this is a warning | warning only | no action is required | no action needed | still undelivered
    will try again | attempt to deliver | attempts to deliver your message will | further attempts | next attempt
    temporarily delayed
    try to deliver | continue to be made | we'll keep | will attempt to deliver | is still in the queue | remains in the queue
    still queued | still on queue
    has been postponed | is postponed | message will be returned | returned to you if | could not yet
    verzögert | noch nicht zugestellt | weiterhin versucht | weitere zustellversuche | wird versucht, die nachricht
    retardé | différé | nouvelles tentatives | n'a pas encore | tentera | demorad | retrasad | seguirá intentando | se seguir
    aún no se ha | não foi entregue ainda | continuará tentando | ritardat | continuerà | vertraagd | opóźnion | försenad
    задержан | будут продолж | 延迟 | 继续尝试 | 仍在尝试 | 遅延 | 遅れ | 再送信します | 再試行 | 지연
    """
)

# What every mail that came back says of itself, whatever the reason.
FAILED = Words(
    """
    could not be delivered | couldn't be delivered | cannot be delivered | can not be delivered | can't be delivered
    was not delivered | wasn't delivered | not be delivered | were not delivered | have been delivered to none
    not been delivered
    did not reach | didn't reach | undeliverable | undelivered | not deliverable | non-deliverable | unable to deliver
    wasn't able to deliver | was not able to deliver | not able to deliver | could not deliver | couldn't deliver
    cannot deliver | can't deliver | couldn't send | could not send | could not be sent | couldn't be sent | unable to send
    unable to be delivered | not be sent | failed to deliver | failed to be delivered | failed delivery | delivery failed
    delivery failure | delivery fail
    delivery has failed | delivery to the following | delivery to these | delivery not | delivery error | delivery problem
    delivery status | non-delivery | nondelivery | failure notice | permanent error | permanent fatal error | fatal error
    permanent failure | transient error | delivery attempt | delivery report | returned mail | returned to sender
    being returned
    mail returned | message returned | returned message | returning message | returned to you | bounced | bounce
    has been rejected
    was rejected | been rejected | been refused | refused your | error occurred | error delivering | errors occurred
    error sending
    problem delivering | postponed | following address | following recipient | address failed | addresses failed
    recipients failed
    recipients could not | transcript of session | session transcript | mail system at | mail delivery system | mailer-daemon
    message delivery | following error | failed recipient | failed addresses | rejected the message | rejected your
    can't reach | not reach
    no transport provider | recipient(s) | intended recipient | sorry, your message | was not accepted | has not been accepted
    nicht zugestellt | unzustellbar | nicht zustellbar | zustellung fehlgeschlagen | zustellen | konnte nicht | fehlgeschlagen
    nicht übermittelt | nicht übertragen | zurückgewiesen | zustellung
    n'a pas pu | n'a pu être | pas été remis | pas été délivré | non remis | échec | echec | impossible de | n'ont pas pu
    non distribué | non délivré | remise | pas être distribué | pas pu être
    no se pudo entregar | no se ha podido | no ha podido | no pudo ser entregado | no entregado | no se pudo | error de entrega
    no pudo | no puede ser entregad | fallo | falló | devuelto | imposible entregar
    não foi entregue | não pôde | nao pode | não pode ser | não foi possível | nao foi possivel | devolvid | falha
    non è stato | non recapit | impossibile | mancata consegna | mancato recapito | non può essere | consegna
    niet bezorgd | kon niet | niet worden bezorgd | niet worden afgeleverd | onbestelbaar | mislukt
    nie może | nie mogła | nie mógł | nie można | nie udało | niedostarcz | zwrot
    kunde inte | kunne ikke | ikke leveres | inte levereras | ei voitu | nelze doruč | nem sikerült
    не доставлен | не может быть доставлен | не удалось | невозможно | недоставлен | не было доставлено | iletilemedi
    teslim edileme
    退信 | 退回 | 无法送达 | 未能送达 | 发送失败 | 投递失败 | 无法投递 | 無法傳送 | 無法投遞 | 無法寄達
    未送达 | 未送達 | 无法发送 | 没有送达 | 无法传送 | 递送
    配信できません | 配信不能 | 送信できません | 届けることができません | 配送できません | 届きません
    配信に失敗 | 送信に失敗 | エラー | 配信されません | 失敗
    전송되지 | 전달되지 | 반송 | 전달할 수 없 | 배달
    """,
    "bounced",
)

# A failure that is over: says that nothing more is tried, so whatever else it says, it is no warning.
FINAL = Words(
    """
    permanent error | permanent fatal | permanently | given up | gave up | giving up | will not be retried | no further attempts
    not be retried | stopped trying | has failed | have failed | delivery failed | no longer be tried | being returned to
    delivery time expired | has been rejected | was rejected | not going to try again | is being returned | has been returned
    """
)

# How out-of-office notes and challenges begin or speak, for those without any field that says so.
AWAY = Words(
    """
    out of the office | out of office | out-of-office | on vacation | on holiday | on annual leave | on leave
    maternity leave | away from
    i am away | i'm away | i will be away | i will be out | i am currently | i'm currently | i am out | limited access to email
    limited access to e-mail | no access to email | will return on | back in the office | return to the office
    will respond to your
    will reply to your | will get back to you | thank you for your message | thank you for your email
    thank you for your e-mail
    thanks for your email | thank you for contacting | thanks for contacting | we have received your | automatic reply
    automated response | autoresponder
    auto-responder | automatically generated reply | no longer work | no longer with | have left the company
    my new address | new email address
    confirm that you are | confirm your message | click the link below to | click here to | verify that you
    to be delivered, please
    recipient's allowed list | to ensure delivery of your | approved senders | awaiting your verification | prove that you are
    nicht im büro | außer haus | ausser haus | im urlaub | abwesend | bin ich wieder | vielen dank für ihre
    absent du bureau | suis absent | suis actuellement | en congé | en vacances | serai de retour
    fuera de la oficina | de vacaciones | estaré ausente | estoy fuera | fora do escritório | estou de férias | sono fuori
    sono in ferie
    niet op kantoor | op vakantie | afwezig | na urlopie | poza biurem | jestem nieobecn | semester | på semester | på ferie
    в отпуске | отсутствую | 外出 | 休假 | 不在办公室 | 自动回复 | 您的邮件我已收到 | 不在 | 休暇 | 자동응답 | 부재중
    """
)
