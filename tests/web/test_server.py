"""The server's own life: start, stop, death."""

import socket
import threading
import time
from pathlib import Path

import pytest
import requests

from cronverifyd.errors import StateError
from cronverifyd.web.server import Server
from cronverifyd.web.sockets import bind_tcp, bind_unix


class Deaths:
    """What on_death was told, and where."""

    def __init__(self) -> None:
        self.told = threading.Event()
        self.errors = []
        self.thread = None

    def __call__(self, error) -> None:
        self.errors.append(error)
        self.thread = threading.current_thread().name
        self.told.set()


class App:
    """A WSGI application whose requests wait until they are let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, environ, start_response) -> list[bytes]:
        if environ["PATH_INFO"] == "/wait":
            self.entered.release()
            self.go.wait(20)
        if environ["PATH_INFO"] == "/raise":
            raise RuntimeError("a secret thing")
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
        return [b"done"]


@pytest.fixture
def app():
    app = App()
    yield app
    app.go.set()


@pytest.fixture
def deaths():
    return Deaths()


@pytest.fixture
def server(app, deaths):
    server = Server("trigger", app, bind_tcp("127.0.0.1", 0), deaths)
    server.start()
    yield server
    server.stop()


def get(server, path):
    return requests.get(f"http://127.0.0.1:{server.port}{path}", timeout=10)


def timed(call, *arguments: object):
    begun = time.monotonic()
    call(*arguments)
    return time.monotonic() - begun


def test_it_serves_in_a_thread_that_bears_its_name(server):
    assert get(server, "/").text == "done"
    assert "trigger" in [thread.name for thread in threading.enumerate()]


def test_it_stops_at_once_and_gives_its_port_back(server, deaths):
    port = server.port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        assert timed(server.stop) < 1
        while idle.recv(65_536):
            pass
    bind_tcp("127.0.0.1", port).close()
    assert "trigger" not in [thread.name for thread in threading.enumerate()]
    assert deaths.errors == []


def test_it_leaves_no_descriptor_open(app, deaths):
    before = descriptors()
    server = Server("trigger", app, bind_tcp("127.0.0.1", 0), deaths)
    server.start()
    get(server, "/")
    server.stop()
    assert descriptors() == before


def descriptors():
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_it_stops_twice_as_well_as_once(server):
    server.stop()
    server.stop()


def test_one_that_never_started_gives_its_port_back_too(app, deaths):
    server = Server("trigger", app, bind_tcp("127.0.0.1", 0), deaths)
    port = server.port
    server.stop()
    bind_tcp("127.0.0.1", port).close()


def test_a_request_under_way_gets_its_answer(server, app):
    answers = []
    client = threading.Thread(target=lambda: answers.append(get(server, "/wait")))
    client.start()
    app.entered.acquire()
    threading.Timer(0.1, app.go.set).start()
    server.stop(timeout_s=5)
    client.join()
    assert [answer.text for answer in answers] == ["done"]


def test_a_request_that_hangs_does_not_hold_it(server, app):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        app.entered.acquire()
        assert timed(server.stop, 0.3) < 1.3
        assert client.recv(1) == b""


def test_an_application_that_raises_shows_nothing(server):
    response = get(server, "/raise")
    assert response.status_code == 500
    assert response.json() == {"success": False, "error": "internal server error"}


def test_a_client_that_leaves_in_the_middle_harms_nobody(server):
    for part in (b"", b"GET / HT", b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
            client.sendall(part)
    assert get(server, "/").text == "done"


def test_more_requests_than_threads_wait_their_turn_in_silence(server, app, caplog):
    answers = []
    clients = [
        threading.Thread(target=lambda: answers.append(get(server, "/wait").text)) for _ in range(8)
    ]
    for client in clients:
        client.start()
    for _ in range(4):
        app.entered.acquire()
    app.go.set()
    for client in clients:
        client.join()
    assert answers == ["done"] * 8
    assert caplog.records == []


class Broken:
    """Something in waitress's loop that fails outside of what the loop catches."""

    def readable(self):
        raise RuntimeError("broken")

    def close(self):
        """Hold nothing."""


def test_a_loop_that_breaks_is_told(server, deaths):
    server._map[1_000_000] = Broken()
    server._waitress.pull_trigger()
    assert deaths.told.wait(5)
    assert str(deaths.errors[0]) == "broken"
    assert deaths.thread == "trigger"


def test_a_listener_that_waitress_closed_is_told(server, deaths):
    server._waitress.trigger.pull_trigger(server._waitress.handle_close)
    assert deaths.told.wait(5)
    assert isinstance(deaths.errors[0], StateError)
    assert str(deaths.errors[0]) == "trigger: the listening socket was closed"


def test_it_serves_a_socket_file_as_well(app, deaths, tmp_path):
    server = Server("control", app, bind_unix(tmp_path / "control.sock"), deaths)
    server.start()
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(tmp_path / "control.sock"))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.makefile("rb").read().endswith(b"\r\n\r\ndone")
    finally:
        server.stop()
