"""One waitress server in a thread of its own."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import waitress.server
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from cronverifyd.errors import StateError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication

_SETTINGS: dict[str, Any] = {
    "threads": 4,
    # The application refuses what is over 64 KiB, to the byte. This bounds what is read before it
    # is asked; it counts the framing of chunks too.
    "max_request_body_size": 131_072,
    "inbuf_overflow": 262_144,
    "max_request_header_size": 16_384,
    "channel_timeout": 15,
    "cleanup_interval": 5,
    "connection_limit": 100,
    "log_socket_errors": False,
    "ident": None,
}


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


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress bears no types
    error_task_class = _JsonErrorTask


class Server:
    """Serves one application on one listening socket, which it owns from now on.

    `name` is the thread's. `on_death` is called, in that thread, with the reason if it ends without
    stop().
    """

    def __init__(
        self,
        name: str,
        app: WSGIApplication,
        listener: socket.socket,
        on_death: Callable[[Exception], None],
    ) -> None:
        self._listener = listener
        self._on_death = on_death
        self._app = app
        self._map: dict[int, Any] = {}
        self._waitress: Any = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> None:
        """Serve from now on."""
        # At INFO it tells of every client that left early; its queue warns whenever more requests
        # come at once than it has threads.
        logging.getLogger("waitress").setLevel(logging.WARNING)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._waitress = waitress.server.create_server(
            self._app, map=self._map, sockets=[self._listener], **_SETTINGS
        )
        self._waitress.channel_class = _Channel
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Take no new connections, let running requests end within `timeout_s`, close the rest."""
        if self._waitress is not None:
            self._waitress.accepting = False
            self._waitress.task_dispatcher.shutdown(timeout=timeout_s)
            self._stopping.set()
            if self._thread.is_alive():
                self._waitress.pull_trigger()
            self._thread.join(timeout_s)
        wasyncore.close_all(self._map)
        self._listener.close()

    def _run(self) -> None:
        try:
            self._serve()
        except Exception as error:  # noqa: BLE001 (the thread's edge: the process has to know)
            self._on_death(error)

    def _serve(self) -> None:
        """Turn waitress's loop; it would go on without its listener, deaf."""
        while not self._stopping.is_set():
            wasyncore.loop(timeout=1.0, map=self._map, count=1)
            if self._listener.fileno() < 0:
                raise StateError(f"{self._thread.name}: the listening socket was closed")
