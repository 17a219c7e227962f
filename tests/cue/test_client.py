"""The client against a real server: each call, each error, and what it must not do."""

import gzip
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cronverifyd.cue.client import (
    CueApi,
    CueError,
    KeyRefusedError,
    ThrottledError,
    UnsureError,
)
from tests.cueapi.standin import API_KEY

WORKER_CUE = {
    "name": "w",
    "transport": "worker",
    "schedule": {"type": "recurring", "cron": "0 * * * *", "timezone": "UTC"},
    "payload": {"task": "t"},
}


@contextmanager
def answering(status, body=b"{}", headers=()):
    """Serve one answer to all requests; their headers are kept in `asked`."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self):
            self.server.asked.append((self.path, dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if not {"Transfer-Encoding", "Content-Length"} & dict(headers).keys():
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        do_GET = do_POST = _serve  # noqa: N815 - http.server's names

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def usage_of(server, **given):
    url = f"http://127.0.0.1:{server.server_port}"
    with CueApi(url, API_KEY, **given) as client:
        return client.usage()


def test_cues_are_made_listed_over_all_pages_changed_and_deleted(client, service):
    service.account.cue_limit = 300
    made = [client.create({**WORKER_CUE, "name": f"n{n}"}) for n in range(201)]
    listed = client.cues()
    assert {cue["name"] for cue in listed} == {f"n{n}" for n in range(201)}
    assert [each.path for each in service.asked("GET")] == [
        f"/v1/cues?limit=100&offset={offset}" for offset in (0, 100, 200)
    ]
    assert client.patch(made[0]["id"], {"description": "d"})["description"] == "d"
    client.delete(made[0]["id"])
    client.delete(made[0]["id"])  # gone is as good
    assert len(service.cues) == 200


def test_an_exact_page_is_not_taken_for_the_last(client, service):
    service.account.cue_limit = 300
    for n in range(100):
        client.create({**WORKER_CUE, "name": f"n{n}"})
    assert len(client.cues()) == 100


def test_a_fire_is_claimed_reported_once_and_not_claimed_again(client, service):
    execution = client.fire(client.create(WORKER_CUE)["id"])
    assert [each["execution_id"] for each in client.claimable("t")] == [execution]
    assert client.claimable("other") == []
    assert client.claim(execution, "web1") is True
    assert client.claim(execution, "web2") is False
    assert client.claim("nobody-knows-it", "web2") is False
    assert client.report_outcome(execution, {"success": True}) is True
    assert client.report_outcome(execution, {"success": False}) is False
    client.heartbeat("web1", ["t"])
    assert service.account.heartbeats[0][1] == {"worker_id": "web1", "handlers": ["t"]}


def test_the_secret_and_the_usage_are_read(client, service):
    assert client.webhook_secret() == service.secret
    assert client.usage()["cues"]["limit"] == 10


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        pytest.param(
            403,
            b'{"error": {"code": "cue_limit_exceeded", "message": "Limit reached", "status": 403}}',
            CueError,
            "127.0.0.1 answered 403: Limit reached",
            id="the service's error",
        ),
        pytest.param(
            422,
            b'{"error": {"message": "bad", "details": [{"field": "body.name", "message": "m"}]}}',
            CueError,
            'answered 422: bad ([{"field": "body.name", "message": "m"}])',
            id="with details",
        ),
        pytest.param(
            422, b'{"detail": [{"loc": ["body"]}]}', CueError, 'answered 422: [{"loc"', id="FastAPI"
        ),
        pytest.param(400, b'{"detail": "no"}', CueError, "answered 400: no", id="FastAPI's text"),
        pytest.param(400, b'{"error": "no"}', CueError, "answered 400: no", id="error is a text"),
        pytest.param(404, b"<h1>Not\x1b[31m found", CueError, "404: <h1>Not[31m found", id="page"),
        pytest.param(404, b"", CueError, "127.0.0.1 answered 404", id="nothing"),
        pytest.param(401, b'{"detail": "who?"}', KeyRefusedError, "401: who?", id="key"),
        pytest.param(500, b'{"error": {}}', UnsureError, "answered 500", id="500"),
        pytest.param(503, b"\xff\xfe", UnsureError, "answered 503", id="bytes"),
        pytest.param(400, b"x" * 5_000, CueError, "x" * 300 + "…", id="a long page"),
        pytest.param(400, b"[" * 100_000, CueError, "[[[", id="deep"),
        pytest.param(200, b"[]", UnsureError, "no JSON object", id="200 with a list"),
        pytest.param(200, b"<html>", UnsureError, "no JSON object", id="200 with a page"),
        pytest.param(200, b"{" + b" " * 5_000_000, UnsureError, "more than can be", id="too much"),
        pytest.param(200, b'{"a":' * 50_000, UnsureError, "no JSON object", id="200, deep"),
    ],
)
def test_errors_are_decided_by_their_status_and_shown_in_words(status, body, error, says):
    with answering(status, body) as server, pytest.raises(error) as caught:
        usage_of(server)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()


def test_no_error_bears_the_key(monkeypatch):
    said = f'{{"error": {{"message": "key {API_KEY} is bad"}}}}'.encode()
    with answering(400, said) as server, pytest.raises(CueError) as caught:
        usage_of(server)
    assert "[redacted]" in str(caught.value)
    with pytest.raises(UnsureError) as unheard, CueApi("http://127.0.0.1:9", API_KEY) as client:
        client.usage()
    chain = [unheard.value, unheard.value.__cause__]
    assert API_KEY not in str(caught.value) + repr(chain)
    assert "127.0.0.1 gave no answer (ConnectionError)" in str(unheard.value)


def test_redirects_are_not_followed_and_the_key_goes_nowhere_else():
    with answering(200) as other:
        moved = [("Location", f"{other.url}/v1/usage")]
        with answering(302, headers=moved) as server, pytest.raises(CueError) as caught:
            usage_of(server)
        assert other.asked == []
    assert caught.value.status == 302
    assert "base_url" in caught.value.remedy


def test_a_password_of_netrc_does_not_take_the_keys_place(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with answering(200) as server, CueApi(server.url, API_KEY) as client:
        client._session.trust_env = True
        client.usage()
    assert server.asked[0][1]["Authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize("key", ["cue sk", "cue\nX-Evil: 1", "clé", "a\x00"])
def test_a_key_that_no_header_can_bear_is_refused(key):
    with pytest.raises(KeyRefusedError):
        CueApi("http://127.0.0.1:9", key)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 1.0), (None, 60.0), ("soon", 60.0), ("9" * 30, 60.0)],
)
def test_429_is_waited_out_as_long_as_it_asks_for(header, seconds):
    waited = []
    headers = [("Retry-After", header)] if header else []
    with answering(429, headers=headers) as server, pytest.raises(ThrottledError) as caught:
        usage_of(server, wait=waited.append)
    assert waited == [seconds] * 5
    assert (caught.value.retry_after_s, caught.value.exit_code) == (seconds, 3)


def test_429_is_raised_at_once_where_nobody_waits_or_it_would_take_too_long():
    for headers, wait in ([("Retry-After", "5")], None), ([("Retry-After", "900")], [].append):
        with answering(429, headers=headers) as server, pytest.raises(ThrottledError):
            usage_of(server, wait=wait)
        assert len(server.asked) == 1


def test_after_the_wait_the_request_is_answered(service, clock):
    service.rate = 2
    with CueApi(service.url, API_KEY, wait=lambda s: clock.pass_(seconds=s)) as client:
        for _ in range(5):
            assert client.usage()["plan"] == "free"


def test_a_500_is_asked_for_once(client, service):
    service.provoke("POST", "/v1/cues", 500)
    with pytest.raises(UnsureError):
        client.create(WORKER_CUE)
    assert len(service.asked("POST")) == 1


def test_an_answer_that_does_not_come_is_given_up():
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:
        url = f"http://127.0.0.1:{silent.server_port}"
        with pytest.raises(UnsureError, match="ReadTimeout"):
            CueApi(url, API_KEY, timeouts_s=(1.0, 0.1)).usage()


def test_an_answer_in_chunks_or_packed_is_read():
    packed = gzip.compress(b'{"plan": "packed"}')
    with answering(200, packed, [("Content-Encoding", "gzip")]) as server:
        assert usage_of(server) == {"plan": "packed"}
    chunks = b'9\r\n{"plan": \r\nb\r\n"in chunks"\r\n1\r\n}\r\n0\r\n\r\n'
    with answering(200, chunks, [("Transfer-Encoding", "chunked")]) as server:
        assert usage_of(server) == {"plan": "in chunks"}


@pytest.mark.parametrize("body", [b"", gzip.compress(b" " * 50_000_000)], ids=["cut", "bomb"])
def test_an_answer_that_breaks_off_or_swells_is_given_up(body):
    headers = [("Content-Encoding", "gzip")] if body else [("Content-Length", "10")]
    with answering(200, body, headers) as server, pytest.raises(UnsureError):
        usage_of(server)


def test_an_answer_that_drips_is_given_up():
    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(b" ")
                    self.server.drop.wait(0.01)

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        server.drop, server.daemon_threads = threading.Event(), True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with pytest.raises(UnsureError, match="more than can be read"):
            usage_of(server, whole_s=0.2)
        server.shutdown()


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("cues", b'{"cues": {}}'),
        ("cues", b'{"cues": [1]}'),
        ("cues", b"{}"),
        ("webhook_secret", b'{"webhook_secret": null}'),
    ],
)
def test_an_answer_without_what_was_asked_for_is_not_taken_for_none(call, body):
    with answering(200, body) as server, pytest.raises(UnsureError):
        getattr(CueApi(server.url, API_KEY), call)()
