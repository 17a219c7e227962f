"""Requests that are meant for another host, or sent by a page of another one."""

import json
import socket

import pytest

from cronverifyd.errors import ConfigError
from cronverifyd.web.app import new_app, reply
from cronverifyd.web.hosts import keep_to, names_of
from cronverifyd.web.sockets import bind_tcp, bind_unix, connect_unix
from tests.web.loop import serving

NAMES = frozenset({"status.example.com", "web1:8401"})


@pytest.fixture(scope="module")
def asked():
    """Which requests the application was asked to answer."""
    return []


@pytest.fixture(scope="module")
def port(asked):
    with serving(application(asked), bind_tcp("127.0.0.1", 0)) as server:
        yield server.port


def application(asked):
    app = new_app("status")
    keep_to(app, NAMES)

    @app.route("/page", methods=["GET", "POST"])
    def page():
        asked.append(1)
        return reply(200, {"page": "for our people"})

    return app


def ask(port, *headers, line="GET /page HTTP/1.1", body=b"", address="127.0.0.1"):
    """Send a request, `{}` in it is the port; give the status and the document."""
    lines = [
        line,
        *headers,
        f"Content-Length: {len(body)}" if body else "X: x",
        "Connection: close",
    ]
    head = "".join(f"{each}\r\n" for each in lines).replace("{}", str(port))
    with socket.create_connection((address, port), timeout=5) as client:
        client.sendall(head.encode() + b"\r\n" + body)
        answer = client.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in head
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost:{}", "127.0.0.1:{}", "[::1]:{}", "LOCALHOST:{}", "LocalHost:{}"),
        *("status.example.com", "STATUS.example.com", "web1:8401"),
    ],
)
def test_its_own_names_are_answered(port, host):
    assert ask(port, f"Host: {host}") == (200, {"page": "for our people"})


OTHER_HOSTS = [
    pytest.param(["Host: evil.com"], id="another one"),
    pytest.param(["Host: evil.com:{}"], id="another one at our port"),
    pytest.param(["Host: localhost.evil.com:{}"], id="ours as its beginning"),
    pytest.param(["Host: 127.0.0.1.evil.com:{}"], id="our address as its beginning"),
    pytest.param(["Host: evil-localhost:{}"], id="ours as its end"),
    pytest.param(["Host: evil.localhost:{}"], id="below ours"),
    pytest.param(["Host: [::ffff:127.0.0.1]:{}"], id="a mapped address"),
    pytest.param(["Host: [::ffff:7f00:1]:{}"], id="a mapped address in hexadecimal"),
    pytest.param(["Host: [0:0:0:0:0:0:0:1]:{}"], id="loopback written out"),
    pytest.param(["Host: ::1:{}"], id="IPv6 without brackets"),
    pytest.param(["Host: 0.0.0.0:{}"], id="0.0.0.0"),
    pytest.param(["Host: [::]:{}"], id="::"),
    pytest.param(["Host: 127.1:{}"], id="an address cut short"),
    pytest.param(["Host: 2130706433:{}"], id="an address as a number"),
    pytest.param(["Host: 0x7f.0.0.1:{}"], id="an address in hexadecimal"),
    pytest.param(["Host: 127.0.0.2:{}"], id="another address of loopback"),
    pytest.param(["Host: localhost.:{}"], id="a dot at the end"),
    pytest.param(["Host: 127.0.0.1.:{}"], id="a dot after the address"),
    pytest.param(["Host: user@localhost:{}"], id="user-info"),
    pytest.param(["Host: localhost:{}@evil.com"], id="ours as user-info"),
    pytest.param(["Host: localhost:{}/page"], id="with a path"),
    pytest.param(["Host: localhost:{}#evil.com"], id="with a fragment"),
    pytest.param(["Host: http://localhost:{}"], id="with a scheme"),
    pytest.param(["Host: localhost"], id="no port"),
    pytest.param(["Host: localhost:"], id="an empty port"),
    pytest.param(["Host: localhost:80"], id="another port"),
    pytest.param(["Host: localhost:0{}"], id="a port with a nought"),
    pytest.param(["Host: localhost:{}0"], id="a longer port"),
    pytest.param(["Host: localhost:{}, evil.com"], id="two in one"),
    pytest.param(["Host: localhost:{}", "Host: evil.com"], id="two, ours first"),
    pytest.param(["Host: evil.com", "Host: localhost:{}"], id="two, ours last"),
    pytest.param(["Host: localhost:{}", "Host: localhost:{}"], id="ours twice"),
    pytest.param(["Host: localhost:{}", " evil.com"], id="folded"),
    pytest.param(["Host:"], id="empty"),
    pytest.param(["Host: \t "], id="blank"),
    pytest.param(["Host: l\N{CYRILLIC SMALL LETTER O}calhost:{}"], id="another alphabet"),
    pytest.param(["Host: localhost\x00:{}"], id="NUL"),
    pytest.param(["Host: ["], id="half an address"),
    pytest.param([], id="none"),
    pytest.param(["X-Forwarded-Host: localhost:{}"], id="none, but forwarded"),
    pytest.param(["Host: evil.com", "X-Forwarded-Host: localhost:{}"], id="forwarded"),
    pytest.param(["Host: evil.com", "Forwarded: host=localhost:{}"], id="forwarded (RFC 7239)"),
    pytest.param(["Host: evil.com", "X-Host: localhost:{}"], id="X-Host"),
    pytest.param(["Host: evil.com", "X_Host: localhost:{}"], id="underscored"),
    pytest.param(["Host: evil.com", "Server-Addr: evil.com"], id="our own variable"),
    pytest.param(["Host: web1:{}"], id="a name of ours at another port"),
    pytest.param(["Host: status.example.com:8401"], id="a name of ours with a port"),
    pytest.param(["Host: x.status.example.com"], id="below a name of ours"),
]


@pytest.mark.parametrize("headers", OTHER_HOSTS)
def test_another_host_is_refused(port, asked, headers):
    before = len(asked)
    status, document = ask(port, *headers)
    assert status in {400, 421}
    assert document["success"] is False
    assert len(asked) == before


def test_who_is_refused_hears_that_it_is_not_for_us(port):
    error = {"success": False, "error": "this listener is not called that"}
    assert ask(port, "Host: evil.com") == (421, error)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("GET /page HTTP/1.0", id="HTTP/1.0"),
        pytest.param("GET /page", id="HTTP/0.9"),
        pytest.param("GET /nothing HTTP/1.1", id="a page that is not there"),
        pytest.param("POST /page HTTP/1.1", id="POST"),
        pytest.param("OPTIONS /page HTTP/1.1", id="OPTIONS"),
    ],
)
def test_without_a_host_nothing_is_told_in_any_version_or_way(port, line):
    assert ask(port, line=line)[0] == 421


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("GET http://evil.com/page HTTP/1.1", id="another host"),
        pytest.param("GET http://evil.com:{}/page HTTP/1.1", id="another host at our port"),
        pytest.param("GET http://localhost:{}/page HTTP/1.1", id="ours"),
        pytest.param("GET http://localhost:{}@evil.com/page HTTP/1.1", id="ours as user-info"),
        pytest.param("GET ftp://localhost:{}/page HTTP/1.1", id="another scheme"),
        pytest.param("GET http:/page HTTP/1.1", id="half a URL"),
        pytest.param("GET page HTTP/1.1", id="no slash"),
        pytest.param("CONNECT evil.com:443 HTTP/1.1", id="CONNECT"),
        pytest.param("OPTIONS * HTTP/1.1", id="nothing particular"),
        pytest.param("GET http://[ HTTP/1.1", id="not a URL"),
    ],
)
def test_a_request_line_with_a_host_is_refused_whatever_the_header_says(port, asked, line):
    before = len(asked)
    assert ask(port, "Host: localhost:{}", line=line)[0] in {400, 421}
    assert len(asked) == before


@pytest.mark.parametrize("forwarded", ["evil.com", "status.example.com"])
def test_what_a_proxy_says_of_the_host_changes_nothing(port, forwarded):
    assert ask(port, "Host: localhost:{}", f"X-Forwarded-Host: {forwarded}")[0] == 200


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:{}", "http://localhost:{}"),
        ("127.0.0.1:{}", "http://127.0.0.1:{}"),
        ("LocalHost:{}", "http://localhost:{}"),
        ("status.example.com", "https://status.example.com"),
    ],
)
def test_its_own_pages_may_ask(port, host, origin):
    assert ask(port, f"Host: {host}", f"Origin: {origin}")[0] == 200


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("http://evil.com", id="another one"),
        pytest.param("http://localhost.evil.com:{}", id="ours as its beginning"),
        pytest.param("http://localhost:{}.evil.com", id="all of ours as its beginning"),
        pytest.param("http://localhost", id="another port"),
        pytest.param("http://127.0.0.1:{}", id="another name of ours"),
        pytest.param("file://localhost:{}", id="another scheme"),
        pytest.param("localhost:{}", id="no scheme"),
        pytest.param("http://localhost:{}/", id="a URL"),
        pytest.param("http://localhost:{} http://evil.com", id="two"),
        pytest.param("null", id="null"),
        pytest.param("", id="empty"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_origin_is_refused(port, asked, method, origin):
    before = len(asked)
    status, document = ask(
        port, "Host: localhost:{}", f"Origin: {origin}", line=f"{method} /page HTTP/1.1"
    )
    error = {"success": False, "error": "pages from elsewhere get no answer"}
    assert (status, document) == (403, error)
    assert len(asked) == before


def test_two_origins_are_refused_even_if_both_are_ours(port):
    origin = "Origin: http://localhost:{}"
    assert ask(port, "Host: localhost:{}", origin, origin)[0] == 403


FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(["Origin: http://evil.com"], id="with its origin"),
        pytest.param(["Origin: null"], id="of a sandbox"),
        pytest.param(["Sec-Fetch-Site: cross-site"], id="without its origin"),
        pytest.param(["Sec-Fetch-Site: same-site"], id="of another port"),
        pytest.param(["sec-fetch-site: something-new"], id="of a kind that is not known yet"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"job=db-backup"], ids=["empty", "with a body"])
def test_a_form_of_another_site_is_refused(port, asked, headers, body):
    before = len(asked)
    given = ["Host: localhost:{}", FORM, *headers]
    assert ask(port, *given, line="POST /page HTTP/1.1", body=body)[0] == 403
    assert len(asked) == before


def test_a_get_with_a_body_is_not_taken_for_a_link(port):
    given = ["Host: localhost:{}", "Sec-Fetch-Site: cross-site"]
    assert ask(port, *given, body=b"x")[0] == 403
    assert ask(port, *given)[0] == 200


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_form_of_our_own_and_a_program_are_let_in(port, site):
    given = ["Host: localhost:{}", FORM, f"Sec-Fetch-Site: {site}"]
    assert ask(port, *given, line="POST /page HTTP/1.1", body=b"x")[0] == 200


# ---- other listeners ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"), [("127.0.0.1:{}", 200), ("localhost:{}", 200), ("0.0.0.0:{}", 421)]
)
def test_a_listener_on_all_addresses_is_called_by_the_one_that_was_reached(host, status):
    with serving(application([]), bind_tcp("0.0.0.0", 0)) as server:
        assert ask(server.port, f"Host: {host}")[0] == status


@pytest.fixture
def dual():
    try:
        listener = bind_tcp("::", 0)
    except ConfigError as error:
        pytest.skip(f"NOT TRIED: this host has no IPv6: {error}")
    with serving(application([]), listener) as server:
        yield server.port


@pytest.mark.parametrize("address", ["::1", "127.0.0.1"])
@pytest.mark.parametrize(
    ("host", "status"), [("[::1]:{}", 200), ("127.0.0.1:{}", 200), ("[::ffff:127.0.0.1]:{}", 421)]
)
def test_a_listener_on_both_kinds_of_addresses_is_too(dual, address, host, status):
    assert ask(dual, f"Host: {host}", address=address)[0] == status


@pytest.mark.parametrize(
    ("host", "port", "names"),
    [
        ("127.0.0.1", 8401, set()),
        ("fe80::1", 8401, set()),
        ("Status.example.com", 8401, {"status.example.com:8401"}),
        ("status.example.com", 80, {"status.example.com"}),
        ("0.0.0.0", 8401, {"web1:8401"}),
        ("::", 80, {"web1"}),
    ],
)
def test_where_it_listens_gives_a_listener_its_names(host, port, names):
    assert names_of(host, port, "Web1") == names


def test_a_socket_file_is_called_by_no_name(tmp_path):
    path = tmp_path / "status.sock"
    with serving(application([]), bind_unix(path)), connect_unix(path, 5) as client:
        client.sendall(b"GET /page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 421 ")
