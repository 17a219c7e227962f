"""The status listener of the real daemon: page, API, metrics, readiness, and whom it refuses."""

import http.client
import json

import pytest

from tests.e2e.daemon import Daemon, free_port, run_cronverifyd, wait_until

JOB = '[jobs.a]\nschedule = "every 1h"\n'


@pytest.fixture
def running(tmp_path, slack):
    port = free_port()
    with Daemon(tmp_path, JOB, slack, status=f"127.0.0.1:{port}") as daemon:
        daemon.status_port = port
        yield daemon


def get(running, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", running.status_port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_page_api_badge_and_metrics_show_the_same_verdict(running, slack):
    running.append({"job": "a", "status": "failed"})
    slack.wait_for("a failed", within_s=5)
    status, text = get(running, "/api/v1/status")
    (job,) = json.loads(text)["jobs"]
    assert (status, job["verdict"]) == (200, "failed")
    assert json.loads(run_cronverifyd("status", "--json", "--config", running.config).stdout)[
        "jobs"
    ] == [job]
    for path, words in (
        ("/", "1 job is not well"),
        ("/jobs/a", "failed"),
        ("/badge/a.svg", "failed"),
        ("/metrics", 'verdict="failed"'),
    ):
        status, text = get(running, path)
        assert (status, words in text) == (200, True), path


def test_it_is_ready_once_every_channel_has_taken_a_message(running):
    status, text = get(running, "/readyz")
    assert status == 503
    assert "channel ops has taken no message yet (cronverifyd drill sends one)" in text
    assert run_cronverifyd("drill", "--config", running.config).returncode == 0
    wait_until(lambda: get(running, "/readyz")[0] == 200, 5, "readiness")


@pytest.mark.parametrize("host", ["localhost.evil.com", "127.0.0.1.evil.com", "evil.com:8401"])
def test_a_name_that_is_not_its_own_is_refused(running, host):
    assert get(running, "/api/v1/status", Host=host)[0] == 421
    assert get(running, "/", Host=f"localhost:{running.status_port}")[0] == 200


def test_the_trigger_shows_nothing_of_it(running):
    status, _ = running.request("GET", "/api/v1/status")[:2]
    assert status == 404


def test_a_port_that_is_taken_keeps_nobody_from_watching(tmp_path, slack, running):
    other = tmp_path / "other"
    other.mkdir()
    with Daemon(other, JOB, slack, status=f"127.0.0.1:{running.status_port}") as second:
        second.append({"job": "a", "status": "failed"})
        slack.wait_for("a failed", within_s=5)
        assert f"no status page: cannot listen on 127.0.0.1:{running.status_port}" in second.log
