"""Mail on its way: by SMTP, with TLS and sign-in, and through sendmail."""

import base64
import smtplib
import socket
import threading

import pytest

from cronverifyd.model import Delivery, DeliveryResult, Mail, Secret, Tls
from cronverifyd.tell.mail import MailSender
from tests.tell.builders import alert, failed, hostile, notice
from tests.tell.post_office import certificate, open_office

TO = ("ops@example.com", "boss@example.com")
PASSWORD = "tell-nobody"


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def trusted(tls, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(tls[1]))


@pytest.fixture
def office():
    with open_office() as office:
        yield office


def send(server, message=None, password=None, **changed):
    mail = Mail(
        to=TO,
        sender="cron@example.com",
        server=server,
        username="cron" if password else None,
        password=Secret(place="", env="X") if password else None,
        **changed,
    )
    return MailSender(mail, password, timeout_s=2).send(message or failed())


@pytest.mark.parametrize(
    "message", [failed(), notice(), hostile()], ids=["alert", "notice", "hostile"]
)
def test_a_letter_arrives_once_at_all(office, message):
    assert send(office.server, message) == Delivery(
        result=DeliveryResult.SENT, receipt="accepted by 127.0.0.1"
    )
    ((recipients, letter),) = office.letters
    assert tuple(recipients) == TO
    assert letter["To"] == "ops@example.com, boss@example.com"
    assert letter["Bcc"] is None


def test_a_lone_dot_ends_nothing(office):
    send(office.server, failed(output_tail="a\n.\nMAIL FROM:<x>\n"))
    ((_, letter),) = office.letters
    assert "| .\n            | MAIL FROM:<x>\n" in letter.get_content().replace("\r", "")


@pytest.mark.parametrize(
    ("command", "answer", "result"),
    [
        pytest.param("RCPT", "450 4.2.1 greylisted", "retry", id="RCPT later"),
        pytest.param("RCPT", "550 5.1.1 nobody here", "refused", id="RCPT never"),
        pytest.param("DATA", "451 4.3.0 disk full", "retry", id="DATA later"),
        pytest.param("DATA", "554 5.6.0 no such talk", "refused", id="DATA never"),
        pytest.param("DATA", "421 4.3.2 going down", "retry", id="going down"),
    ],
)
def test_what_a_refusal_means(office, command, answer, result):
    office.answers[command] = answer
    assert send(office.server) == Delivery(
        result=DeliveryResult(result), error=f"127.0.0.1 answered {answer}"
    )
    assert office.letters == []


def test_where_one_address_is_refused_the_others_are_told(office):
    office.answers[f"RCPT {TO[1]}"] = "550 5.1.1 nobody here"
    assert send(office.server) == Delivery(
        result=DeliveryResult.SENT, receipt="accepted by 127.0.0.1, but not for boss@example.com"
    )
    assert [recipients for recipients, _ in office.letters] == [[TO[0]]]


def test_where_one_address_may_pass_later_the_letter_is_tried_again(office):
    office.answers = {f"RCPT {TO[0]}": "550 never", f"RCPT {TO[1]}": "451 later"}
    assert send(office.server) == Delivery(
        result=DeliveryResult.RETRY, error="127.0.0.1 answered 451 later"
    )


@pytest.mark.parametrize("answer", ["hang up", "500 what", "421 no"])
def test_a_letter_that_was_taken_is_sent_whatever_comes_after(office, answer):
    office.answers["QUIT"] = answer
    assert send(office.server).result is DeliveryResult.SENT
    assert len(office.letters) == 1


def test_an_answer_is_shown_in_one_short_plain_line(office):
    office.answers["DATA"] = "550-\x1b[2Jfirst\r\n550 " + "y" * 400
    delivery = send(office.server)
    assert delivery.result is DeliveryResult.REFUSED
    assert delivery.error.startswith("127.0.0.1 answered 550 first yyy")
    assert delivery.error.isprintable()
    assert len(delivery.error) < 200


# ---- TLS and sign-in ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Tls.STARTTLS, Tls.TLS])
def test_a_letter_and_a_password_go_through_tls(tls, trusted, kind):
    context = {"starttls": tls[0]} if kind is Tls.STARTTLS else {"tls": tls[0]}
    with open_office(**context, auth=kind is Tls.STARTTLS) as office:
        password = PASSWORD if kind is Tls.STARTTLS else None
        assert send(office.server, tls=kind, password=password).result is DeliveryResult.SENT
        assert len(office.letters) == 1
        assert office.logins == ([("cron", PASSWORD, True)] if password else [])


@pytest.mark.parametrize("kind", [Tls.STARTTLS, Tls.TLS])
def test_a_certificate_that_nobody_vouches_for_gets_no_letter(tls, kind):
    context = {"starttls": tls[0]} if kind is Tls.STARTTLS else {"tls": tls[0]}
    with open_office(**context) as office:
        delivery = send(office.server, tls=kind)
        assert delivery.result is DeliveryResult.RETRY
        assert delivery.error.startswith("SSLCertVerificationError at 127.0.0.1")
        assert office.letters == []


def test_a_server_without_tls_gets_neither_letter_nor_password():
    with open_office(auth=True) as office:
        delivery = send(office.server, tls=Tls.STARTTLS, password=PASSWORD)
        assert delivery == Delivery(
            result=DeliveryResult.RETRY, error="SMTPNotSupportedError at 127.0.0.1"
        )
        assert (office.letters, office.logins) == ([], [])


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        pytest.param("535 5.7.8 {0} is wrong", "refused", id="wrong"),
        pytest.param("454 4.7.0 try later, {0}", "retry", id="later"),
    ],
)
def test_a_sign_in_that_fails_shows_no_password(answer, result):
    with open_office(auth=True) as office:
        office.answers["AUTH"] = answer
        delivery = send(office.server, password=PASSWORD)
        assert delivery.result == result
        assert delivery.error == f"127.0.0.1 answered {answer.format('[redacted]')}"
        assert office.letters == []


@pytest.mark.parametrize(
    "form",
    [PASSWORD, base64.b64encode(PASSWORD.encode()).decode(), "AGNyb24AdGVsbC1ub2JvZHk="],
    ids=["plain", "LOGIN", "PLAIN"],
)
def test_no_form_of_the_password_is_shown(form):
    with open_office(auth=True) as office:
        office.answers["AUTH"] = f"535 got {form}"
        assert send(office.server, password=PASSWORD).error == (
            "127.0.0.1 answered 535 got [redacted]"
        )


def test_a_sender_shows_no_password():
    mail = Mail(to=TO, sender="a@b", password=Secret(place="", literal=PASSWORD))
    assert PASSWORD not in repr((MailSender(mail, PASSWORD), mail))


# ---- servers that cannot be spoken to -----------------------------------------------------------


def test_nobody_there_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    assert send(address) == Delivery(
        result=DeliveryResult.RETRY,
        error="ConnectionRefusedError at 127.0.0.1: Connection refused",
    )


def test_a_server_that_says_nothing_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as server:
        mail = Mail(to=TO, sender="a@b", server=server.getsockname())
        delivery = MailSender(mail, None, timeout_s=0.2).send(alert())
    assert delivery == Delivery(
        result=DeliveryResult.RETRY, error="SMTPServerDisconnected at 127.0.0.1: timed out"
    )


@pytest.mark.parametrize(
    ("greeting", "result"),
    [
        pytest.param(b"", "retry", id="hangs up"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", "retry", id="no mail server"),
        pytest.param(b"\xff\xfe\x00\x1b[2J" * 400 + b"\r\n", "retry", id="noise"),
        pytest.param(b"421 busy\r\n", "retry", id="busy"),
        pytest.param(b"554 go away\r\n", "refused", id="unwelcome"),
    ],
)
def test_what_a_greeting_means(greeting, result):
    def greet(server):
        connection, _ = server.accept()
        with connection:
            connection.sendall(greeting)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=greet, args=(server,))
        thread.start()
        delivery = send(server.getsockname())
        thread.join()
    assert delivery.result == result
    assert delivery.error.isprintable()


def test_a_challenge_that_nobody_can_read_is_tried_again():
    def challenge(server):
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 hello\r\n")
            for line in lines:
                said = (
                    b"334 x\r\n" if line.startswith(b"AUTH") else b"250-me\r\n250 AUTH CRAM-MD5\r\n"
                )
                connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=challenge, args=(server,))
        thread.start()
        delivery = send(server.getsockname(), password=PASSWORD)
        thread.join()
    assert delivery == Delivery(result=DeliveryResult.RETRY, error="Error at 127.0.0.1")


@pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "nowhere.invalid"])
def test_a_server_that_has_no_address_is_tried_again(host):
    assert send((host, 25)).result is DeliveryResult.RETRY


# ---- the host's own sendmail --------------------------------------------------------------------


@pytest.fixture
def sendmail(tmp_path):
    def write(text):
        path = tmp_path / "sendmail"
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        mail = Mail(to=TO, sender="cron@example.com")
        return MailSender(mail, None, sendmail=str(path))

    return write


def test_sendmail_is_told_to_read_the_addresses_and_no_lone_dot(sendmail, tmp_path):
    sender = sendmail(f'echo "$@" >{tmp_path}/arguments; cat >{tmp_path}/letter')
    assert sender.send(hostile()).result is DeliveryResult.SENT
    assert (tmp_path / "arguments").read_text() == "-t -i\n"
    letter = (tmp_path / "letter").read_bytes()
    assert letter.startswith(b"From: cron@example.com\nTo: ops@example.com, boss@example.com\n")
    assert b"\r" not in letter
    assert b"\nBcc:" not in letter


@pytest.mark.parametrize(
    ("code", "result"), [(75, DeliveryResult.RETRY), (64, DeliveryResult.REFUSED)]
)
def test_what_sendmails_end_means(sendmail, code, result):
    delivery = sendmail(f"echo 'mail system: down' >&2; exit {code}").send(alert())
    assert delivery == Delivery(
        result=result, error=f"sendmail ended with exit code {code}: mail system: down"
    )


def test_a_host_without_sendmail_is_told():
    sender = MailSender(Mail(to=TO, sender="a@b"), None, sendmail="/nowhere/sendmail")
    assert sender.send(alert()) == Delivery(
        result=DeliveryResult.REFUSED,
        error="sendmail cannot be started: No such file or directory",
    )


def test_the_library_still_calls_its_errors_system_errors():
    assert issubclass(smtplib.SMTPException, OSError)
