"""One waitress server in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from waitress import wasyncore

from cronverifyd.errors import StateError
from cronverifyd.web.connections import listen
from cronverifyd.web.limits import Limits, within_descriptors

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication


class Server:
    """Serves one application on one listening socket, which it owns from now on.

    `name` is the thread's. `on_death` is called, in that thread, with the reason if it ends without
    stop(). `limits`: of its own.
    """

    def __init__(
        self,
        name: str,
        app: WSGIApplication,
        listener: socket.socket,
        on_death: Callable[[Exception], None],
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self._limits = limits
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
        self._limits = replace(self._limits, connections=within_descriptors(self._limits))
        self._waitress = listen(self._app, self._listener, self._map, self._limits)
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
        """Turn waitress's loop; it would go on without its listener, deaf.

        By poll(2): select(2) knows no descriptor beyond 1,023.
        """
        while not self._stopping.is_set():
            timeout_s = self._waitress.make_room(time.monotonic())
            wasyncore.loop(timeout=timeout_s, use_poll=True, map=self._map, count=1)
            if self._listener.fileno() < 0:
                raise StateError(f"{self._thread.name}: the listening socket was closed")
