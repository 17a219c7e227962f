"""A web server on loopback that answers as a test tells it, and keeps what it was sent."""

import json
import socket
import struct
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """`answers`: per path, a function of the handler. `received`: (path, body), in order.

    JSON is read, all else is text. `requests`: (headers, body as bytes) of each of them.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {}
        self.received = []
        self.requests = []
        self.released = threading.Event()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.headers, body))
        is_json = "json" in self.headers["Content-Type"]
        self.server.received.append((self.path, json.loads(body) if is_json else body.decode()))
        self.server.answers[self.path](self)

    def do_GET(self):
        self.server.received.append((self.path, None))
        self.server.answers.get(self.path, says(404))(self)

    def log_message(self, format, *args):
        """Keep quiet."""


def says(status, body=b"", **headers):
    """Answer with a status, a body and headers (`_` for `-`)."""

    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hangs(handler):
    """Answer nothing until the server is closed."""
    handler.server.released.wait(30)


def breaks_off(handler):
    """Promise more than comes."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"o")


def resets(handler):
    """Close with a TCP reset instead of an answer."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.rfile.close()
    handler.wfile.close()
    handler.connection.close()


@contextmanager
def receiving():
    """Serve in a thread until the end of the block."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
