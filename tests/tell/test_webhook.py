"""Webhooks: what is posted, and that its signature can be verified."""

import hmac
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time

from cronverifyd.model import Delivery, DeliveryResult
from cronverifyd.tell.document import document
from cronverifyd.tell.webhook import WebhookSender, sign
from tests.tell.builders import alert, digest, failed, hostile, notice, recovered
from tests.tell.receiver import receiving, says

PAGE = Path(__file__).parent.parent.parent / "docs" / "CHANNELS.md"
PATH = "/hooks/T0secret?token=t0ken&tag=x"
SECRET = "whsec_tell-nobody"
NOW = datetime(2026, 11, 24, 3, 0, 0, 900_000, tzinfo=UTC)


@pytest.fixture
def receiver():
    with receiving() as server:
        server.answers[PATH] = says(200, b"ok")
        yield server


@pytest.fixture
def send(receiver):
    def send(message, secret=SECRET):
        sender = WebhookSender(receiver.url(PATH), secret, lambda: NOW, timeouts_s=(0.5, 0.3))
        return sender.send(message)

    return send


@pytest.fixture
def genuine():
    """Verify as docs/CHANNELS.md tells a receiver to do, by the very lines that stand there."""
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(lines, names)
    return names["genuine"]


@pytest.mark.parametrize(
    "message",
    [alert(), failed(), recovered(), notice(), digest(), hostile(run="r1")],
    ids=["missed", "failed", "recovered", "notice", "digest", "hostile"],
)
def test_a_receiver_verifies_what_it_gets(send, receiver, genuine, message):
    assert send(message) == Delivery(result=DeliveryResult.SENT, receipt="ok")
    ((headers, body),) = receiver.requests
    assert receiver.received == [(PATH, document(message))]
    assert headers["X-Cronverify-Timestamp"] == str(int(NOW.timestamp()))
    with freeze_time(NOW):
        assert genuine(headers, body, SECRET)
        assert not genuine(headers, body + b" ", SECRET)
        assert not genuine(headers, body, "another")
    with freeze_time(NOW + timedelta(minutes=6)):
        assert not genuine(headers, body, SECRET)


def test_the_signature_is_an_hmac_over_the_timestamp_a_dot_and_the_body():
    assert sign("key", 0, b"{}") == ("v1=" + hmac.digest(b"key", b"0.{}", "sha256").hex())


def test_the_headers_tell_the_type_and_the_key_of_the_message(send, receiver):
    send(notice(id="k3v7qd2m.opened"))
    ((headers, _),) = receiver.requests
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "k3v7qd2m.opened"


def test_the_key_of_a_message_is_a_header_whatever_is_in_it(send, receiver):
    assert send(notice(id="hole-/x/\r\nA: b/ü\ud800")).result is DeliveryResult.SENT
    ((headers, _),) = receiver.requests
    assert headers["Idempotency-Key"] == "hole-/x/%0D%0AA%3A%20b/%C3%BC%3F"
    assert headers["A"] is None


def test_without_a_secret_nothing_is_signed(send, receiver):
    assert send(alert(), secret=None).result is DeliveryResult.SENT
    ((headers, _),) = receiver.requests
    assert headers["X-Cronverify-Signature"] is None
    assert headers["X-Cronverify-Timestamp"] is None


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (202, DeliveryResult.SENT),
        (302, DeliveryResult.REFUSED),
        (400, DeliveryResult.REFUSED),
        (401, DeliveryResult.REFUSED),
        (408, DeliveryResult.RETRY),
        (425, DeliveryResult.RETRY),
        (429, DeliveryResult.RETRY),
        (500, DeliveryResult.RETRY),
        (503, DeliveryResult.RETRY),
    ],
)
def test_what_an_answer_means(send, receiver, status, result):
    receiver.answers[PATH] = says(status)
    assert send(alert()).result is result


def test_an_answer_that_shows_the_address_shows_no_secret_of_it(receiver):
    url = receiver.url(PATH).replace("//", "//us3r:p4ss@", 1)
    receiver.answers[PATH] = says(400, f"{url} {PATH} t0ken T0secret us3r p4ss".encode())
    delivery = WebhookSender(url, SECRET, lambda: NOW).send(alert())
    assert delivery.result is DeliveryResult.REFUSED
    for secret in ("t0ken", "T0secret", "us3r", "p4ss", SECRET):
        assert secret not in repr(delivery)


def test_a_sender_shows_no_secret():
    sender = WebhookSender("https://example.com/T0secret", SECRET, lambda: NOW)
    assert "T0secret" not in repr(sender)
    assert SECRET not in repr(sender)
