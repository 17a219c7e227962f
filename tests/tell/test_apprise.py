"""Apprise: what its services are given, and what their answers mean."""

import logging
import sys
import time

import pytest

from cronverifyd.errors import ConfigError
from cronverifyd.model import Delivery, DeliveryResult, Severity
from cronverifyd.tell.apprise import AppriseSender, render
from cronverifyd.tell.console import render as as_text
from cronverifyd.tell.story import story_of
from tests.tell.builders import alert, digest, failed, hostile, notice, recovered
from tests.tell.receiver import hangs, receiving, says

# One of its services still imports a module that Python 3.13 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")

PATH = "/hooks/T0secret"


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def receiver():
    with receiving() as server:
        server.answers[PATH] = says(200)
        yield server


def url(receiver, **more):
    query = "".join(f"?{key}={value}" for key, value in more.items())
    return f"json://us3r:p4ss@127.0.0.1:{receiver.server_port}{PATH}{query}"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        pytest.param(failed(runbook=None), "failure", id="critical"),
        pytest.param(alert(severity=Severity.INFO), "info", id="info"),
        pytest.param(notice(), "warning", id="warning"),
        pytest.param(recovered(), "success", id="recovered"),
        pytest.param(digest(alert(), notice()), "failure", id="digest"),
    ],
)
def test_a_service_is_given_title_text_and_type(receiver, message, kind):
    assert AppriseSender("ops", url(receiver)).send(message) == Delivery(
        result=DeliveryResult.SENT, receipt="taken by json"
    )
    ((_, body),) = receiver.received
    assert body["type"] == kind
    assert body["title"] == story_of(message).title
    assert body["message"].strip() == as_text(message).strip()


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500])
def test_what_is_not_taken_is_tried_again(receiver, status):
    receiver.answers[PATH] = says(status)
    assert AppriseSender("ops", url(receiver)).send(alert()) == Delivery(
        result=DeliveryResult.RETRY, error="Apprise's service json did not take it"
    )


def test_a_service_that_hangs_is_given_up(receiver):
    receiver.answers[PATH] = hangs
    begun = time.monotonic()
    sender = AppriseSender("ops", url(receiver, rto="0.3"))
    assert sender.send(alert()).result is DeliveryResult.RETRY
    assert time.monotonic() - begun < 3


def test_every_request_of_a_service_ends_by_itself(receiver):
    (service,) = AppriseSender("ops", url(receiver))._service
    assert 0 < service.socket_connect_timeout <= 10
    assert 0 < service.socket_read_timeout <= 10


def test_a_service_that_breaks_is_tried_again(receiver):
    sender = AppriseSender("ops", url(receiver))

    class Broken:
        def notify(self, **_):
            raise KeyError(PATH)

    sender._service = Broken()
    assert sender.send(alert()) == Delivery(
        result=DeliveryResult.RETRY, error="Apprise's service json failed (KeyError)"
    )


def test_nothing_of_a_jobs_text_mentions_links_or_steers(receiver):
    message = hostile()
    AppriseSender("ops", url(receiver)).send(message)
    ((_, body),) = receiver.received
    for text in (body["title"], body["message"]):
        left = text.replace(message.runbook, "").replace("\u2060", "")
        assert {char for char in left if not char.isprintable()} <= {"\n"}
        shown = text.replace(message.runbook, "")
        for sign in ("://", "```", "<!", "<@", "@e", "@U"):
            assert sign not in shown
    assert len(body["message"]) < 5_000


def test_the_runbook_stays_a_link():
    _, text = render(story_of(failed(output_tail="see http://evil.example/x")))
    assert "https://wiki.example.com/db-backup?a=1&b=2" in text
    assert "http://evil" not in text


def test_no_secret_is_shown_or_logged(receiver, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    receiver.answers[PATH] = says(500, PATH.encode())
    sender = AppriseSender("ops", url(receiver))
    gone = AppriseSender("ops", "json://us3r:p4ss@127.0.0.1:1/T0secret")
    shown = repr([sender, sender.send(failed()), gone.send(failed())]) + caplog.text
    for secret in ("T0secret", "us3r", "p4ss"):
        assert secret not in shown


@pytest.mark.parametrize("bad", ["", "T0secret", "nosuch://T0secret", "slack://T0secret"])
def test_a_url_that_apprise_does_not_know_is_told_without_it(bad):
    with pytest.raises(ConfigError, match=r"^channels\.ops\.url: is no URL that Apprise") as caught:
        AppriseSender("ops", bad)
    assert "T0secret" not in str(caught.value)
    assert caught.value.remedy


def test_where_apprise_is_not_installed_the_remedy_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match="apprise is not installed") as caught:
        AppriseSender("ops", "json://127.0.0.1/")
    assert caught.value.remedy == "pip install 'cronverifyd[apprise]'"
