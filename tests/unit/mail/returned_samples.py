"""Mails that came back, as different mail systems write them: all written for these tests, with what a person makes of them.

The forms (who writes, which subject, where the address and the answer stand) are those of the systems; names, addresses
and wordings around them are made up.
"""

from __future__ import annotations

from dataclasses import dataclass

ORIGINAL = """Received: from lists.example.org (lists.example.org [192.0.2.10])
\tby mx.example.net with ESMTP id 4X7; Mon, 02 Mar 2026 09:00:03 +0000
From: Tom Okafor <tom@example.org>
To: toolshare@lists.example.org
Subject: The spam filter of the old ladder is full
Message-ID: <ladder-1@example.org>

The mailbox by the gate is full of leaves again. No such user would unsubscribe.
"""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One mail, and what it should be read as."""

    name: str
    raw: bytes
    weight: str
    reason: str
    recipient: str = ""


def report(
    name: str, weight: str, reason: str, *, action: str = "failed", status: str = "5.0.0", said: str = "", text: str = "",
    subject: str = "Undelivered Mail Returned to Sender", sender: str = "MAILER-DAEMON@mx.example.net (Mail Delivery System)",
) -> Sample:  # fmt: skip
    """A report in standard form."""
    diagnostic = f"Diagnostic-Code: smtp; {said}\n" if said else ""
    words = text or "I'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients."
    raw = f"""From: {sender}
To: toolshare-bounces@lists.example.org
Subject: {subject}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain; charset=utf-8

{words}

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Mon, 02 Mar 2026 09:00:03 +0000

Final-Recipient: rfc822; gwen@example.net
Action: {action}
Status: {status}
{diagnostic}
--B
Content-Type: message/rfc822

{ORIGINAL}
--B--
"""
    return Sample(name=name, raw=raw.encode(), weight=weight, reason=reason, recipient="gwen@example.net")


def words(
    name: str, weight: str, reason: str, text: str, *, subject: str, sender: str = "MAILER-DAEMON@mx.example.net",
    recipient: str = "gwen@example.net", kind: str = "text/plain; charset=utf-8", fields: str = "",
) -> Sample:  # fmt: skip
    """A mail in a mail system's own words."""
    raw = f"From: {sender}\nTo: toolshare-bounces@lists.example.org\nSubject: {subject}\n{fields}Content-Type: {kind}\n\n{text}\n"
    return Sample(name=name, raw=raw.encode(), weight=weight, reason=reason, recipient=recipient)


QMAIL = (
    """Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<gwen@example.net>:
{said}

--- Below this line is a copy of the message.

"""
    + ORIGINAL
)
EXIM = (
    """This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  gwen@example.net
    {said}

------ This is a copy of the message, including all the headers. ------

"""
    + ORIGINAL
)

SAMPLES = (
    report("unknown user", "hard", "unknown", status="5.1.1", said="550 5.1.1 <gwen@example.net>: User unknown"),
    report("unknown user under a policy code", "hard", "unknown", status="5.7.1", said="550 5.7.1 No such user x12si9"),
    report("status alone", "hard", "unknown", status="5.1.1"),
    report("domain without mail", "hard", "unknown", status="5.4.4", said="Host or domain name not found"),
    report("recipient rejected by a hosted service", "hard", "unknown", status="5.4.1", said="550 5.4.1 Recipient address rejected: Access denied"),
    report("nothing said", "hard", "none"),
    report("full", "soft", "full", status="5.2.2", said="552 5.2.2 Over quota"),
    report("full under an unknown-user code", "soft", "full", status="5.1.1", said="550 5.1.1 mailbox full"),
    report("full, said to people only", "soft", "full", text="Delivery to gwen@example.net failed.\nThe disk quota was exceeded."),
    report("given up after days", "soft", "unreachable", status="4.4.7", said="delivery time expired"),
    report("temporary answers to the end", "soft", "unknown", status="4.1.1", said="450 4.1.1 user unknown, try later"),
    report("too big", "soft", "too-big", status="5.3.4", said="552 5.3.4 Message size exceeds fixed limit"),
    report("spam", "policy", "refused", status="5.7.1", said="554 5.7.1 Message rejected as spam by content filter"),
    report("blocklist under a general code", "policy", "refused", said="554 Service unavailable; Client host [192.0.2.10] blocked using bl.example.com"),
    report("DMARC", "policy", "refused", status="5.7.26", said="550-5.7.26 Unauthenticated email from example.org is not accepted due to domain's DMARC policy"),
    report("a policy code alone", "policy", "refused", status="5.7.1"),
    report("delayed", "delayed", "unreachable", action="delayed", status="4.4.1", said="connect to mx.example.net: Connection timed out"),
    report("delivered", "delivered", "none", action="delivered", status="2.0.0", subject="Successful Mail Delivery Report"),
    words("qmail, unknown", "hard", "unknown", QMAIL.format(said="Sorry, no mailbox here by that name. (#5.1.1)"), subject="failure notice"),
    words("qmail, full", "soft", "full", QMAIL.format(said="192.0.2.4 failed after I sent the message.\nRemote host said: 552 Quota exceeded"), subject="failure notice"),
    words("qmail, blocklist", "policy", "refused", QMAIL.format(said="Remote host said: 553 mail from 192.0.2.10 is blocked, see rbl.example.com"), subject="failure notice"),
    words("qmail, no reason", "hard", "none", QMAIL.format(said=""), subject="failure notice"),
    words("Exim, unknown", "hard", "unknown", EXIM.format(said="Unrouteable address"), subject="Mail delivery failed: returning message to sender"),
    words("Exim, unreachable", "soft", "unreachable", EXIM.format(said="retry timeout exceeded"), subject="Mail delivery failed: returning message to sender"),
    words("Exim, warning", "delayed", "unreachable",
          "A message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours.\n\n  gwen@example.net\n\n"
          "No action is required on your part. Delivery attempts will continue for\nsome time.",
          subject="Warning: message 1abC delayed 24 hours"),
    words("Exchange", "hard", "unknown",
          "Your message\n\n  To: toolshare@lists.example.org\n  Subject: Spam filter\n  Sent: Mon, 2 Mar 2026\n\ndid not reach the following recipient(s):\n\n"
          "gwen@example.net on Mon, 2 Mar 2026 09:00:03 +0000\n    The recipient name is not recognized",
          subject="Undeliverable: Spam filter", sender="System Administrator <postmaster@example.net>"),
    words("Domino", "hard", "unknown",
          "Your message\n\n  Subject: Ladder\n\nwas not delivered to:\n\n  gwen@example.net\n\nbecause:\n\n  User gwen (gwen@example.net) not listed in Domino Directory",
          subject="DELIVERY FAILURE: User gwen (gwen@example.net) not listed in Domino Directory", sender="Postmaster@example.net"),
    words("GroupWise", "hard", "unknown", "The message that you sent was undeliverable to the following:\n\tgwen@example.net (user not found)",
          subject="Message status - undeliverable", sender="Mailer-Daemon@gw.example.net"),
    words("AOL, not accepted", "policy", "refused",
          "Your mail to the following recipients could not be delivered because they are not accepting mail from toolshare@lists.example.org:\n\tgwen",
          subject="Mail Delivery Problem", recipient="toolshare@lists.example.org"),
    words("Yahoo", "hard", "unknown",
          "Message from example.net.\nUnable to deliver message to the following address(es).\n\n<gwen@example.net>:\nThis user doesn't have an example.net account (gwen@example.net) [0]\n\n"
          "--- Original message follows.\n\n" + ORIGINAL, subject="Delivery failure"),
    words("German", "hard", "unknown", "Ihre Nachricht konnte nicht zugestellt werden:\n\ngwen@example.net\nDer Empfänger ist hier nicht bekannt.",
          subject="Unzustellbar: Die Leiter", sender="postmaster@example.net"),
    words("German, full", "soft", "full", "Ihre Nachricht an gwen@example.net konnte nicht zugestellt werden.\nDas Postfach ist voll.",
          subject="Zustellung fehlgeschlagen"),
    words("French", "hard", "unknown", "Votre message n'a pas pu être remis à gwen@example.net :\ndestinataire inconnu.", subject="Échec de la remise"),
    words("Spanish", "hard", "unknown", "No se pudo entregar su mensaje a gwen@example.net\nEl usuario no existe.", subject="Correo devuelto"),
    words("Spanish, full", "soft", "full", "No se pudo entregar su mensaje a gwen@example.net\nEl buzón está lleno.", subject="No se pudo entregar"),
    words("Italian", "soft", "full", "Il messaggio non è stato recapitato a gwen@example.net: la casella è piena.", subject="Mancata consegna"),
    words("Chinese", "hard", "unknown", "抱歉，您的邮件被退回来了\n\n收件人：gwen@example.net\n退信原因：收件人不存在", subject="系统退信"),
    words("Chinese, full", "soft", "full", "您的邮件无法送达 gwen@example.net\n原因：邮箱已满", subject="退信通知"),
    words("Japanese", "hard", "unknown", "次の宛先にメールを配信できませんでした。\n\ngwen@example.net\n宛先のメールアドレスが見つかりません。", subject="配信エラー"),
    words("Russian", "hard", "unknown", "Ваше письмо не доставлено адресату gwen@example.net\nТакой пользователь не найден.", subject="Недоставленное сообщение"),
    words("HTML only", "hard", "unknown", "<html><body><h2>Delivery failed</h2><p>gwen@example.net</p><p>550 5.1.1 the address does not exist</p></body></html>",
          subject="Delivery Status Notification (Failure)", kind="text/html; charset=utf-8"),
    words("out of office", "auto-reply", "none", "I am out of the office until Monday.", subject="Automatic reply: The long ladder",
          sender="Gwen Pritchard <gwen@example.net>", recipient="", fields="Auto-Submitted: auto-replied\n"),
    words("vacation without fields", "auto-reply", "none", "Ich bin im Urlaub und ab Montag wieder da.", subject="Abwesenheitsnotiz: Leiter",
          sender="Gwen Pritchard <gwen@example.net>", recipient=""),
)  # fmt: skip
