"""A stand-in for CueAPI: a real HTTP server on loopback that refuses what the service refuses.

    with Standin(clock, allow_loopback=True) as service:
        …  # speak to service.url with service.api_key
        service.turn()  # fire what is due by the clock, deliver it, try again what failed

`clock.now()` is the only clock. Where something has to go wrong, `provoke` says what.
"""

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import requests

from cronverifyd.cue.signature import sign
from tests.cueapi.account import Account
from tests.cueapi.rules import Refused

API_KEY = "cue_sk_" + "0123456789abcdef" * 2
WEBHOOK_SECRET = "whsec_" + "0123456789abcdef" * 4
_MINUTE = timedelta(minutes=1)


class Clock:
    """A clock that stands until it is set. The wall's own: `Clock.now = …` or another object."""

    def __init__(self, now):
        self._now = now

    def now(self):
        return self._now

    def set(self, now):
        self._now = now

    def pass_(self, **given):
        self._now += timedelta(**given)


class WallClock:
    def now(self):
        return datetime.now(UTC)


@dataclass
class Request:
    method: str
    path: str
    body: dict | None


@dataclass
class Fault:
    """An answer that is given instead of the right one. `after`: what was asked is done first."""

    method: str
    path: str
    status: int
    times: int = 1
    after: bool = False
    headers: dict = field(default_factory=dict)
    body: bytes = b'{"error": {"code": "internal_error", "message": "An internal error occurred"}}'


class Standin(ThreadingHTTPServer):
    """`rate`: requests a minute. `requests`: all that came, oldest first. Others: see Account.

    `deliveries`: the raw body, the headers and the answer's status of each attempt.
    """

    daemon_threads = True

    def __init__(self, clock, *, rate=60, api_key=API_KEY, secret=WEBHOOK_SECRET, **given):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.clock, self.rate, self.api_key, self.secret = clock, rate, api_key, secret
        self.account = Account(**given)
        self.requests, self.deliveries, self.faults = [], [], []
        self.twice = self.down = False
        self._lock, self._taken = threading.RLock(), []

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def cues(self):
        """Show all cues by their names."""
        with self._lock:
            return {cue.shown["name"]: self.account.show(cue) for cue in self.account.cues.values()}

    def asked(self, method=None):
        """Give the requests that came, without the reading ones unless they are asked for."""
        return [each for each in self.requests if each.method == method or method is None]

    def provoke(self, method, path, status, **given):
        """Let the next request to a path (a regular expression) go wrong."""
        self.faults.append(Fault(method, path, status, **given))

    @contextmanager
    def downtime(self):
        """Answer 503 and fire nothing; what was due meanwhile comes afterwards, slot by slot."""
        self.down = True
        yield
        self.down = False

    # ---- deliveries -------------------------------------------------------------------------

    def turn(self):
        """Fire what is due, once a cue, and make each attempt that is due."""
        if self.down:
            return
        with self._lock:
            due = self.account.turn(self.clock.now())
        for execution in due:
            for _ in range(2 if self.twice else 1):
                delivered = self._deliver(execution)
            with self._lock:
                self.account.tried(execution, delivered, self.clock.now())

    def _deliver(self, execution):
        """Make one attempt, signed as the service signs; only 2xx is delivered."""
        shown = execution.cue.shown
        body = json.dumps(
            {
                "attempt": execution.attempts + 1,
                "cue_id": execution.cue.id,
                "execution_id": execution.id,
                "name": shown["name"],
                "payload": shown["payload"],
                "scheduled_for": execution.scheduled_for.isoformat(),
            },
            sort_keys=True,
        ).encode()
        timestamp = str(int(self.clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "CueAPI/1.0",
            "X-CueAPI-Signature": sign(self.secret, timestamp, body),
            "X-CueAPI-Timestamp": timestamp,
            "X-CueAPI-Cue-Id": execution.cue.id,
            "X-CueAPI-Execution-Id": execution.id,
            "X-CueAPI-Scheduled-For": execution.scheduled_for.isoformat(),
            "X-CueAPI-Attempt": str(execution.attempts + 1),
        } | shown["callback"]["headers"]
        status, answer = _post(shown["callback"]["url"], body, headers)
        self.deliveries.append((body, headers, status))
        if 200 <= (status or 0) < 300 and type(answer.get("success")) is bool:
            with self._lock:
                execution.outcome = execution.outcome or answer
        return 200 <= (status or 0) < 300

    # ---- requests ---------------------------------------------------------------------------

    def answer(self, method, path, key, body):
        """Give status, headers and document of a request. `body` None: it has none."""
        with self._lock:
            try:
                return self._guarded(method, path, key, body)
            except Refused as error:
                return error.status, error.headers, error.document

    def _guarded(self, method, path, key, body):
        if self.down:
            return 503, {}, b"<html>Service Unavailable</html>"
        self._meter()
        if key != f"Bearer {self.api_key}":
            raise Refused(401, "invalid_api_key", "Invalid or missing API key")
        parts = urlsplit(path)
        document = _document(body)
        self.requests.append(Request(method, path, document))
        fault = self._fault(method, parts.path)
        if fault is None or fault.after:
            status, answer = self._route(method, parts, document or {})
        return (status, {}, answer) if fault is None else (fault.status, fault.headers, fault.body)

    def _meter(self):
        now = self.clock.now()
        self._taken = [at for at in self._taken if now - at < _MINUTE]
        if len(self._taken) >= self.rate:
            wait = int((self._taken[0] + _MINUTE - now).total_seconds()) + 1
            message = "Too many requests"
            raise Refused(429, "rate_limit_exceeded", message, **{"Retry-After": str(wait)})
        self._taken.append(now)

    def _fault(self, method, path):
        for fault in self.faults:
            if fault.times and fault.method == method and re.fullmatch(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def _route(self, method, parts, body):  # noqa: C901, PLR0911 - a table of paths
        account, now = self.account, self.clock.now()
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        match method, parts.path.strip("/").split("/"):
            case "GET", ["v1", "cues"]:
                limit, offset = int(query.get("limit", 50)), int(query.get("offset", 0))
                return 200, account.page(limit, offset)
            case "POST", ["v1", "cues"]:
                return 201, account.create(body, now)
            case "GET", ["v1", "cues", id_]:
                return 200, account.show(account.cue(id_)) | {"executions": []}
            case "PATCH", ["v1", "cues", id_]:
                return 200, account.patch(account.cue(id_), body, now)
            case "DELETE", ["v1", "cues", id_]:
                return 204, account.delete(account.cue(id_))
            case "POST", ["v1", "cues", id_, "fire"]:
                return 200, {"id": account.fire(account.cue(id_), now).id, "cue_id": id_}
            case "GET", ["v1", "usage"]:
                return 200, account.usage()
            case "GET", ["v1", "auth", "webhook-secret"]:
                return 200, {"webhook_secret": self.secret}
            case "GET", ["v1", "executions", "claimable"]:
                return 200, account.claimable(query.get("task"))
            case "POST", ["v1", "executions", id_, "claim"]:
                return 200, account.claim(account.execution(id_), body.get("worker_id"), now)
            case "POST", ["v1", "executions", id_, "outcome"]:
                return 200, account.report(account.execution(id_), body)
            case "POST", ["v1", "worker", "heartbeat"]:
                account.heartbeats.append((now, body))
                return 200, {"acknowledged": True, "server_time": now.isoformat()}
        raise Refused(404, "http_error", "Not Found")


def _post(url, body, headers):
    try:
        with requests.Session() as session:
            session.trust_env = False
            given = {"data": body, "headers": headers, "timeout": 30, "allow_redirects": False}
            response = session.post(url, **given)
        answer = response.json()
    except requests.JSONDecodeError:
        return response.status_code, {}
    except requests.RequestException:
        return None, {}
    return response.status_code, answer if isinstance(answer, dict) else {}


def _document(body):
    try:
        document = json.loads(body) if body else None
    except ValueError:
        document = []
    if document is not None and not isinstance(document, dict):
        raise Refused(400, "invalid_json", "Request body is not valid JSON")
    return document


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet: apart, they wait for a delayed ACK, 40 ms
    server: Standin

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        key = self.headers.get("Authorization")
        status, headers, answer = self.server.answer(self.command, self.path, key, body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        content = b"" if status == 204 else content
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_):
        """Say nothing."""
