"""The real daemon and CueAPI's stand-in: deliveries, the worker, and the outcomes that are told."""

import pytest

from cronverifyd.cue.client import CueApi
from tests.cueapi.standin import API_KEY, WEBHOOK_SECRET, Standin, WallClock
from tests.e2e.daemon import Daemon, wait_until

JOB = '[jobs.a]\nschedule = "every 1h"\n'
TASK = "cronverifyd/testhost"


@pytest.fixture
def service():
    with Standin(WallClock(), rate=10_000, allow_loopback=True) as standin:
        yield standin


@pytest.fixture
def account(service):
    with CueApi(service.url, API_KEY) as client:
        yield client


def cueapi(service, transport):
    secret = f'signing_secrets = ["{WEBHOOK_SECRET}"]\n' if transport == "webhook" else ""
    return (
        f'[cueapi]\ntransport = "{transport}"\nbase_url = "{service.url}"\n'
        f'api_key = "{API_KEY}"\n{secret}'
    )


def cue(**changed):
    return {
        "name": f"{TASK}/a",
        "schedule": {"type": "recurring", "cron": "50 3 * * *", "timezone": "UTC"},
        "payload": {"job": "a", "instance": "testhost", "v": 1},
        "retry": {"max_attempts": 10, "backoff_minutes": [1, 2, 5]},
    } | changed


def outcomes(service, execution):
    path = f"/v1/executions/{execution}/outcome"
    return [each.body for each in service.asked("POST") if each.path == path]


def test_a_delivery_is_answered_and_its_outcome_told_with_the_evidence(
    tmp_path, slack, service, account
):
    with Daemon(tmp_path, JOB, slack, cueapi=cueapi(service, "webhook")) as running:
        running.append({"job": "a", "status": "success", "run": "r-good"})
        url = f"http://127.0.0.1:{running.port}/verify"
        callback = {"url": url, "method": "POST", "headers": {}}
        made = account.create(cue(transport="webhook", callback=callback))
        execution = account.fire(made["id"])
        service.turn()
        ((_, _, status),) = service.deliveries
        assert status == 200
        assert service.account.executions[execution].outcome["success"] is True
        wait_until(lambda: outcomes(service, execution), 10, "the outcome")
        (told,) = outcomes(service, execution)
        assert (told["success"], told["external_id"]) == (True, "r-good")
        assert told["summary"].startswith("a: ok: ended with status")
        (job,) = running.status()["jobs"]
        assert job["verdict"] == "ok"


def test_a_job_that_is_not_well_is_no_success(tmp_path, slack, service, account):
    with Daemon(tmp_path, JOB, slack, cueapi=cueapi(service, "webhook")) as running:
        running.append({"job": "a", "status": "failed", "error": "disk full"})
        url = f"http://127.0.0.1:{running.port}/verify"
        callback = {"url": url, "method": "POST", "headers": {}}
        service.provoke("POST", r"/v1/executions/.*/outcome", 503, times=2)
        execution = account.fire(account.create(cue(transport="webhook", callback=callback))["id"])
        service.turn()
        wait_until(lambda: len(outcomes(service, execution)) == 3, 15, "the outcome, at last")
        told = outcomes(service, execution)[-1]
        assert told["success"] is False
        assert told["error"].splitlines()[1].startswith('a: failed: ended with status "failed"')


def test_the_worker_asks_claims_judges_and_reports(tmp_path, slack, service, account):
    payload = {"job": "a", "instance": "testhost", "v": 1, "task": TASK}
    with Daemon(tmp_path, JOB, slack, cueapi=cueapi(service, "worker")) as running:
        running.append({"job": "a", "status": "success", "run": "r-good"})
        execution = account.fire(account.create(cue(transport="worker", payload=payload))["id"])
        done = service.account.executions[execution]
        wait_until(lambda: done.outcome is not None, 15, "the worker's outcome")
        assert (done.status, done.outcome["external_id"]) == ("success", "r-good")
        assert done.claimed_by == TASK
        assert service.account.heartbeats


def test_the_key_stands_nowhere_but_in_the_configuration(tmp_path, slack, service):
    with Daemon(tmp_path, JOB, slack, cueapi=cueapi(service, "worker")) as running:
        service.provoke("GET", r"/v1/executions/claimable.*", 401, times=3)
        wait_until(lambda: service.asked("GET"), 10, "a request")
        assert API_KEY not in running.log
    for path in running.state.iterdir():
        if path.is_file():
            assert API_KEY.encode() not in path.read_bytes(), path
