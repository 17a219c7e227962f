"""The control socket: the command line's client against the real application."""

import os
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from cronverifyd.errors import StateError, UnknownJobError
from cronverifyd.model import BadJob, TriggeredBy, Verdict, Verified, Verify
from cronverifyd.web.answer import answer
from cronverifyd.web.client import ask_daemon
from cronverifyd.web.control import create_app
from cronverifyd.web.sockets import bind_unix
from tests.web.loop import Loop, serving

VERIFIED = Verified(
    checked=2,
    details=(
        BadJob(
            job="a",
            slot=datetime(2026, 11, 24, 3, 0, tzinfo=UTC),
            verdict=Verdict.MISSED,
            issue="no sign of a run",
        ),
    ),
)


@contextmanager
def controlling(path, *answers: object, within_s=5.0):
    with Loop(*answers, within_s=within_s) as loop, serving(create_app(loop), bind_unix(path)):
        yield loop


@contextmanager
def answering(path, reply):
    """Take one connection, read its request, send `reply` (None: nothing) and close."""
    release = threading.Event()

    def serve():
        connection, _ = server.accept()
        with connection:
            request = b""
            while not request.endswith(b"}"):
                request += connection.recv(65_536)
            if reply is None:
                release.wait(10)
            else:
                connection.sendall(reply)

    with bind_unix(path) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        release.set()
        thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "control.sock"


@pytest.mark.parametrize(
    ("jobs", "asked"), [(None, None), (["a", "b"], ("a", "b"))], ids=["all", "two"]
)
def test_a_check_is_answered_as_a_trigger_is(path, jobs, asked):
    with controlling(path, VERIFIED) as loop:
        assert ask_daemon(path, "/check", {"jobs": jobs}, 5) == (200, answer(VERIFIED))
    assert loop.asked == [Verify(jobs=asked, triggered_by=TriggeredBy.CHECK)]


def test_a_job_that_nobody_knows_is_404(path):
    with controlling(path, UnknownJobError("no job is called x")):
        status, document = ask_daemon(path, "/check", {"jobs": ["x"]}, 5)
    assert (status, document) == (404, {"success": False, "error": "no job is called x"})


def test_when_the_main_loop_gives_no_answer_it_is_503(path):
    with controlling(path, within_s=0.05):
        status, document = ask_daemon(path, "/check", {"jobs": None}, 5)
    assert (status, document["success"]) == (503, False)


@pytest.mark.parametrize(
    "payload",
    [{}, {"jobs": []}, {"jobs": "a"}, {"jobs": [1]}, {"jobs": None, "x": 1}],
    ids=["nothing", "no job", "a text", "a number", "another key"],
)
def test_a_request_that_cannot_be_read_is_400(path, payload):
    with controlling(path, VERIFIED) as loop:
        status, document = ask_daemon(path, "/check", payload, 5)
    assert (status, loop.asked) == (400, [])
    assert document["error"].startswith("cannot read the request: ")


def test_there_is_nothing_else(path):
    with controlling(path, VERIFIED):
        assert ask_daemon(path, "/verify", {}, 5)[0] == 404


def nothing(_):
    """Leave the path empty."""


def left_over(path):
    bind_unix(path).close()


def a_file(path):
    path.write_text("not a socket")


@pytest.mark.parametrize("prepare", [nothing, left_over, a_file])
def test_without_a_daemon_the_state_cannot_be_reached(path, prepare):
    prepare(path)
    with pytest.raises(StateError, match=r"^no daemon listens on .*control\.sock$") as caught:
        ask_daemon(path, "/check", {}, 5)
    assert caught.value.exit_code == 3
    assert "cronverifyd run" in caught.value.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_use_the_socket_file_hears_who_may(path):
    path.parent.chmod(0o700)
    with bind_unix(path):
        os.seteuid(65_534)
        try:
            with pytest.raises(StateError, match="Permission denied") as caught:
                ask_daemon(path, "/check", {}, 5)
        finally:
            os.seteuid(0)
    assert "owner of the state folder" in caught.value.remedy


def test_a_daemon_that_hangs_is_not_waited_for(path):
    with (
        answering(path, None),
        pytest.raises(StateError, match=r"gave no answer within 0\.1 s"),
    ):
        ask_daemon(path, "/check", {}, 0.1)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello\r\n\r\n", id="not HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", id="cut"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{", id="not JSON"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", id="a list"),
    ],
)
def test_an_answer_that_is_none_is_said_to_be_none(path, reply):
    with answering(path, reply), pytest.raises(StateError, match="answer broke off"):
        ask_daemon(path, "/check", {}, 5)


def test_a_path_longer_than_a_socket_address_works_on_both_sides(tmp_path):
    folder = tmp_path / ("n" * 100) / ("m" * 100)
    folder.mkdir(parents=True)
    path = folder / "control.sock"
    with controlling(path, VERIFIED):
        assert path.is_socket()
        assert ask_daemon(path, "/check", {"jobs": None}, 5)[0] == 200


def test_a_long_path_without_a_daemon_is_a_state_error_too(tmp_path):
    path = tmp_path / ("n" * 200) / "control.sock"
    with pytest.raises(StateError, match="no daemon listens"):
        ask_daemon(path, "/check", {}, 5)


def test_the_request_is_plain_http(path):
    with bind_unix(path) as server:
        heard = []

        def serve():
            connection, _ = server.accept()
            with connection:
                while not b"".join(heard).endswith(b"}"):
                    heard.append(connection.recv(65_536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve)
        thread.start()
        assert ask_daemon(path, "/check", {"jobs": ["ä"]}, 5) == (200, {})
        thread.join()
    assert heard[0].startswith(b"POST /check HTTP/1.1\r\nHost: localhost\r\n")
    assert b"".join(heard).endswith(b'\r\n\r\n{"jobs": ["\\u00e4"]}')
