"""A Slack look-alike on the loopback: takes what an incoming webhook takes, and shows it."""

from __future__ import annotations

import html
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class SlackLookAlike:
    """Keeps the messages' plain texts. `show` is called with each message as a person reads it."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._texts: list[str] = []
        self._changed = threading.Condition()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port, and give the webhook's address."""
        look_alike = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                look_alike._take(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Say nothing: the messages speak for themselves."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/services/T0/B0/demo"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def wait_for(self, enough: Callable[[list[str]], bool], timeout_s: float) -> bool:
        """Wait until the texts that came are enough; False if that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: enough(self._texts), timeout_s)

    def _take(self, payload: dict[str, Any]) -> None:
        with self._changed:
            self._show(as_read(payload))
            self._texts.append(html.unescape(str(payload["text"])))
            self._changed.notify_all()


def as_read(payload: dict[str, Any]) -> str:
    """Put a Block Kit message into lines, as its reader sees them."""
    lines: list[str] = []
    for block in payload["blocks"]:
        pieces = [block.get("text"), *block.get("fields", ()), *block.get("elements", ())]
        for piece in pieces:
            if piece:
                lines.extend(html.unescape(piece["text"]).replace("*", "").splitlines())
    return "\n".join(line for line in lines if line.strip("`"))
