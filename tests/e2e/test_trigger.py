"""POST /verify of the real daemon: the tutorial's last step, and who is let in with what."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from cronverifyd.cue.signature import sign
from tests.e2e.daemon import SECRET, Daemon, run_cronverifyd

TUTORIAL = Path(__file__).parents[1] / "fixtures" / "cron_config.json"
SIGNING_SECRET = "whsec_0123456789abcdef"
CUEAPI = f'[cueapi]\ntransport = "webhook"\nsigning_secrets = ["{SIGNING_SECRET}"]\n'
DAILY = """
[jobs.invoice-gen]
schedule = "0 3 * * *"

[jobs.db-backup]
schedule = "0 4 * * *"
"""


class Imported(Daemon):
    """A daemon on what `config import` makes of the tutorial's cron_config.json."""

    def configure(self, jobs):
        del jobs
        done = run_cronverifyd("config", "import", TUTORIAL, "-o", self.config, env=self._env)
        assert done.returncode == 0, done.stderr
        text = self.config.read_text()
        self.config.write_text(
            f'{text}\n[listen]\ntrigger = "127.0.0.1:{self.port}"\nstatus = "off"\n'
        )


@pytest.fixture
def curl():
    if shutil.which("curl") is None:
        pytest.skip("THE TUTORIAL'S CURL WAS NOT TRIED: curl is absent")
    return lambda *words: json.loads(
        subprocess.run(["curl", "-s", *words], capture_output=True, check=True, timeout=20).stdout
    )


def test_the_tutorials_last_step_works_as_it_stands(tmp_path, slack, curl):
    secrets = {"CUEAPI_WEBHOOK_SECRET": "whsec_tutorial", "SLACK_WEBHOOK_URL": slack.url}
    with Imported(tmp_path, None, **secrets) as running:
        running.append(
            job_name="invoice-gen",
            run_date=time.strftime("%Y-%m-%d", time.gmtime()),
            completed_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            status="failed",
            error_message="SMTP timeout",
        )
        url = f"http://127.0.0.1:{running.port}/verify"
        answer = curl("-X", "POST", url, "-H", "X-Cue-Secret: whsec_tutorial")
        (message,) = slack.wait_for("invoice-gen failed", within_s=5)

    assert (answer["success"], answer["checked"], answer["failures"]) == (False, 10, 1)
    (detail,) = answer["details"]
    assert detail["job"] == "invoice-gen"
    assert detail["verdict"] == "failed"
    assert detail["error"] == "SMTP timeout"
    assert "SMTP timeout" in message.whole


def test_an_empty_secret_is_refused_at_the_start(tmp_path):
    daemon = Imported(tmp_path, None, CUEAPI_WEBHOOK_SECRET="x", SLACK_WEBHOOK_URL="http://x/y")
    given = {"CUEAPI_WEBHOOK_SECRET": "", "SLACK_WEBHOOK_URL": "http://x/y"}
    done = run_cronverifyd("run", "--config", daemon.config, env=given)

    assert done.returncode == 2
    assert "cueapi.shared_secret: empty secret" in done.stderr


def test_a_job_that_is_asked_for_by_name_is_the_only_one_that_is_checked(daemon):
    running = daemon(DAILY)
    running.append({"job": "invoice-gen", "status": "failed"})

    assert running.verify(b'{"job": "db-backup"}') == (
        200,
        {
            "success": True,
            "result": "1 job checked, all well",
            "checked": 1,
            "failures": 0,
            "details": [],
        },
    )
    assert running.verify(b'{"job": "invoice-gen"}')[1]["failures"] == 1
    assert running.verify(b"{}")[1]["checked"] == 2


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        pytest.param(b"", {"X-Cue-Secret": "wrong"}, 401, id="a wrong secret"),
        pytest.param(b"", {"X-Cue-Secret": ""}, 401, id="an empty secret"),
        pytest.param(b"", {}, 401, id="no secret"),
        pytest.param(b'{"job": "no-such-job"}', {}, 401, id="an unknown job without a secret"),
        pytest.param(b'{"job": "no-such-job"}', {"X-Cue-Secret": SECRET}, 404, id="unknown job"),
        pytest.param(b"{", {"X-Cue-Secret": SECRET}, 400, id="no JSON"),
        pytest.param(b"[]", {"X-Cue-Secret": SECRET}, 400, id="no object"),
        pytest.param(b" " * 65_537, {"X-Cue-Secret": SECRET}, 413, id="a body over 64 KiB"),
        pytest.param(b" " * 65_536, {"X-Cue-Secret": SECRET}, 200, id="a body of just 64 KiB"),
    ],
)
def test_a_request_is_answered_with_its_own_status(one_daemon, body, headers, status):
    given = {"Content-Type": "application/json"} | headers
    assert one_daemon.request("POST", "/verify", body, given)[0] == status


def test_a_body_that_is_not_json_is_415(one_daemon):
    given = {"Content-Type": "text/plain", "X-Cue-Secret": SECRET}
    assert one_daemon.request("POST", "/verify", b'{"job": "db-backup"}', given)[0] == 415


def test_healthz_says_that_the_main_loop_turns(one_daemon):
    assert one_daemon.request("GET", "/healthz") == (200, {"ok": True})


@pytest.fixture(scope="module")
def one_daemon(tmp_path_factory):
    with Daemon(tmp_path_factory.mktemp("one"), DAILY) as running:
        yield running


def test_a_delivery_of_cueapi_is_taken_and_its_replay_gets_the_first_answer(daemon):
    running = daemon(DAILY, cueapi=CUEAPI)
    running.append(job="invoice-gen", status="failed")
    body, headers = delivery("exec-1", {"job": "invoice-gen"})
    first = running.verify(body, **headers)
    running.append(job="invoice-gen", status="success")

    assert first[0] == 200
    assert first[1]["failures"] == 1
    assert running.verify(body, **headers) == first
    other, its_headers = delivery("exec-2", {"job": "invoice-gen"})
    assert running.verify(other, **its_headers)[1]["failures"] == 0


def test_a_replay_gets_the_first_answer_across_a_restart(daemon):
    running = daemon(DAILY, cueapi=CUEAPI)
    running.append(job="invoice-gen", status="failed")
    body, headers = delivery("exec-1", {"job": "invoice-gen"})
    first = running.verify(body, **headers)
    running.stop()
    running.append(job="invoice-gen", status="success")
    running.start()

    assert running.verify(body, **headers) == first


@pytest.mark.parametrize(
    ("age_s", "secret"),
    [
        pytest.param(301, SIGNING_SECRET, id="too old"),
        pytest.param(0, "whsec_other", id="another secret"),
    ],
)
def test_a_delivery_that_is_not_signed_well_is_turned_away(cue_daemon, age_s, secret):
    body, headers = delivery("exec-3", {"job": "invoice-gen"}, age_s=age_s, secret=secret)
    assert cue_daemon.verify(body, **headers)[0] == 401


@pytest.fixture(scope="module")
def cue_daemon(tmp_path_factory):
    with Daemon(tmp_path_factory.mktemp("cue"), DAILY, cueapi=CUEAPI) as running:
        yield running


def delivery(execution, payload, *, age_s=0, secret=SIGNING_SECRET):
    """Make what CueAPI would send: the body, and the headers with `_` for `-`."""
    body = json.dumps(
        {"attempt": 1, "cue_id": "cue_1", "execution_id": execution, "payload": payload}
    ).encode()
    timestamp = str(int(time.time()) - age_s)
    return body, {
        "X_CueAPI_Signature": sign(secret, timestamp, body),
        "X_CueAPI_Timestamp": timestamp,
    }
