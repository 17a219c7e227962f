"""The program that tells Slack of a dead daemon: as its unit starts it, against a real server."""

import os
import subprocess
import threading

import pytest

from tests.e2e.slack import Slack

from .conftest import ROOT

PROGRAM = ROOT / "packaging" / "tell-dead"
UNIT = "cronverifyd.service"


@pytest.fixture
def slack():
    with Slack() as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "credentials"
    place.mkdir()
    return place


def tell(folder, *, unit=UNIT, **monitor):
    if not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("NOT TESTED: /usr/bin/python3, which the script names, is not there")
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/nowhere", **monitor}
    if folder is not None:
        environ["CREDENTIALS_DIRECTORY"] = str(folder)
    words = [str(PROGRAM)] if unit is None else [str(PROGRAM), unit]
    return subprocess.run(
        words, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("result", "status", "words"),
    [
        pytest.param("exit-code", "2", "its configuration is wrong", id="configuration"),
        pytest.param("exit-code", "203", "its program cannot be started", id="no program"),
        pytest.param("exit-code", "77", "exit status 77", id="another status"),
        pytest.param("signal", "KILL", "killed by signal KILL", id="signal"),
        pytest.param("watchdog", "KILL", "it hung, and was killed", id="watchdog"),
        pytest.param("protocol", "", "protocol", id="a word that it does not know"),
    ],
)
def test_slack_hears_which_daemon_died_where_and_why(slack, folder, result, status, words):
    (folder / "slack_webhook").write_text(f"{slack.url}\n")
    done = tell(folder, MONITOR_SERVICE_RESULT=result, MONITOR_EXIT_STATUS=status)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (message,) = slack.messages
    assert f"{UNIT} on {os.uname().nodename} has failed ({words})" in message.payload["text"]


def test_an_old_systemd_that_names_no_reason_is_told_without(slack, folder):
    (folder / "slack_webhook").write_text(slack.url)
    assert tell(folder).returncode == 0
    assert "has failed: nobody verifies" in slack.messages[0].payload["text"]


def test_each_credential_is_told_and_what_is_no_address_is_left_alone(slack, folder):
    (folder / "a").write_text(slack.url)
    (folder / "b").write_text(slack.url)
    (folder / "c").write_text("a key of something else")
    assert tell(folder).returncode == 0
    assert len(slack.messages) == 2


def test_one_that_is_busy_is_tried_again(slack, folder):
    slack.answers = [500, 429, 200]
    (folder / "slack_webhook").write_text(slack.url)
    assert tell(folder).returncode == 0
    assert [message.status for message in slack.messages] == [500, 429, 200]


def test_one_that_refuses_is_named_in_the_log_and_not_asked_again(slack, folder):
    slack.answers = [404]
    (folder / "slack_webhook").write_text(slack.url)
    done = tell(folder)
    assert (done.returncode, done.stderr) == (1, "slack_webhook was not told: HTTP 404\n")
    assert len(slack.messages) == 1


def test_a_redirect_is_not_followed(slack, folder):
    slack.answers = [(302, {"Location": slack.url}), 200]
    (folder / "slack_webhook").write_text(slack.url)
    assert tell(folder).returncode == 1
    assert len(slack.messages) == 1


@pytest.mark.parametrize(
    "url", ["http://[::1/secret", "http://127.0.0.1:x/secret", "https:///secret"]
)
def test_no_error_shows_the_address(folder, url):
    (folder / "slack_webhook").write_text(url)
    done = tell(folder)
    assert done.returncode == 1
    assert "secret" not in done.stdout + done.stderr


def test_a_name_that_would_be_a_mention_is_inert(slack, folder):
    (folder / "slack_webhook").write_text(slack.url)
    assert tell(folder, unit="<!here>`x`\n").returncode == 0
    assert "<!here>" not in slack.messages[0].payload["text"]
    assert "&lt;!here&gt;'x'" in slack.messages[0].payload["text"]


@pytest.mark.parametrize("given", ["no folder", "an empty one"])
def test_without_a_credential_it_fails_and_says_so(folder, given):
    done = tell(None if given == "no folder" else folder)
    assert (done.returncode, done.stdout) == (3, "")
    assert "nobody is told" in done.stderr


def test_without_a_unit_it_says_how_it_is_called():
    assert tell(None, unit=None).returncode == 2
