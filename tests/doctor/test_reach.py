"""Channels, heartbeat, CueAPI and the tunnel, against servers on loopback; nothing is sent."""

import os
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from cronverifyd.doctor.checks import reach as checks
from cronverifyd.doctor.facts import Database, Past, Way
from cronverifyd.doctor.finding import Level
from cronverifyd.doctor.look import reach
from tests.builders import at
from tests.cli.process import run
from tests.cueapi.standin import API_KEY, Clock, Standin
from tests.doctor.place import the_one, worst
from tests.e2e.daemon import free_port

NOON = at("12:00")
NO_PAST = Past(database=Database(path="/x", sqlite=(3, 40, 1), known=5))
SLACK = '[channels.ops]\nkind = "slack"\nurl = { env = "OPS_URL" }\n'
HEART = '[channels.c]\nkind = "console"\n[heartbeat]\nurl = { env = "BEAT_URL" }\n'
WAY = Way(name="ops", kind="slack", took_at=at("11:00"))


@contextmanager
def answering(status):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        pytest.param({}, Level.OK, "1 h ago", id="good"),
        pytest.param({"took_at": None}, Level.WARNING, "no message yet", id="never used"),
        pytest.param(
            {"took_at": NOON - timedelta(days=9)}, Level.WARNING, "took its last", id="long ago"
        ),
        pytest.param({"refused_at": at("11:30")}, Level.BAD, "has refused", id="refused"),
        pytest.param({"refused_at": at("10:30")}, Level.OK, "1 h ago", id="refused before"),
        pytest.param({"waits_since": at("11:30")}, Level.BAD, "for 30 min", id="waits"),
        pytest.param({"waits_since": at("11:58")}, Level.OK, "1 h ago", id="waits a moment"),
        pytest.param({"error": "no secret"}, Level.BAD, "no secret", id="cannot be used"),
    ],
)
def test_what_is_said_of_a_channel(changed, level, words):
    (said,) = checks.ways([replace(WAY, **changed)], NOON)
    assert said.level is level
    assert words in said.text


def test_a_secret_that_cannot_be_found_is_bad(installed):
    config = installed.write(SLACK)
    (said,) = checks.ways(reach.ways(config, NO_PAST, {}), NOON)
    assert said.level is Level.BAD
    assert "no environment variable OPS_URL" in said.text
    found = reach.ways(config, NO_PAST, {"OPS_URL": "https://hooks.slack.com/services/x"})
    assert [each.level for each in checks.ways(found, NOON)] == [Level.WARNING]


def test_a_program_that_is_not_there_is_bad(installed):
    program = installed.folder / "page"
    config = installed.write(f'[channels.ops]\nkind = "command"\ncommand = ["{program}"]\n')
    (said,) = checks.ways(reach.ways(config, NO_PAST, {}), NOON)
    assert said.level is Level.BAD
    assert f"no program {program}" in said.text
    program.touch(mode=0o755)
    (said,) = checks.ways(reach.ways(config, NO_PAST, {}), NOON)
    assert said.level is Level.WARNING


@pytest.mark.parametrize(
    ("environ", "beat", "level"),
    [
        pytest.param({}, None, Level.BAD, id="no address"),
        pytest.param({"BEAT_URL": "https://hc/x"}, None, Level.WARNING, id="not yet"),
        pytest.param({"BEAT_URL": "https://hc/x"}, (NOON, ""), Level.OK, id="taken"),
        pytest.param({"BEAT_URL": "https://hc/x"}, (NOON, "404"), Level.BAD, id="refused"),
    ],
)
def test_what_is_said_of_the_heartbeat(installed, environ, beat, level):
    found = reach.ways(installed.write(HEART), replace(NO_PAST, beat=beat), environ)
    (said,) = [each for each in checks.ways(found, NOON) if each.check == "heartbeat"]
    assert said.level is level
    assert "https://hc/x" not in said.text


@pytest.fixture
def service():
    with Standin(Clock(datetime(2026, 5, 4, 12, 0, tzinfo=UTC)), rate=10_000) as running:
        yield running


def cueapi(url):
    key = 'api_key = { env = "CUEAPI_API_KEY" }'
    return f'[cueapi]\ntransport = "worker"\nbase_url = "{url}"\n{key}\n'


def test_cues_that_differ_are_a_warning_until_they_are_synced(installed, service):
    config = installed.write(cueapi(service.url))
    environ = {"CUEAPI_API_KEY": API_KEY}
    fault = the_one(list(checks.cues(reach.cues(config, environ))), Level.WARNING)
    assert "cronverifyd/testhost/db-backup" in fault.text
    assert fault.remedy == "cronverifyd cue sync"
    assert all(each.method == "GET" for each in service.requests)
    run(*fault.remedy.split()[1:], "--config", installed.path, env=environ)
    assert worst(list(checks.cues(reach.cues(config, environ)))) is Level.OK


def test_a_key_that_is_not_known_is_bad(installed, service):
    config = installed.write(cueapi(service.url))
    environ = {"CUEAPI_API_KEY": "cue_sk_" + "f" * 32}
    fault = the_one(list(checks.cues(reach.cues(config, environ))), Level.BAD)
    assert "401" in fault.text
    assert environ["CUEAPI_API_KEY"] not in str(fault)
    assert the_one(list(checks.cues(reach.cues(config, {}))), Level.BAD)


def test_a_service_that_gives_no_answer_is_a_warning(installed):
    config = installed.write(cueapi(f"http://127.0.0.1:{free_port()}"))
    found = reach.cues(config, {"CUEAPI_API_KEY": API_KEY})
    assert "gave no answer" in the_one(list(checks.cues(found)), Level.WARNING).text


def test_where_cueapi_is_off_nothing_is_asked(installed):
    assert reach.cues(installed.load(), {}) is None
    assert reach.webhook(installed.load()) is None
    assert list(checks.cues(None)) == list(checks.webhook(None)) == []


@pytest.mark.parametrize(
    ("status", "level"),
    [(200, Level.OK), (404, Level.WARNING), (502, Level.BAD), (530, Level.BAD)],
)
def test_what_answers_at_the_tunnel(status, level):
    with answering(status) as port:
        (said,) = checks.webhook(reach.tunnel(f"http://127.0.0.1:{port}/verify"))
    assert said.level is level


def test_a_tunnel_that_gives_no_answer_is_bad():
    (said,) = checks.webhook(reach.tunnel(f"http://127.0.0.1:{free_port()}/verify"))
    assert said.level is Level.BAD
    assert os.strerror(111) in said.text
