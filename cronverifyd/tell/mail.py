"""Mail: by SMTP to a server, or through the host's own sendmail."""

from __future__ import annotations

import base64
import hashlib
import smtplib
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from cronverifyd.model import AlertKind, Delivery, DeliveryResult, Digest, NoticeKind, Tls
from cronverifyd.tell.console import render as render_text
from cronverifyd.tell.post import out_of_reach
from cronverifyd.tell.program import deliver, environment
from cronverifyd.tell.story import story_of
from cronverifyd.tell.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cronverifyd.model import Mail, Message

TIMEOUT_S = 10.0
SENDMAIL = "/usr/sbin/sendmail"

_SUBJECT = 200
_WORDS = 120
_OPENINGS = frozenset(
    {
        AlertKind.OPENED,
        AlertKind.FLAPPING,
        NoticeKind.BLIND,
        NoticeKind.CRON_DEAD,
        NoticeKind.CUEAPI_LOST,
    }
)


def render(message: Message, mail: Mail) -> EmailMessage:
    """Write a message as plain text in UTF-8.

    All letters of one incident name the letter that opened it (RFC 5322, 3.6.4), so that mail
    programs show them as one thread. Auto-Submitted (RFC 3834) keeps holiday replies away.
    """
    letter = EmailMessage()
    letter["From"] = mail.sender
    letter["To"] = ", ".join(mail.to)
    letter["Subject"] = _subject(message)
    letter["Date"] = format_datetime(message.created_at)
    own, opening = _ids(message, mail.sender)
    letter["Message-ID"] = own
    if opening not in {own, None}:
        letter["In-Reply-To"] = opening
        letter["References"] = opening
    letter["Auto-Submitted"] = "auto-generated"
    # Quoted-printable: no line is longer than 76, and no server on the way has to know 8BITMIME.
    letter.set_content(render_text(message), cte="quoted-printable")
    return letter


def _subject(message: Message) -> str:
    """Make one line; `=?` begins an encoded word, which the email package would decode."""
    story = story_of(message)
    word = "OK" if story.good else story.severity.upper()
    subject = f"[{word}] {story.title} ({message.instance})"
    return one_line(subject, _SUBJECT).replace("=?", "= ?")


def _ids(message: Message, sender: str) -> tuple[str, str | None]:
    """Give the letter's own id, and that of the letter that opened its incident, if it has one."""
    name, domain = message.instance, sender.rpartition("@")[2]
    own = _id(f"message/{name}/{message.id}", domain)
    if isinstance(message, Digest) or message.incident is None:
        return own, None
    opening = _id(f"incident/{name}/{message.incident}", domain)
    opens = message.kind in _OPENINGS and ".reminded." not in message.id
    return opening if opens else own, opening


def _id(text: str, domain: str) -> str:
    """Make an id that is the same at every try, of letters and digits whatever the text has."""
    return f"<{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:32]}@{domain}>"


class MailSender:
    """One list of addresses. `password`: already looked up, or None.

    `sendmail`: the program that takes the letters where no server is named.
    """

    def __init__(
        self,
        mail: Mail,
        password: str | None,
        timeout_s: float = TIMEOUT_S,
        sendmail: str = SENDMAIL,
    ) -> None:
        self._mail = mail
        self._password = password
        self._timeout_s = timeout_s
        self._sendmail = sendmail

    def send(self, message: Message) -> Delivery:
        """Send one letter and say what came of it; raise nothing."""
        letter = render(message, self._mail)
        if self._mail.server is not None:
            return self._hand_in(letter, *self._mail.server)
        command = (self._sendmail, "-t", "-i")  # sendmail(8): to whom it says; a lone dot is text
        return deliver(command, letter.as_bytes(), environment(), self._timeout_s)

    def _hand_in(self, letter: EmailMessage, host: str, port: int) -> Delivery:
        try:
            refused = self._talk(letter, host, port)
        except smtplib.SMTPRecipientsRefused as error:
            return self._refused(host, _mildest(error.recipients))
        except smtplib.SMTPResponseException as error:
            return self._refused(host, (error.smtp_code, error.smtp_error))
        except (OSError, ValueError) as error:
            # smtplib's other errors are OSErrors; an answer that is no Base64, or a name that is
            # none, makes it raise ValueErrors.
            return out_of_reach(host, error)
        receipt = f"accepted by {host}"
        if refused:
            receipt = f"{receipt}, but not for {', '.join(sorted(refused))}"
        return Delivery(result=DeliveryResult.SENT, receipt=receipt)

    def _talk(self, letter: EmailMessage, host: str, port: int) -> Mapping[str, tuple[int, bytes]]:
        """Hand a letter in; return the addresses that the server refused, if it took any.

        What comes after the server has taken the letter makes no difference.
        """
        smtp = self._connect(host, port)
        try:
            if self._mail.tls is Tls.STARTTLS:
                smtp.starttls(context=ssl.create_default_context())
            if self._mail.username is not None and self._password is not None:
                smtp.login(self._mail.username, self._password)
            refused = smtp.send_message(letter)
            with suppress(OSError):
                smtp.quit()
        finally:
            smtp.close()
        return refused

    def _connect(self, host: str, port: int) -> smtplib.SMTP:
        if self._mail.tls is Tls.TLS:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port, timeout=self._timeout_s, context=context)
        return smtplib.SMTP(host, port, timeout=self._timeout_s)

    def _refused(self, host: str, answer: tuple[int, bytes | str]) -> Delivery:
        """Judge an answer (RFC 5321, 4.2.1): 5yz is for good, all else may pass."""
        code, words = answer
        text = words if isinstance(words, str) else words.decode("utf-8", "replace")
        said = one_line(self._without_password(text), _WORDS)
        result = DeliveryResult.REFUSED if 500 <= code < 600 else DeliveryResult.RETRY
        return Delivery(result=result, error=f"{host} answered {code} {said}".rstrip())

    def _without_password(self, text: str) -> str:
        for secret in self._password_forms():
            text = text.replace(secret, "[redacted]")
        return text

    def _password_forms(self) -> Iterator[str]:
        """Give the password as it was sent: as AUTH PLAIN and LOGIN encode it, and by itself."""
        if not self._password:
            return
        for plain in (f"\0{self._mail.username}\0{self._password}", self._password):
            yield base64.b64encode(plain.encode()).decode()
        yield self._password


def _mildest(recipients: Mapping[str, tuple[int, bytes]]) -> tuple[int, bytes]:
    """Find the answer that leaves most hope."""
    return min(recipients.values(), key=lambda answer: answer[0])
