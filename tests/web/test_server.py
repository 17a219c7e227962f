"""The server's own life: start, stop, death."""

import json
import os
import resource
import select
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import requests

from cronverifyd.errors import StateError
from cronverifyd.web.limits import Limits, within_descriptors
from cronverifyd.web.server import Server
from cronverifyd.web.sockets import bind_tcp, bind_unix
from tests.web.loop import serving


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


# ---- those who keep it waiting ------------------------------------------------------------------

SOON = Limits(wait_s=0.6)
TOO_SLOW = {"success": False, "error": "request timeout"}


@contextmanager
def limited(app, limits):
    with serving(app, bind_tcp("127.0.0.1", 0), limits) as server:
        yield server


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def rest_of(client):
    """Read until the server closes, or resets since it has not read all."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            received += piece
    return received


def is_answered(client):
    """Wait for all of one answer, header and body; False if the server closes before."""
    received = b""
    while piece := client.recv(65_536):
        received += piece
        if received.endswith(b"\r\n\r\ndone"):
            return True
    return False


def drip(client, piece, within_s=5.0):
    """Send a piece again and again; give for how long the server let us, and its last words."""
    begun = time.monotonic()
    while not select.select([client], [], [], 0.05)[0]:
        assert time.monotonic() - begun < within_s, "it listens for ever"
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(piece)
    return time.monotonic() - begun, rest_of(client)


@pytest.mark.parametrize(
    ("opening", "piece"),
    [
        pytest.param(b"GET / HT", b"", id="a header that stops"),
        pytest.param(b"GET / HTTP/1.1\r\nX: ", b"x", id="a header, byte by byte"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nab", b"", id="half a body"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 999\r\n\r\n", b"x", id="a slow body"),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\nx\r\n",
            id="slow chunks",
        ),
    ],
)
def test_a_request_that_does_not_come_to_an_end_is_ended(app, opening, piece):
    with limited(app, SOON) as server, connect(server) as client:
        client.sendall(opening)
        took, answer = drip(client, piece)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n")
    assert json.loads(body) == TOO_SLOW
    assert 0.5 < took < 3


@pytest.mark.parametrize("piece", [b"", b"\r\n\r\n"], ids=["nothing", "blank lines"])
def test_who_asks_for_nothing_is_let_go_without_a_word(app, piece):
    with limited(app, SOON) as server, connect(server) as client:
        took, answer = drip(client, piece)
    assert answer == b""
    assert 0.5 < took < 3


def test_who_asks_now_and_then_may_stay(app):
    with limited(app, SOON) as server, connect(server) as client:
        for _ in range(4):
            time.sleep(SOON.wait_s / 2)
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert is_answered(client)


def test_an_answer_may_take_its_time(app):
    with limited(app, SOON) as server, connect(server) as client:
        client.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        app.entered.acquire()
        threading.Timer(3 * SOON.wait_s, app.go.set).start()
        assert is_answered(client)


def much(environ, start_response):
    start_response("200 OK", [("Content-Length", "12000000")])
    return [b"x" * 12_000_000]


def test_who_does_not_take_the_answer_is_let_go():
    with limited(much, SOON) as server, connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: server._waitress.active_channels, 5, "it has not accepted")
        wait_until(lambda: not server._waitress.active_channels, 5, "it waits for ever")
        assert len(rest_of(client)) < 12_000_000


# ---- too many of them ---------------------------------------------------------------------------

FEW = Limits(connections=40)  # and 5 of these places are kept free


def come(stack, server, request):
    client = stack.enter_context(connect(server))
    client.sendall(request)
    return client


def is_closed(client):
    return bool(select.select([client], [], [], 0)[0])


def test_who_has_kept_it_waiting_for_longest_makes_room(app):
    with limited(app, FEW) as server, ExitStack() as stack:
        clients = [come(stack, server, b"GET / HT") for _ in range(60)]
        wait_until(lambda: is_closed(clients[24]), 5, "nobody makes room")
        assert get(server, "/").text == "done"
        gone = [is_closed(client) for client in clients]
    assert gone == [True] * 26 + [False] * 34


def test_nobody_whose_request_is_being_answered_makes_room(app):
    asks = b"GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with limited(app, FEW) as server, ExitStack() as stack:
        clients = [come(stack, server, asks) for _ in range(40)]
        wait_until(lambda: len(server._waitress.active_channels) == 40, 5, "not all are in")
        late = [come(stack, server, asks) for _ in range(10)]
        app.go.set()
        answers = [rest_of(client) for client in [*clients, *late]]
    assert [answer.endswith(b"\r\n\r\ndone") for answer in answers] == [True] * 50


def test_more_requests_at_once_than_anybody_needs_are_not_answered(app):
    with limited(app, Limits()) as server, connect(server) as client:
        with suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(b"GET /wait HTTP/1.1\r\n\r\n" * 340)
        assert b"done" not in rest_of(client)
        assert get(server, "/").text == "done"


@contextmanager
def descriptors_up_to(soft):
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


@pytest.mark.parametrize(
    ("descriptors", "connections"), [(256, 64), (400, 100), (1_024, 256), (4_096, 256)]
)
def test_it_takes_a_quarter_of_the_descriptors_at_most(descriptors, connections):
    with descriptors_up_to(descriptors):
        assert within_descriptors(Limits()) == connections


def test_a_descriptor_beyond_1023_is_served_as_well(app):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2_048:
        pytest.skip("NOT TRIED: this process may not open 2,048 descriptors")
    with descriptors_up_to(2_048), ExitStack() as stack, limited(app, FEW) as server:
        for _ in range(1_100):
            stack.callback(os.close, os.dup(1))
        assert get(server, "/").text == "done"


def test_without_a_descriptor_it_waits_for_one_and_does_not_spin(app):
    with limited(app, FEW) as server, socket.socket() as client:
        client.settimeout(5)
        with descriptors_up_to(client.fileno() + 1), filled_up():
            client.connect(("127.0.0.1", server.port))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            spent_s = time.process_time()
            assert not select.select([client], [], [], 0.5)[0]
            spent_s = time.process_time() - spent_s
        assert rest_of(client).endswith(b"done")
    assert spent_s < 0.25


@contextmanager
def filled_up():
    """Open descriptors until there are no more."""
    with ExitStack() as stack:
        with suppress(OSError):
            while True:
                stack.callback(os.close, os.dup(1))
        yield


def wait_until(condition, within_s, what):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
