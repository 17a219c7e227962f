"""The thread that measures artifacts: reading a gigabyte must not hold up the main loop."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING

from cronverifyd.host.artifacts import measure
from cronverifyd.model import Artifact, Measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronverifyd.model import Measure


class Surveyor:
    """One thread, one artifact at a time. `report` is called, in that thread, with each answer."""

    def __init__(self, report: Callable[[Measured], None]) -> None:
        self._report = report
        self._waiting: SimpleQueue[Measure | None] = SimpleQueue()
        # daemon: a file system that hangs must not keep the process from stopping; the next start
        # asks for what was not measured once more.
        self._thread = threading.Thread(target=self._run, name="surveyor", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hand(self, request: Measure) -> None:
        """Give it one request."""
        self._waiting.put(request)

    def stop(self, timeout_s: float) -> bool:
        """Take nothing more; False if it was still measuring after `timeout_s`."""
        self._waiting.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (request := self._waiting.get()) is not None:
            self._report(survey(request))


def survey(request: Measure) -> Measured:
    """Measure; whatever goes wrong in it is what was found."""
    try:
        return measure(request)
    except Exception as error:  # noqa: BLE001 (the thread's edge: one odd file stops no other)
        fault = f"could not be measured: {type(error).__name__}"
        made = tuple(Artifact(rule=rule.path, fault=fault) for rule in request.rules)
        return Measured(job=request.run.job, run=request.run.run, artifacts=made)
