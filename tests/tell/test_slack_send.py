"""Sending to Slack: what each answer means, and that the webhook's address stays secret."""

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from cronverifyd.model import Delivery, DeliveryResult
from cronverifyd.tell.post import retry_after
from cronverifyd.tell.slack import SlackSender, render
from tests.tell.builders import digest, failed, notice
from tests.tell.limits import strings
from tests.tell.receiver import breaks_off, hangs, receiving, resets, says

PATH = "/services/T0SECRET/B0SECRET/x7Qz8rPq0secret"


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def receiver():
    with receiving() as server:
        yield server


@pytest.fixture
def send(receiver):
    def send(answer, message=None):
        receiver.answers[PATH] = answer
        sender = SlackSender("ops", receiver.url(PATH), timeouts_s=(0.5, 0.3))
        return sender.send(message or failed())

    return send


@pytest.mark.parametrize("message", [failed(), notice()], ids=["alert", "notice"])
def test_what_is_posted_is_what_was_rendered(send, receiver, message):
    assert send(says(200, b"ok"), message) == Delivery(result=DeliveryResult.SENT, receipt="ok")
    assert receiver.received == [(PATH, render(message))]


@pytest.mark.parametrize(
    ("answer", "receipt"),
    [
        pytest.param(says(204), "", id="no content"),
        pytest.param(says(202, b"queued\n<p>x</p>"), "queued <p>x</p>", id="accepted"),
        pytest.param(says(200, b"y" * 5_000), "y" * 73 + "… (cut)", id="long"),
        pytest.param(says(200, b"\x1b[2Jok\xff"), "ok\ufffd", id="hostile"),
        pytest.param(breaks_off, "", id="breaks off"),
    ],
)
def test_any_2xx_is_a_receipt(send, answer, receipt):
    assert send(answer) == Delivery(result=DeliveryResult.SENT, receipt=receipt)


@pytest.mark.parametrize(
    ("answer", "error", "wait_s"),
    [
        pytest.param(says(429, b"", Retry_After="30"), "429", 30.0, id="too many, with seconds"),
        pytest.param(says(429, b"rate_limited"), "429 rate_limited", None, id="too many"),
        pytest.param(says(500, b"rollup_error"), "500 rollup_error", None, id="server error"),
        pytest.param(says(503, b"", Retry_After="5"), "503", 5.0, id="unavailable"),
    ],
)
def test_what_may_pass_is_tried_again(send, answer, error, wait_s):
    assert send(answer) == Delivery(
        result=DeliveryResult.RETRY,
        error=f"127.0.0.1 answered {error}",
        retry_after_s=wait_s,
    )


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(says(400, b"invalid_payload"), "400 invalid_payload", id="bad message"),
        pytest.param(says(404, b"no_service"), "404 no_service", id="webhook removed"),
        pytest.param(says(410, b"channel_is_archived"), "410 channel_is_archived", id="archived"),
        pytest.param(
            says(404, f"<p>{PATH} was not found</p>".encode()),
            "404 <p>[redacted] was not found</p>",
            id="page that shows the path",
        ),
        pytest.param(
            says(403, b"token x7Qz8rPq0secret revoked"),
            "403 token [redacted] revoked",
            id="page that shows the token",
        ),
    ],
)
def test_what_cannot_pass_is_refused_in_the_servers_word(send, answer, error):
    assert send(answer) == Delivery(
        result=DeliveryResult.REFUSED, error=f"127.0.0.1 answered {error}"
    )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere", "http://[", "http://\x80\x81"])
def test_a_redirect_is_refused_and_not_followed(send, receiver, status, location):
    delivery = send(says(status, Location=location))
    assert delivery == Delivery(result=DeliveryResult.REFUSED, error=f"127.0.0.1 answered {status}")
    assert [path for path, _ in receiver.received] == [PATH]


LONG = digest(*(failed(job=f"job-{number}") for number in range(500)))


def size(payload):
    return sum(len(text) for text in strings(payload["blocks"]))


def too_long_above(most):
    """Refuse a message whose blocks have more than so many characters."""

    def answer(handler):
        _, payload = handler.server.received[-1]
        is_too_long = size(payload) > most
        (says(400, b"msg_blocks_too_long") if is_too_long else says(200, b"ok"))(handler)

    return answer


def test_a_message_that_is_too_long_is_sent_again_in_short(send, receiver):
    assert send(too_long_above(12_000), LONG).result is DeliveryResult.SENT
    (_, whole), (_, short) = receiver.received
    assert whole == render(LONG)
    assert short["text"] == whole["text"]
    assert size(short) <= 10_000


def test_it_is_refused_where_that_is_too_long_as_well(send, receiver):
    assert send(too_long_above(1_000), LONG).result is DeliveryResult.REFUSED
    assert len(receiver.received) == 2


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(too_long_above(100), failed(), id="a short one"),
        pytest.param(says(200), LONG, id="one that was taken"),
        pytest.param(says(503), LONG, id="one that is tried later"),
    ],
)
def test_anything_else_is_sent_once(send, receiver, answer, message):
    send(answer, message)
    assert len(receiver.received) == 1


def test_no_answer_in_time_is_tried_again(send):
    delivery = send(hangs)
    assert delivery.result is DeliveryResult.RETRY
    assert delivery.error.startswith("ReadTimeout at 127.0.0.1")


def test_a_reset_is_tried_again(send):
    assert send(resets) == Delivery(
        result=DeliveryResult.RETRY,
        error="ConnectionError at 127.0.0.1: Connection reset by peer",
    )


def test_nobody_there_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}{PATH}"
    assert SlackSender("ops", url).send(failed()) == Delivery(
        result=DeliveryResult.RETRY, error="ConnectionError at 127.0.0.1: Connection refused"
    )


def test_no_tls_at_the_other_end_is_tried_again(receiver):
    url = receiver.url(PATH).replace("http://", "https://")
    delivery = SlackSender("ops", url).send(failed())
    assert delivery.result is DeliveryResult.RETRY
    assert delivery.error.startswith("SSLError at 127.0.0.1")


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(f"http://{'a' * 64}.invalid{PATH}", id="label too long"),
        pytest.param(f"gopher://127.0.0.1{PATH}", id="another protocol"),
        pytest.param(f"http://127.0.0.1:99999{PATH}", id="no such port"),
        pytest.param(PATH, id="no host"),
    ],
)
def test_an_address_that_cannot_work_is_refused(url):
    delivery = SlackSender("ops", url).send(failed())
    assert delivery.result is DeliveryResult.REFUSED
    assert delivery.error.startswith("the URL cannot be used (")


def test_the_address_appears_in_no_delivery(receiver, send):
    deliveries = [
        send(answer)
        for answer in (
            hangs,
            resets,
            breaks_off,
            says(404, PATH.encode()),
            says(302, Location=PATH),
        )
    ]
    deliveries.append(SlackSender("ops", f"http://u:pass@127.0.0.1:1{PATH}").send(failed()))
    for delivery in deliveries:
        for secret in ("SECRET", "secret", "services", "pass"):
            assert secret not in repr(delivery)


def test_a_proxy_in_the_environment_does_not_take_what_is_for_loopback(send, receiver, monkeypatch):
    with receiving() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url(""))
        assert send(says(200, b"ok")).result is DeliveryResult.SENT
        assert (len(receiver.received), proxy.received) == (1, [])


def test_a_proxy_in_the_environment_takes_the_rest(monkeypatch):
    with receiving() as proxy:
        address = f"http://hooks.slack.invalid{PATH}"
        proxy.answers[address] = says(200, b"ok")
        monkeypatch.setenv("http_proxy", proxy.url(""))
        assert SlackSender("ops", address).send(failed()).result is DeliveryResult.SENT
        assert [path for path, _ in proxy.received] == [address]


def test_a_ca_bundle_that_is_gone_is_tried_again(monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    delivery = SlackSender("ops", f"https://hooks.slack.invalid{PATH}").send(failed())
    assert delivery == Delivery(result=DeliveryResult.RETRY, error="OSError at hooks.slack.invalid")


DATE = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"Retry-After": "0"}, 0.0, id="at once"),
        pytest.param({"Retry-After": " 7 "}, 7.0, id="seconds"),
        pytest.param({"Retry-After": "9" * 400}, 86_400.0, id="for ever"),
        pytest.param({"Retry-After": "-5"}, None, id="negative"),
        pytest.param({"Retry-After": "soon"}, None, id="a word"),
        pytest.param({"Retry-After": "٣"}, None, id="another digit"),
        pytest.param({"Retry-After": 90}, 90.0, id="a date"),
        pytest.param({"Retry-After": -90}, 0.0, id="a date gone by"),
        pytest.param({"Retry-After": 1_000_000}, 86_400.0, id="a date far away"),
        pytest.param({"Retry-After": 90, "Date": ""}, None, id="a date, and none of the answer's"),
        pytest.param({"Retry-After": "Tue, 24 Nov 2026 03:00:09 -0000"}, None, id="no zone"),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers, wait_s):
    given = {"Date": format_datetime(DATE, usegmt=True)} | headers
    if isinstance(seconds := given.get("Retry-After"), int):
        given["Retry-After"] = format_datetime(DATE + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(given) == wait_s
