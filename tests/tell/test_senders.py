"""From a configured channel to one that can send."""

import io
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from cronverifyd.errors import ConfigError
from cronverifyd.model import Channel, DeliveryResult, Mail, Secret, Tls
from cronverifyd.tell.apprise import AppriseSender
from cronverifyd.tell.command import CommandSender
from cronverifyd.tell.console import render
from cronverifyd.tell.mail import MailSender
from cronverifyd.tell.senders import build
from cronverifyd.tell.slack import SlackSender
from cronverifyd.tell.webhook import WebhookSender
from tests.tell.builders import alert, notice
from tests.tell.receiver import receiving, says

NAMED = Secret(place="channels.ops.url", env="X")
PASSWORD = Secret(place="channels.ops.password", env="P")
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def make(kind, *values, stream=None, **changed):
    """Build a channel whose secrets, as they are looked up, have these values."""
    left = list(values)
    channel = Channel(name="ops", kind=kind, **changed)
    return build(channel, lambda _: left.pop(0), stream or io.StringIO(), lambda: NOW)


def mail(**changed):
    return Mail(to=("ops@example.com",), sender="cron@example.com", **changed)


def test_a_console_needs_no_address_and_writes_to_the_stream_given():
    stream = io.StringIO()
    make("console", stream=stream).send(notice())
    assert stream.getvalue() == render(notice())


@pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")  # of one of apprise's services
@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        pytest.param(
            lambda: make("slack", "http://127.0.0.1/x", url=NAMED), SlackSender, id="slack"
        ),
        pytest.param(
            lambda: make("webhook", "https://example.com/", url=NAMED), WebhookSender, id="webhook"
        ),
        pytest.param(lambda: make("command", command=("true",)), CommandSender, id="command"),
        pytest.param(lambda: make("email", mail=mail()), MailSender, id="email"),
        pytest.param(
            lambda: make("apprise", "json://localhost", url=NAMED), AppriseSender, id="apprise"
        ),
    ],
)
def test_each_kind_has_its_sender(sender, kind):
    assert isinstance(sender(), kind)


def test_a_webhook_signs_with_its_secret_at_the_time_of_the_clock():
    with receiving() as receiver:
        receiver.answers["/x"] = says(200)
        sender = make("webhook", "s3cret", receiver.url("/x"), url=NAMED, secret=NAMED)
        assert sender.send(alert()).result is DeliveryResult.SENT
        ((headers, _),) = receiver.requests
    assert headers["X-Cronverify-Timestamp"] == str(int(NOW.timestamp()))


def test_a_command_has_the_time_that_its_channel_gives_it():
    sender = make("command", command=("sleep", "5"), timeout_s=0.1)
    assert sender.send(alert()).error == "sleep did not end within 0.1 s"


@pytest.mark.parametrize("kind", ["slack", "webhook"])
@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("hooks.slack.com/services/T/B/hidden", id="no scheme"),
        pytest.param("ftp://hooks.slack.com/hidden", id="another scheme"),
        pytest.param("https:///services/hidden", id="no host"),
        pytest.param("https://[::1/hidden", id="half an address"),
        pytest.param("https://hooks.slack.com:x/hidden", id="port is a word"),
        pytest.param("https://hooks.slack.com/hidden\n", id="a line end"),
    ],
)
def test_an_address_that_cannot_work_is_refused_without_showing_it(kind, url):
    with pytest.raises(ConfigError, match=r"^channels\.ops\.url: must be") as caught:
        make(kind, url, url=NAMED)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("kind", ["slack", "webhook", "apprise"])
def test_an_address_that_is_not_there_is_missed(kind):
    with pytest.raises(ConfigError, match=r"^channels\.ops\.url: missing") as caught:
        make(kind)
    assert caught.value.remedy


def test_a_password_goes_nowhere_in_the_open():
    open_server = mail(server=("smtp.example.com", 25), username="u", password=PASSWORD)
    with pytest.raises(ConfigError, match="would be sent unencrypted"):
        make("email", "s3cret", mail=open_server)


@pytest.mark.parametrize(
    ("host", "tls"),
    [("127.0.0.1", Tls.NONE), ("localhost", Tls.NONE), ("smtp.example.com", Tls.STARTTLS)],
)
def test_a_password_goes_to_loopback_and_through_tls(host, tls):
    server = mail(server=(host, 25), tls=tls, username="u", password=PASSWORD)
    assert isinstance(make("email", "s3cret", mail=server), MailSender)


def test_a_password_that_cannot_be_encoded_is_told_and_not_shown():
    with pytest.raises(ConfigError, match=r"password: must be ASCII") as caught:
        make("email", "gehéim", mail=mail(server=("::1", 25), username="u", password=PASSWORD))
    assert "geh" not in str(caught.value)


@pytest.mark.parametrize("kind", ["pager", "command", "email"])
def test_a_channel_that_is_not_whole_is_refused(kind):
    with pytest.raises(ConfigError, match=rf"^channels\.ops: a {kind} channel cannot"):
        make(kind)


def test_apprise_is_loaded_only_where_it_is_used():
    program = "import sys, cronverifyd.tell.senders; print('apprise' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert answer.stdout == b"False\n"
