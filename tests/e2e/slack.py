"""A Slack look-alike on loopback that keeps what it is sent, and answers as a test tells it."""

import html
import json
import re
import socket
import struct
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANGS = "hangs"
RESETS = "resets"
_OF_THIS_HOST = {"cron is not running", "cron is running again"}
"""A machine for tests may have a cron that nobody has started; that is told, too."""

_TOGETHER = re.compile(
    r"^\*(?:Bad|Well):\* (.*?): .*?(?: \(incident (\S+) on .*\))?$", re.MULTILINE
)
_ALSO = re.compile(r"^\*Also:\* (.*)$", re.MULTILINE)
_NAMED = re.compile(r"(.+?) \((\w+)\)(?:, |$)")
_INCIDENT = re.compile(r"^incident (\S+) on ", re.MULTILINE)


@dataclass(frozen=True)
class Message:
    """One POST. `arrived_at`: epoch seconds, when its body had been read. `status`: our answer."""

    payload: dict
    arrived_at: float
    status: int | str

    @property
    def text(self):
        """What a notification shows, without the sign in front."""
        return html.unescape(self.payload["text"]).partition(" ")[2]

    @property
    def title(self):
        header = html.unescape(self.payload["blocks"][0]["text"]["text"])
        return header.partition(" ")[2]

    @property
    def titles(self):
        """Give its title, or those of what it tells together."""
        return [title for title, _ in self.parts]

    @property
    def parts(self):
        """Give the title and the incident of each thing that it tells."""
        together = _TOGETHER.findall(self.whole)
        for line in _ALSO.findall(self.whole):
            together += _NAMED.findall(line)
        return together or [(self.title, self.incident)]

    @property
    def whole(self):
        """Every word of it, as Slack shows it."""
        pieces = [self.payload["text"]]
        for block in self.payload["blocks"]:
            pieces += [piece["text"] for piece in _pieces(block)]
        return html.unescape("\n".join(pieces))

    @property
    def incident(self):
        found = _INCIDENT.search(self.whole)
        return found and found[1]

    @property
    def is_recovery(self):
        return self.title.endswith(" is well again")

    @property
    def may_repeat(self):
        return "may repeat" in self.whole


def _pieces(block):
    pieces = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
    return [piece for piece in pieces if piece]


class Slack(ThreadingHTTPServer):
    """`answers`: the status of each next answer, HANGS or RESETS; the last one stays.

    With a status can come headers: `(429, {"Retry-After": "7"})`.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.answers = [200]
        self.released = threading.Event()
        self._messages = []
        self._changed = threading.Condition()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/services/T0/B0/look-alike"

    @property
    def messages(self):
        with self._changed:
            return list(self._messages)

    @property
    def taken(self):
        """Give the messages that were answered with 200."""
        return [message for message in self.messages if message.status == 200]

    @property
    def titles(self):
        titles = [title for message in self.messages for title in message.titles]
        return [title for title in titles if title not in _OF_THIS_HOST]

    def wait_for(self, *titles, within_s):
        """Wait until each title was heard; give the first message of each."""
        self.wait_until(
            lambda messages: set(titles) <= {t for m in messages for t in m.titles}, within_s
        )
        return [next(m for m in self.messages if title in m.titles) for title in titles]

    def wait_until(self, enough, within_s):
        with self._changed:
            done = self._changed.wait_for(lambda: enough(self._messages), within_s)
        assert done, f"within {within_s} s Slack heard only: {self.titles}"

    def take(self, payload):
        """Keep a message; give the status and the headers of the answer to it."""
        with self._changed:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self._messages.append(Message(payload, time.time(), status))
            self._changed.notify_all()
        return status, headers


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers = self.server.take(json.loads(body))
        if status in {HANGS, RESETS}:
            self._leave(status)
            return
        self.send_response(status)
        for header in headers.items():
            self.send_header(*header)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def _leave(self, how):
        """Answer nothing, for long; or close at once with a TCP reset."""
        if how == HANGS:
            self.server.released.wait(60)
        else:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def log_message(self, *_):
        """Keep quiet."""

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            """The daemon was killed while we answered."""


@contextmanager
def slack_look_alike(port=0):
    """Serve in a thread until the end of the block. `port` 0: any that is free."""
    with Slack(port) as slack:
        thread = threading.Thread(target=slack.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield slack
        finally:
            slack.released.set()
            slack.shutdown()
            thread.join()
