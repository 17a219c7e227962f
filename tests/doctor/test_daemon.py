"""The daemon: real ones that run, hang and are gone, real ports, a script for systemctl."""

import os
import signal
import socket
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from cronverifyd.config.load import load
from cronverifyd.doctor.checks import daemon as checks
from cronverifyd.doctor.facts import Door, Holder, Running, Unit
from cronverifyd.doctor.finding import Level
from cronverifyd.doctor.look import daemon as look
from cronverifyd.state import hold
from tests.cli.process import run
from tests.doctor.place import JOB, the_one, worst
from tests.e2e.daemon import Daemon, free_port

RUNNING = Running(
    state_dir="/s",
    config="/c",
    holder=Holder(pid=7, started_at=None),
    socket=True,
    answers=True,
    silence=None,
    edited_at=None,
)
UNIT = Unit(
    load="loaded", active="active", sub="running", enabled="enabled", restarts=0, result="success"
)


def now():
    return datetime.now(UTC)


def said_of(config, refused_at=None):
    holder = look.holder(config.daemon.state_dir, now())
    return list(checks.check(look.running(config, holder, refused_at)))


@contextmanager
def stranger(port, status):
    """Let another server have a port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", port), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


@pytest.fixture
def daemon(tmp_path):
    with Daemon(tmp_path, JOB) as running:
        yield running


def test_a_daemon_that_runs_is_good(daemon):
    said = said_of(load(daemon.config))
    assert worst(said) is Level.OK
    assert f"a daemon runs (pid {daemon.process.pid}) and answers" in [each.text for each in said]
    assert any(f"{daemon.port} answers 200" in each.text for each in said)
    holder = look.holder(daemon.state, now())
    assert abs(holder.started_at - now()) < timedelta(minutes=5)
    assert look.environ(holder)["NOTIFY_SOCKET"]


def test_one_that_hangs_is_bad(daemon):
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        faults = [each for each in said_of(load(daemon.config)) if each.level is Level.BAD]
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    assert [each.check for each in faults] == ["daemon", "listener"]
    assert f"kill {daemon.process.pid}; " in faults[0].remedy


def test_what_a_killed_one_left_is_a_warning(tmp_path):
    with Daemon(tmp_path, JOB) as running:
        running.kill()
        said = said_of(load(running.config))
        running.start()
    fault = the_one(said, Level.WARNING)
    assert "left over" in fault.text
    assert fault.remedy == f"cronverifyd run --config {running.config}"


def test_where_no_daemon_runs_its_port_must_be_free(installed):
    port = free_port()
    config = installed.write(listen=f'trigger = "127.0.0.1:{port}"\nstatus = "off"\n')
    assert worst(said_of(config)) is Level.WARNING
    with stranger(port, 200):
        assert "in other hands" in the_one(said_of(config), Level.BAD).text


def test_a_lock_whose_socket_is_gone_is_bad(installed):
    with hold(installed.state):
        fault = the_one(said_of(installed.load()), Level.BAD)
    assert f"the process {os.getpid()} holds the state" in fault.text


def test_a_trigger_port_that_is_anothers_is_bad(installed):
    port = free_port()
    config = installed.write(listen=f'trigger = "127.0.0.1:{port}"\nstatus = "off"\n')
    with hold(installed.state), stranger(port, 503):
        said = [each.text for each in said_of(config) if each.check == "listener"]
    (text,) = said
    assert f"{port} answers 503: the main loop does not turn, or it is not ours" in text


def test_asking_after_the_lock_does_not_take_it(installed):
    with hold(installed.state):
        assert look.holder(installed.state, now()).pid == os.getpid()
    assert look.holder(installed.state, now()) is None


@pytest.mark.parametrize("name", ["trigger", "status"])
def test_a_listener_that_others_can_reach_is_a_warning(name):
    door = Door(name=name, host="0.0.0.0", port=8400, loopback=False, status=200)
    fault = the_one(list(checks.check(replace(RUNNING, doors=(door,)))), Level.WARNING)
    assert fault.remedy == f'{name} = "127.0.0.1:8400" in [listen]'


def test_a_config_that_the_daemon_did_not_take_is_bad(daemon):
    edited = datetime.fromtimestamp(daemon.config.stat().st_mtime, UTC)
    later, before = edited + timedelta(seconds=1), edited - timedelta(seconds=1)
    fault = the_one(said_of(load(daemon.config), refused_at=later), Level.BAD)
    assert "the one before is in force" in fault.text
    assert worst(said_of(load(daemon.config), refused_at=before)) is Level.OK


def test_a_refused_config_is_found_by_the_command(daemon, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        text = daemon.config.read_text()
        port = taken.getsockname()[1]
        daemon.config.write_text(text.replace(f":{daemon.port}", f":{port}"))
        deadline = time.monotonic() + 20
        texts = ""
        while "the one before is in force" not in texts and time.monotonic() < deadline:
            done = run("doctor", "--json", "--config", daemon.config)
            texts = str([each["text"] for each in done.json["findings"]])
        assert "the one before is in force" in texts
        daemon.config.write_text(text)


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        pytest.param({}, Level.OK, "is active (running)", id="good"),
        pytest.param({"load": "not-found"}, Level.WARNING, "has no", id="no unit"),
        pytest.param(
            {"active": "failed", "result": "exit-code"}, Level.BAD, "(exit-code)", id="failed"
        ),
        pytest.param({"active": "inactive"}, Level.WARNING, "is inactive", id="stopped"),
        pytest.param({"enabled": "disabled"}, Level.WARNING, "not started at boot", id="disabled"),
        pytest.param({"restarts": 9}, Level.WARNING, "9 times", id="restarts"),
    ],
)
def test_what_is_said_of_the_unit(changed, level, words):
    said = list(checks.check(replace(RUNNING, unit=replace(UNIT, **changed))))
    assert any(each.level is level and words in each.text for each in said)
    assert worst(said) is level


def script(folder, text):
    path = folder / "systemctl"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_systemd_is_asked_for_the_unit(tmp_path):
    said = "LoadState=loaded\\nActiveState=active\\nSubState=running\\nUnitFileState=enabled\\n"
    program = script(tmp_path, f"printf '{said}NRestarts=3\\nResult=success\\n'")
    assert look.unit(program) == replace(UNIT, restarts=3)


@pytest.mark.parametrize("text", ["exit 1", "exec sleep 60"], ids=["fails", "hangs"])
def test_a_systemctl_that_gives_no_answer_is_no_finding(tmp_path, text):
    assert look.unit(script(tmp_path, text)) is None
    assert look.unit(str(tmp_path / "none")) is None
