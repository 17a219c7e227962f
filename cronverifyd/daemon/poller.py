"""The thread of CueAPI's worker transport: it asks off this host what there is to look at."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cronverifyd.daemon.clock import read_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronverifyd.cue.worker import Worker


class Poller:
    """Turns a worker until it is stopped. `on_death` is called if that ends by itself."""

    def __init__(self, worker: Worker, on_death: Callable[[Exception], None]) -> None:
        self._worker = worker
        self._on_death = on_death
        self._over = threading.Event()
        # daemon: a request that hangs must not keep the process from stopping.
        self._thread = threading.Thread(target=self._run, name="cue-worker", daemon=True)

    def start(self) -> None:
        """Start to turn."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Turn no more."""
        self._over.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                self._over.wait(self._worker.turn(read_clock()).total_seconds())
        except Exception as error:  # noqa: BLE001 (the thread's edge: the process has to know)
            self._on_death(error)
