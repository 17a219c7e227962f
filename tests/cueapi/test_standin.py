"""The stand-in refuses what CueAPI refuses, and has its traps."""

import http.server
import json
import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import requests

from cronverifyd.cue.signature import verify
from tests.cueapi import rules
from tests.cueapi.standin import Clock, Standin

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PUBLIC = "https://cron.example.com/verify"
HOURLY = {"type": "recurring", "cron": "0 * * * *", "timezone": "Europe/Paris"}


@pytest.fixture
def clock():
    return Clock(NOON)


@pytest.fixture
def service(clock):
    with Standin(clock, allow_loopback=True) as running:
        yield running


@pytest.fixture
def ask(service):
    def call(method, path, body=None, *, key=service.api_key):
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {key}"}
            answer = session.request(method, service.url + path, json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    return call


@pytest.fixture
def listener():
    """A listener for deliveries: `answers` are the statuses to come, the last one stays."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append((body, dict(self.headers)))
            answers = self.server.answers
            self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.got, server.answers = [], [200]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.url = f"http://127.0.0.1:{server.server_port}/verify"
        yield server
        server.shutdown()


def cue(name="n", **changed):
    given = {"name": name, "schedule": HOURLY, "callback": {"url": PUBLIC}, "payload": {"a": 1}}
    return given | changed


def to(listener, **changed):
    return cue(callback={"url": listener.url}, **changed)


def worker(name="w", task="t"):
    return cue(name, transport="worker", callback=None, payload={"task": task})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(cue(callback={"url": "http://cron.example.com/"}), 400, id="not https"),
        pytest.param(cue(callback={"url": "https://10.0.0.1/"}), 400, id="private"),
        pytest.param(cue(callback={"url": PUBLIC, "method": "post"}), 409, id="method post"),
        pytest.param(cue(callback=None), 422, id="no callback"),
        pytest.param(cue(transport="pigeon"), 422, id="transport"),
        pytest.param(cue(name="n" * 256), 422, id="long name"),
        pytest.param(cue(schedule=HOURLY | {"timezone": "Paris"}), 422, id="zone"),
        pytest.param(cue(schedule=HOURLY | {"cron": "every 5m"}), 400, id="cron"),
        pytest.param(cue(schedule=HOURLY | {"cron": "0 0 31 4 *"}), 500, id="impossible cron"),
        pytest.param(cue(retry={"max_attempts": 11}), 422, id="eleven attempts"),
        pytest.param(cue(payload={"a": "x" * 1_048_576}), 400, id="large payload"),
    ],
)
def test_what_the_service_refuses_is_refused(ask, service, body, status):
    assert ask("POST", "/v1/cues", body)[0] == status
    assert service.cues == {}


def test_loopback_is_refused_without_the_switch(ask, service):
    service.account.allow_loopback = False
    assert ask("POST", "/v1/cues", cue(callback={"url": "https://127.0.0.1/"}))[0] == 400


def test_a_wrong_key_is_401(ask):
    status, answer = ask("GET", "/v1/cues", key="cue_sk_wrong")
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")


def test_names_are_unique_and_the_eleventh_cue_is_one_too_many(ask, service):
    for number in range(10):
        assert ask("POST", "/v1/cues", cue(f"n{number}"))[0] == 201
    assert ask("POST", "/v1/cues", cue("n3"))[0] == 409
    status, answer = ask("POST", "/v1/cues", cue("n10"))
    assert (status, answer["error"]["code"]) == (403, "cue_limit_exceeded")
    assert ask("GET", "/v1/usage")[1]["cues"] == {"used": 10, "limit": 10, "remaining": 0}
    assert len(service.cues) == 10


def test_the_list_comes_in_pages_newest_first(ask, service):
    service.account.cue_limit, service.rate = 200, 1_000
    for number in range(7):
        ask("POST", "/v1/cues", cue(f"n{number}"))
    _, answer = ask("GET", "/v1/cues?limit=3&offset=6")
    assert ([each["name"] for each in answer["cues"]], answer["total"]) == (["n0"], 7)
    assert ask("GET", "/v1/cues?limit=101")[0] == 422


def test_the_61st_request_of_a_minute_is_429(ask, clock):
    assert {ask("GET", "/v1/usage")[0] for _ in range(60)} == {200}
    assert ask("GET", "/v1/usage")[0] == 429
    clock.pass_(seconds=61)
    assert ask("GET", "/v1/usage")[0] == 200


def test_a_patch_replaces_groups_whole_and_leaves_nulls_alone(ask):
    made = cue(callback={"url": PUBLIC, "headers": {"X-Cue-Secret": "s"}})
    path = f"/v1/cues/{ask('POST', '/v1/cues', made)[1]['id']}"
    _, shown = ask("PATCH", path, {"callback": {"url": PUBLIC}, "payload": None})
    assert (shown["callback"]["headers"], shown["payload"]) == ({}, {"a": 1})
    _, shown = ask("PATCH", path, {"schedule": {"type": "recurring", "cron": "0 9 * * *"}})
    assert shown["schedule"]["timezone"] == "UTC"
    assert ask("PATCH", path, {"transport": "worker"})[0] == 422
    ask("POST", "/v1/cues", cue("other"))
    assert ask("PATCH", path, {"name": "other"})[0] == 500


@pytest.mark.parametrize(
    ("change", "fired"),
    [({"schedule": HOURLY}, 0), ({"payload": {"b": 2}}, 1), ({"description": "d"}, 1)],
    ids=["schedule", "payload", "description"],
)
def test_a_patch_with_a_schedule_loses_a_fire_that_is_due(ask, service, listener, change, fired):
    _, shown = ask("POST", "/v1/cues", to(listener))
    service.clock.pass_(hours=1, seconds=1)
    ask("PATCH", f"/v1/cues/{shown['id']}", change)
    service.turn()
    assert len(listener.got) == fired


def test_a_delivery_is_signed_over_its_raw_body(ask, service, listener):
    ask("POST", "/v1/cues", to(listener))
    service.clock.pass_(hours=1, seconds=3)
    service.turn()
    ((body, headers),) = listener.got
    given = {"signature": headers["X-CueAPI-Signature"], "now": service.clock.now(), "body": body}
    assert verify([service.secret], timestamp=headers["X-CueAPI-Timestamp"], **given)
    assert json.loads(body)["scheduled_for"] == "2026-05-04T13:00:00+00:00"
    assert body.startswith(b'{"attempt": 1, "cue_id": "cue_')


def test_what_is_not_2xx_is_tried_again_until_the_attempts_are_used_up(ask, service, listener):
    listener.answers = [500]
    ask("POST", "/v1/cues", to(listener, retry={"max_attempts": 3, "backoff_minutes": [1, 5]}))
    service.clock.pass_(hours=1)
    tries = []
    for _ in range(30):
        service.turn()
        tries.append(len(listener.got))
        service.clock.pass_(minutes=1)
    assert tries[:8] == [1, 2, 2, 2, 2, 2, 3, 3]
    assert tries[-1] == 3


def test_after_a_downtime_the_missed_slots_come_one_a_turn(ask, service, listener):
    ask("POST", "/v1/cues", to(listener))
    with service.downtime():
        service.clock.pass_(hours=3)
        service.turn()
        assert ask_status(service) == 503
    for count in (1, 2, 3, 3):
        service.turn()
        assert len(listener.got) == count
    scheduled = [json.loads(body)["scheduled_for"][11:16] for body, _ in listener.got]
    assert scheduled == ["13:00", "14:00", "15:00"]


def ask_status(service):
    return requests.get(service.url + "/v1/usage", timeout=5).status_code


def test_the_same_execution_may_come_twice(ask, service, listener):
    ask("POST", "/v1/cues", to(listener))
    service.twice = True
    service.clock.pass_(hours=1)
    service.turn()
    first, second = [json.loads(body) for body, _ in listener.got]
    assert first == second


def test_an_outcome_is_written_once(ask, service):
    _, shown = ask("POST", "/v1/cues", cue())
    _, execution = ask("POST", f"/v1/cues/{shown['id']}/fire")
    path = f"/v1/executions/{execution['id']}/outcome"
    assert ask("POST", path, {"success": True, "result": "x" * 2001})[0] == 422
    assert ask("POST", path, {"success": True, "metadata": {"a": "x" * 10_240}})[0] == 400
    assert ask("POST", path, {"success": True, "external_id": "r1"})[0] == 200
    assert ask("POST", path, {"success": False})[0] == 409


def test_a_worker_claims_what_no_other_has(ask, service):
    ask("POST", "/v1/cues", worker())
    service.clock.pass_(hours=1)
    service.turn()
    (execution,) = ask("GET", "/v1/executions/claimable?task=t")[1]["executions"]
    assert ask("GET", "/v1/executions/claimable?task=other")[1]["executions"] == []
    path = f"/v1/executions/{execution['execution_id']}"
    assert ask("POST", f"{path}/claim", {"worker_id": ""})[0] == 422
    assert ask("POST", f"{path}/claim", {"worker_id": "a"})[0] == 200
    assert ask("POST", f"{path}/claim", {"worker_id": "b"})[0] == 409
    assert ask("POST", f"{path}/outcome", {"success": True})[0] == 200


def test_what_nobody_claims_in_fifteen_minutes_is_missed(ask, service):
    ask("POST", "/v1/cues", worker())
    service.clock.pass_(hours=1)
    service.turn()
    service.clock.pass_(seconds=901)
    service.turn()
    assert ask("GET", "/v1/executions/claimable")[1]["executions"] == []


@pytest.mark.parametrize("after", [False, True], ids=["nothing done", "done all the same"])
def test_a_fault_may_come_after_the_deed(ask, service, after):
    service.provoke("POST", "/v1/cues", 500, after=after)
    assert ask("POST", "/v1/cues", cue())[0] == 500
    assert bool(service.cues) is after


# Measured with croniter 6.2.2, which the service pins.
@pytest.mark.parametrize(
    ("cron", "zone", "after", "local"),
    [
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:00", "30T02:30"]),
        pytest.param("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25T02:30"] * 2),
        pytest.param("55 1 * * *", "Europe/Berlin", "2026-10-24T12:00", ["25T01:55", "26T01:55"]),
        pytest.param("0 3 * * *", "Europe/Berlin", "2026-03-28T12:00", ["29T03:00", "30T03:00"]),
        pytest.param("0 0 */2 * 1", "UTC", "2026-01-01T00:00", ["03T00:00", "05T00:00"]),
        pytest.param("0 0 1 * 1", "UTC", "2026-01-26T00:00", ["01T00:00", "02T00:00"]),
    ],
)
def test_cron_fires_as_the_services_does(cron, zone, after, local):
    start = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    found = rules.fires(cron, zone, start.astimezone(UTC), len(local))
    assert [f"{at.astimezone(ZoneInfo(zone)):%dT%H:%M}" for at in found] == local
    assert found[1] - found[0] >= timedelta(hours=1)
