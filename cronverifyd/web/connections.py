"""Waitress's connections, made to end.

Left alone, waitress accepts nobody beyond its limit until somebody leaves, and keeps for ever who
sends a byte now and then, and who takes no answer.
"""

from __future__ import annotations

import errno
import json
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, TcpWSGIServer, UnixWSGIServer
from waitress.task import ErrorTask, WSGITask

from cronverifyd.web.limits import FRAMED_BODY_BYTES, HEADER_BYTES, PIPELINED, THREADS
from cronverifyd.web.strict import StrictRequest

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from cronverifyd.web.limits import Limits

# In a crowd, those who have just come may yet say a word: what they have sent is read in the turn
# after the one that let them in, and this is longer than to let in all of a turn.
_A_WORD_S = 0.01

# With nobody waiting, a turn begins when somebody comes, an answer is ready, or it has to stop.
_ASLEEP_S = 60.0

_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}
_PAUSE_S = 0.05

_TOO_SLOW = b'{"success": false, "error": "request timeout"}\n'
_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_TOO_SLOW), _TOO_SLOW)
)


class _JsonErrorTask(ErrorTask):  # type: ignore[misc]  # waitress bears no types
    """Answer what waitress itself refuses (400, 413, 431, 501) in the shape of all our errors."""

    def execute(self) -> None:
        error = self.request.error
        body = json.dumps({"success": False, "error": error.reason.lower()}) + "\n"
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body.encode())


class _Task(WSGITask):  # type: ignore[misc]  # waitress bears no types
    """Tell the application, as SERVER_ADDR, the address at which the client has reached us."""

    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        if self.channel.local_address is not None:
            environ["SERVER_ADDR"] = self.channel.local_address
        return environ


class Connection(HTTPChannel):  # type: ignore[misc]  # waitress bears no types
    """A connection that knows since when it has kept us waiting.

    `waiting_since`: when it came, or when the last piece of an answer was written; in seconds of
    the monotonic clock.
    """

    parser_class = StrictRequest
    task_class = _Task
    error_task_class = _JsonErrorTask

    def __init__(self, server: Any, sock: socket.socket, *given: Any, **named: Any) -> None:
        address = sock.getsockname()
        self.local_address: str | None = address[0] if isinstance(address, tuple) else None
        self.waiting_since = time.monotonic()
        super().__init__(server, sock, *given, **named)

    def write_soon(self, data: bytes) -> int:
        """Take a piece of an answer; this comes before the request counts as done."""
        self.waiting_since = time.monotonic()
        written: int = super().write_soon(data)
        return written

    def received(self, data: bytes) -> bool:
        """Take in what came; hang up on who asks for more at once than anybody needs."""
        taken: bool = super().received(data)
        if len(self.requests) > PIPELINED:
            self.handle_close()
        return taken

    def hang_up(self) -> None:
        """Close it, whatever is not sent yet; whoever has begun a request hears why."""
        if self.request is not None and not self.total_outbufs_len:
            with suppress(OSError):
                self.socket.send(_TIMEOUT)
        self.handle_close()


class _Listener(BaseWSGIServer):  # type: ignore[misc]  # waitress bears no types
    """What both kinds of waitress's servers do in another way here."""

    channel_class = Connection
    limits: Limits

    def readable(self) -> bool:
        """Say whether one more may come in; the others wait in the kernel."""
        return self.accepting and len(self.active_channels) < self.limits.connections

    def handle_accept(self) -> None:
        """Let in those who wait, some a turn of the loop; waitress would take one a turn."""
        for _ in range(self.limits.spare):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) <= before:
                return

    def accept(self) -> Any:
        """Accept one; without a descriptor for it, don't turn as fast as the processor can."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR:
                time.sleep(_PAUSE_S)
            raise

    def make_room(self, now_s: float) -> float:
        """Hang up on who has kept us waiting for too long; for longest, when there are too many.

        Give in how many seconds the next one will have. `now_s`: of the monotonic clock. Nobody is
        sent away whose request is being answered.
        """
        waiting = [each for each in self.active_channels.values() if not each.requests]
        waiting.sort(key=lambda each: each.waiting_since)
        too_many = len(self.active_channels) + self.limits.spare - self.limits.connections
        for place, each in enumerate(waiting):
            patience_s = _A_WORD_S if place < too_many else self.limits.wait_s
            left_s: float = each.waiting_since + patience_s - now_s
            if left_s > 0:
                return left_s
            each.hang_up()
        return _ASLEEP_S


class _TcpListener(_Listener, TcpWSGIServer):  # type: ignore[misc]  # waitress bears no types
    """On an address."""


class _UnixListener(_Listener, UnixWSGIServer):  # type: ignore[misc]  # waitress bears no types
    """On a socket file."""


def listen(
    app: WSGIApplication, listener: socket.socket, channels: dict[int, Any], limits: Limits
) -> _Listener:
    """Make what serves an application on a socket that listens; it adds itself to `channels`."""
    settings = Adjustments(
        sockets=[listener],
        threads=THREADS,
        max_request_header_size=HEADER_BYTES,
        max_request_body_size=FRAMED_BODY_BYTES,
        inbuf_overflow=2 * FRAMED_BODY_BYTES,
        log_socket_errors=False,
        ident=None,
    )
    kind = _UnixListener if listener.family == socket.AF_UNIX else _TcpListener
    server = kind(
        app,
        channels,
        _sock=listener,
        adj=settings,
        sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
        bind_socket=False,
    )
    server.limits = limits
    return server
