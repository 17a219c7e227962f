"""The trigger listener: a real server, real requests, and each status that it may answer."""

import json
import re
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from cronverifyd.cue.signature import sign
from cronverifyd.errors import UnknownJobError
from cronverifyd.model import BadJob, TriggeredBy, Verdict, Verified, Verify
from cronverifyd.web.doors import Doors
from cronverifyd.web.sockets import bind_tcp
from cronverifyd.web.trigger import create_app
from tests.web.loop import Loop, serving

NOW = datetime(2026, 11, 24, 11, 0, 45, tzinfo=UTC)
SECRET = "open sesame"
KNOCK = {"X-Cue-Secret": SECRET}
LIMIT = 65_536
WELL = Verified(checked=10)
ILL = Verified(
    checked=10,
    details=(BadJob(job="invoice-gen", slot=NOW, verdict=Verdict.FAILED, issue="exit code 1"),),
)


@contextmanager
def listening(*answers: object, within_s=5.0):
    with Loop(*answers, within_s=within_s) as loop:
        app = create_app(loop, Doors(("whsec_a",), SECRET), lambda: NOW)
        with serving(app, bind_tcp("127.0.0.1", 0)) as server:
            yield loop, f"http://127.0.0.1:{server.port}"


@pytest.fixture
def door():
    with listening(WELL) as (loop, url):
        yield loop, url


def error_of(response):
    document = response.json()
    assert response.headers["Content-Type"] == "application/json"
    assert document.keys() == {"success", "error"}
    assert document["success"] is False
    return document["error"]


def raw(url, request):
    """Send bytes; give all bytes that come back until the server closes or, unread rest, resets."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(request)
        answer = b""
        with suppress(ConnectionResetError):
            while received := client.recv(65_536):
                answer += received
    return answer


def chunked(body, size=8_000):
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return framed + b"0\r\n\r\n"


def post(secret=SECRET, body=b"", **headers):
    given = {"Host": "x", "X-Cue-Secret": secret, "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"POST /verify HTTP/1.1\r\n{lines}\r\n".encode() + body


def test_a_knock_without_a_body_asks_for_all_jobs(door):
    loop, url = door
    response = requests.post(f"{url}/verify", headers=KNOCK, timeout=5)
    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "result": "10 jobs checked, all well",
        "checked": 10,
        "failures": 0,
        "details": [],
    }
    assert loop.asked == [Verify(jobs=None, triggered_by=TriggeredBy.HTTP)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_plainest_curl_works(door):
    _, url = door
    command = ["curl", "-sS", "-X", "POST", f"{url}/verify", "-H", f"X-Cue-Secret: {SECRET}"]
    done = subprocess.run(command, capture_output=True, timeout=10, check=True)
    assert json.loads(done.stdout)["success"] is True
    assert done.stdout.endswith(b"}\n")


def test_a_bad_job_is_an_outcome_and_no_http_error():
    with listening(ILL) as (_, url):
        response = requests.post(f"{url}/verify", headers=KNOCK, timeout=5)
    assert response.status_code == 200
    assert response.json() == {
        "success": False,
        "result": "10 jobs checked, 1 not well: invoice-gen",
        "checked": 10,
        "failures": 1,
        "details": [
            {
                "job": "invoice-gen",
                "slot": "2026-11-24T11:00:45+00:00",
                "verdict": "failed",
                "issue": "exit code 1",
                "error": None,
            }
        ],
    }


@pytest.mark.parametrize(
    "media_type", ["application/json", "application/json; charset=utf-8", "application/cue+json"]
)
def test_a_body_names_the_job(door, media_type):
    loop, url = door
    requests.post(
        f"{url}/verify", b'{"job": "a"}', headers=KNOCK | {"Content-Type": media_type}, timeout=5
    ).raise_for_status()
    assert loop.asked == [Verify(jobs=("a",))]


def test_a_signed_delivery_of_cueapi_is_let_in(door):
    loop, url = door
    body, stamp = (
        b'{"execution_id": "e1", "payload": {"jobs": ["a", "b"]}}',
        str(int(NOW.timestamp())),
    )
    headers = {
        "Content-Type": "application/json",
        "X-CueAPI-Signature": sign("whsec_a", stamp, body),
        "X-CueAPI-Timestamp": stamp,
    }
    requests.post(f"{url}/verify", body, headers=headers, timeout=5).raise_for_status()
    assert loop.asked == [
        Verify(
            jobs=("a", "b"),
            triggered_by=TriggeredBy.CUEAPI,
            execution="e1",
            owes_outcome=True,
        )
    ]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({}, b"", id="no secret"),
        pytest.param({"X-Cue-Secret": ""}, b"", id="empty secret"),
        pytest.param({"X-Cue-Secret": "wrong"}, b"", id="wrong secret"),
        pytest.param({"X-Cue-Secret": "wröng".encode()}, b"", id="not ASCII"),
        pytest.param({"X-CueAPI-Signature": "v1=00", "X-CueAPI-Timestamp": "1"}, b"", id="forged"),
        pytest.param({}, b"not JSON", id="bad body and no secret"),
        pytest.param({"Content-Type": "application/json"}, b'{"job": "none"}', id="unknown job"),
    ],
)
def test_who_is_not_let_in_always_hears_the_same_and_moves_nothing(headers, body):
    with listening(UnknownJobError("no job none")) as (loop, url):
        response = requests.post(f"{url}/verify", body, headers=headers, timeout=5)
    assert response.status_code == 401
    assert error_of(response) == "no valid signature and no valid secret"
    assert loop.asked == []


def test_a_secret_that_stands_twice_is_refused(door):
    loop, url = door
    answer = raw(url, post().replace(b"Host: x\r\n", b"Host: x\r\nX-Cue-Secret: open sesame\r\n"))
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert loop.asked == []


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"]
)
def test_a_body_that_does_not_claim_to_be_json_is_415(door, media_type):
    loop, url = door
    headers = KNOCK | ({"Content-Type": media_type} if media_type else {})
    response = requests.post(f"{url}/verify", b'{"job": "a"}', headers=headers, timeout=5)
    assert response.status_code == 415
    assert error_of(response) == "unsupported media type"
    assert loop.asked == []


def test_an_empty_body_may_claim_what_it_likes(door):
    _, url = door
    headers = KNOCK | {"Content-Type": "application/x-www-form-urlencoded"}
    assert requests.post(f"{url}/verify", headers=headers, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(b"{", "must be a JSON object", id="not JSON"),
        pytest.param(b'{"a":' * 10_000, "must be a JSON object", id="very deep"),
        pytest.param(b'{"job": 1}', "a job's name must be a text", id="not a name"),
    ],
)
def test_a_body_that_cannot_be_read_is_400_with_a_sentence(door, body, says):
    loop, url = door
    headers = KNOCK | {"Content-Type": "application/json"}
    response = requests.post(f"{url}/verify", body, headers=headers, timeout=5)
    assert response.status_code == 400
    assert says in error_of(response)
    assert loop.asked == []


def test_a_job_that_nobody_knows_is_404_and_named():
    with listening(UnknownJobError("no job is called nightly")) as (_, url):
        response = requests.post(f"{url}/verify", json={"job": "nightly"}, headers=KNOCK, timeout=5)
    assert response.status_code == 404
    assert error_of(response) == "no job is called nightly"


def test_when_the_main_loop_gives_no_answer_it_is_503_for_now():
    with listening(within_s=0.05) as (_, url):
        response = requests.post(f"{url}/verify", headers=KNOCK, timeout=5)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert error_of(response) == "the main loop gave no answer in time"


@pytest.mark.parametrize("debug", ["0", "1"], ids=["plain", "FLASK_DEBUG"])
def test_an_error_that_nobody_expected_is_logged_and_not_shown(monkeypatch, caplog, debug):
    monkeypatch.setenv("FLASK_DEBUG", debug)
    with listening(RuntimeError("a secret thing")) as (_, url):
        response = requests.post(f"{url}/verify", headers=KNOCK, timeout=5)
    assert response.status_code == 500
    assert error_of(response) == "internal server error"
    assert "a secret thing" in caplog.text


def padded(size):
    return b'{"job": "a", "pad": "%b"}' % (b"x" * (size - 23))


@pytest.mark.parametrize(
    "send", [lambda body: body, lambda body: iter([body])], ids=["length", "chunked"]
)
def test_a_body_of_64_kib_is_read(door, send):
    loop, url = door
    body = padded(LIMIT)
    assert len(body) == LIMIT
    headers = KNOCK | {"Content-Type": "application/json"}
    assert requests.post(f"{url}/verify", send(body), headers=headers, timeout=5).ok
    assert loop.asked == [Verify(jobs=("a",))]


@pytest.mark.parametrize("secret", [SECRET, "wrong"], ids=["let in", "not let in"])
@pytest.mark.parametrize("size", [LIMIT + 1, 131_072, 2_000_000])
@pytest.mark.parametrize(
    "send", [lambda body: body, lambda body: iter([body])], ids=["length", "chunked"]
)
def test_a_larger_body_is_413_whoever_sends_it(door, send, size, secret):
    loop, url = door
    headers = {"X-Cue-Secret": secret, "Content-Type": "application/json"}
    response = requests.post(f"{url}/verify", send(b"x" * size), headers=headers, timeout=5)
    assert response.status_code == 413
    assert error_of(response) == "request entity too large"
    assert loop.asked == []


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post(Content_Length="999999999999"), id="only promised"),
        pytest.param(
            post(Content_Length="200000", Expect="100-continue", body=b"x" * 200_000),
            id="with a word before it",
        ),
        pytest.param(
            post(Transfer_Encoding="chunked", body=chunked(b"x" * (LIMIT + 1))), id="in chunks"
        ),
        pytest.param(
            post(Transfer_Encoding="chunked", body=chunked(b"x" * 40_000, 1)), id="in tiny chunks"
        ),
    ],
)
def test_a_body_is_413_however_it_is_framed(door, request_bytes):
    _, url = door
    answer = raw(url, request_bytes).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["success"] is False


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", b"400 Bad Request", id="not HTTP"),
        pytest.param(post(Content_Length="-1"), b"400 Bad Request", id="negative length"),
        pytest.param(post(Transfer_Encoding="gzip"), b"501 Not Implemented", id="gzip"),
        pytest.param(post(X="y" * 20_000), b"431 Request Header Fields Too Large", id="header"),
        pytest.param(
            post(Transfer_Encoding="chunked", body=b"zz\r\n"), b"400 Bad Request", id="bad chunk"
        ),
    ],
)
def test_what_is_not_good_http_hears_so_in_json(door, request_bytes, status):
    _, url = door
    head, _, body = raw(url, request_bytes).partition(b"\r\n\r\n")
    assert head.splitlines()[0].endswith(status)
    assert json.loads(body) == {
        "success": False,
        "error": status.partition(b" ")[2].decode().lower(),
    }


# ---- on the raw socket --------------------------------------------------------------------------

JSON = b"Content-Type: application/json\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
NEXT = LAST.replace(b"Connection: close\r\n", b"")
KNOCKS = b"POST /verify HTTP/1.1\r\nHost: x\r\nX-Cue-Secret: open sesame\r\n" + JSON


def statuses(answer):
    """List the status of each answer; none of the bodies begins like one."""
    return [int(each[:3]) for each in re.split(rb"HTTP/1\.[01] ", answer)[1:]]


@pytest.mark.parametrize("count", [2, 100])
def test_requests_in_one_go_are_answered_one_after_the_other(door, count):
    _, url = door
    answer = raw(url, NEXT * (count - 1) + LAST)
    assert statuses(answer) == [200] * count
    assert answer.count(b'{"ok": true}') == count


def test_answers_keep_the_order_of_what_was_asked_in_one_go(door):
    loop, url = door
    body = b'{"job": "a"}'
    knock = KNOCKS + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    chunks = KNOCKS + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b'{"job": "b"}', 5)
    unknown = NEXT.replace(b"healthz", b"nothing")
    assert statuses(raw(url, knock + unknown + chunks + LAST)) == [200, 404, 200, 200]
    assert loop.asked == [Verify(jobs=("a",)), Verify(jobs=("b",))]


def smuggled(*headers, body=b"0\r\n\r\n", version=b"1.1"):
    head = KNOCKS.replace(b"HTTP/1.1", b"HTTP/" + version)
    return head + b"".join(b"%b\r\n" % each for each in headers) + b"\r\n" + body + LAST


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(smuggled(b"Content-Length: 5", CHUNKED), id="a length, then chunks"),
        pytest.param(smuggled(CHUNKED, b"Content-Length: 5"), id="chunks, then a length"),
        pytest.param(smuggled(CHUNKED, b"Content-Length: 0"), id="chunks and no length"),
        pytest.param(smuggled(CHUNKED, CHUNKED), id="chunks of chunks"),
        pytest.param(smuggled(b"Transfer-Encoding: chunked, chunked"), id="the same in one line"),
        pytest.param(smuggled(b"Transfer-Encoding: , chunked"), id="an empty encoding"),
        pytest.param(
            smuggled(b"Transfer-Encoding:", b"Content-Length: 5"), id="no encoding, but named"
        ),
        pytest.param(smuggled(b"Transfer-Encoding:", b" chunked"), id="folded"),
        pytest.param(smuggled(b"Transfer-Encoding : chunked"), id="a blank before the colon"),
        pytest.param(smuggled(b"Transfer-Encoding: \x0bchunked"), id="a vertical tab"),
        pytest.param(smuggled(b"Transfer-Encoding: xchunked"), id="another encoding"),
        pytest.param(smuggled(b"Transfer-Encoding: chunked, identity"), id="chunked, then more"),
        pytest.param(smuggled(b"X: y\nTransfer-Encoding: chunked"), id="after a bare line feed"),
        pytest.param(smuggled(CHUNKED, version=b"1.0"), id="chunks in HTTP/1.0"),
        pytest.param(
            smuggled(CHUNKED, b"Content-Length: 5", b"Connection: keep-alive", version=b"1.0"),
            id="both in HTTP/1.0, kept alive",
        ),
        pytest.param(smuggled(CHUNKED, version=b"2.0"), id="chunks in HTTP/2.0"),
        pytest.param(smuggled(b"Content-Length: 5", b"Content-Length: 0"), id="two lengths"),
        pytest.param(smuggled(b"Content-Length: 5", b"Content-Length: 5"), id="a length twice"),
        pytest.param(smuggled(b"Content-Length: 5, 5"), id="two lengths in one"),
        pytest.param(smuggled(b"Content-Length: +5"), id="a sign"),
        pytest.param(smuggled(b"Content-Length: 0x5"), id="a length in hexadecimal"),
        pytest.param(smuggled(b"Content-Length: 5_0"), id="an underscore"),
        pytest.param(
            smuggled("Content-Length: \N{ARABIC-INDIC DIGIT FIVE}".encode()),
            id="another alphabet's digit",
        ),
        pytest.param(smuggled(b"Content-Length:"), id="an empty length"),
        pytest.param(smuggled(b"Content-Length: " + b"9" * 5_000), id="5,000 digits"),
        pytest.param(smuggled(CHUNKED, body=b"-1\r\n\r\n"), id="a negative chunk"),
        pytest.param(smuggled(CHUNKED, body=b"0x0\r\n\r\n"), id="a chunk in C's hexadecimal"),
        pytest.param(smuggled(CHUNKED, body=b"2\r\n{}0\r\n\r\n"), id="a chunk without its end"),
        pytest.param(smuggled(CHUNKED, body=b"1;\x00\r\n{\r\n"), id="a bad extension"),
    ],
)
def test_a_request_within_a_request_is_not_answered(door, caplog, request_bytes):
    loop, url = door
    (status,) = statuses(raw(url, request_bytes))
    assert status in {400, 501}
    assert loop.asked == []
    assert caplog.records == []


def test_extensions_and_trailers_of_chunks_say_nothing(door):
    loop, url = door
    chunks = b'8;a="b"\r\n{"job": \r\n4\r\n"a"}\r\n0\r\nX-Cue-Secret: wrong\r\n\r\n'
    head = KNOCKS + CHUNKED + b"\r\nTrailer: X-Cue-Secret\r\nConnection: close\r\n\r\n"
    assert statuses(raw(url, head + chunks)) == [200]
    assert loop.asked == [Verify(jobs=("a",))]


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        pytest.param(post(Expect="100-continue"), [200], id="no body"),
        pytest.param(post(Expect="100-continue", Content_Length="0"), [200], id="an empty body"),
        pytest.param(
            post(
                Expect="100-Continue",
                Content_Type="application/json",
                Content_Length="2",
                body=b"{}",
            ),
            [100, 200],
            id="a body",
        ),
        pytest.param(post(Expect="100-continue", Content_Length="65537"), [413], id="too large"),
        pytest.param(post(Expect="100-continue", Content_Length="x"), [400], id="a bad length"),
        pytest.param(
            post(Expect="100-continue", Content_Length="5", Transfer_Encoding="chunked"),
            [400],
            id="a length and chunks",
        ),
        pytest.param(post(Expect="tea"), [200], id="something else"),
    ],
)
def test_only_who_has_yet_to_send_a_good_body_is_told_to_continue(door, request_bytes, expected):
    _, url = door
    assert statuses(raw(url, request_bytes)) == expected


@pytest.mark.parametrize("size", [b"10001", b"fffffffffffffffff", b"f" * 5_000])
def test_a_chunk_that_is_too_large_is_413_before_it_comes(door, size):
    _, url = door
    head = KNOCKS + CHUNKED + b"\r\n\r\n"
    assert statuses(raw(url, head + size + b"\r\n")) == [413]


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        pytest.param(b"HEAD /healthz HTTP/1.1", 200, id="HEAD"),
        pytest.param(b"HEAD /nothing HTTP/1.1", 404, id="HEAD of nothing"),
        pytest.param(b"HEAD /verify HTTP/1.1", 405, id="HEAD of what takes only POST"),
        pytest.param(b"OPTIONS /healthz HTTP/1.1", 405, id="OPTIONS"),
        pytest.param(b"OPTIONS * HTTP/1.1", 404, id="OPTIONS of all"),
        pytest.param(b"CONNECT x:443 HTTP/1.1", 404, id="CONNECT"),
        pytest.param(b"PRI * HTTP/2.0", 404, id="HTTP/2"),
        pytest.param(b"GET /healthz", 200, id="HTTP/0.9"),
        pytest.param(b"get /healthz HTTP/1.1", 400, id="a small method"),
        pytest.param(b"GET /healthz HTTP/1.1 x", 400, id="four words"),
        pytest.param(b"GET http://[ HTTP/1.1", 400, id="not a URL"),
        pytest.param(b"GET /%00%ff HTTP/1.1", 404, id="not a text"),
        pytest.param(b"GET /" + b"x" * 20_000 + b" HTTP/1.1", 431, id="a long path"),
        pytest.param(b"\x16\x03\x01\x00\xa5\x01\x00", 400, id="TLS"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n Host: x", 400, id="a header that goes on"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost", 400, id="no header"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: [", 200, id="half a host"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nA: b\rC: d", 400, id="a bare CR"),
        pytest.param(b"GET /healthz HTTP/1.1\nA: b", 400, id="a bare LF"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nConnection: Upgrade, Close", 200, id="an upgrade"),
    ],
)
def test_whatever_is_sent_has_one_answer_soon(door, caplog, request_bytes, expected):
    _, url = door
    head, _, body = raw(url, request_bytes + b"\r\nConnection: close\r\n\r\n").partition(
        b"\r\n\r\n"
    )
    assert statuses(head) == [expected]
    assert (body == b"") is request_bytes.startswith(b"HEAD")
    assert b"\r\nContent-Type: application/json" in head
    assert caplog.records == []


@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_bring_it_down(served, noise, as_body):
    before = KNOCKS + CHUNKED + b"\r\n\r\n" if as_body else b""
    with socket.create_connection(served, timeout=5) as client:
        client.sendall(before + noise + b"\r\n\r\n")
    with socket.create_connection(served, timeout=5) as client:
        client.sendall(LAST)
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.fixture(scope="module")
def served():
    with listening(WELL) as (_, url):
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_405_and_hear_which_one_works(door, method):
    _, url = door
    response = requests.request(method, f"{url}/verify", headers=KNOCK, timeout=5)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "path", ["/", "/verify/", "/healthz/", "/static/x", "/api/v1/status", "/..%2fverify"]
)
def test_other_paths_are_404_in_json(door, path):
    _, url = door
    response = requests.post(f"{url}{path}", headers=KNOCK, timeout=5)
    assert response.status_code == 404
    assert error_of(response) == "not found"


def test_health_follows_the_main_loop(door):
    loop, url = door
    response = requests.get(f"{url}/healthz", timeout=5)
    assert (response.status_code, response.json()) == (200, {"ok": True})
    loop.turns = False
    response = requests.get(f"{url}/healthz", timeout=5)
    assert (response.status_code, response.json()) == (503, {"ok": False})
    assert requests.post(f"{url}/healthz", timeout=5).status_code == 405


@pytest.mark.parametrize("path", ["/verify", "/healthz", "/nothing"])
def test_no_answer_names_what_serves_it(door, path):
    _, url = door
    for method in ("GET", "POST"):
        headers = requests.request(method, f"{url}{path}", timeout=5).headers
        assert "Server" not in headers
        assert "waitress" not in str(headers).lower()


def test_a_knock_costs_milliseconds(door):
    _, url = door
    with requests.Session() as session:
        took = []
        for _ in range(100):
            begun = time.perf_counter()
            session.post(f"{url}/verify", headers=KNOCK, timeout=5)
            took.append(time.perf_counter() - begun)
    assert sorted(took)[50] < 0.02
